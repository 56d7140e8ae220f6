"""What jobs ask a scheduler for."""

import re
import runpy

from tests.workflow.running import PROJECT

SAVES_ITS_STATE = {
    *("train_classifier", "train_affinity", "train_segmenter"),
    *("download_archive", "obtain_weights"),
}


def test_each_attempt_may_use_more():
    times_attempt = runpy.run_path(str(PROJECT / "rules/common/resources.smk"))["times_attempt"]
    assert [times_attempt(500)(None, attempt=attempt) for attempt in (1, 2, 3)] == [500, 1000, 1500]


def test_all_rules_grow_but_for_the_time_of_those_that_go_on_where_they_were():
    texts = [path.read_text() for path in PROJECT.glob("rules/*.smk")]
    rules = [
        r for t in texts for r in re.split(r"^ *(?:rule|checkpoint) (?=\w+:$)", t, flags=re.M)[1:]
    ]
    assert len(rules) > 20
    for rule in rules:
        name = rule.split(":")[0]
        assert re.search(r"mem_mb=times_attempt\(\d+\),", rule), name
        assert bool(re.search(r"runtime=times_attempt\(\d+\),", rule)) == (
            name not in SAVES_ITS_STATE
        )
