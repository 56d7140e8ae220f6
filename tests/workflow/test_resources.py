"""Tests of the resources that jobs request from a scheduler."""

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


def test_the_slurm_profile_has_a_partition_for_all_that_compute_on_gpus():
    """What one would write there, once the lines of the comment are taken out of it."""
    text = (PROJECT / "profiles/slurm/config.yaml").read_text()
    named = set(re.findall(r"^  # (\w+): \{slurm_partition: <name>\}", text, re.M))
    named |= set(re.findall(r"^  (\w+):\n    gpu: 4", text, re.M))
    rules = "".join(path.read_text() for path in PROJECT.glob("rules/*.smk"))
    blocks = re.split(r"^ *(?:rule|checkpoint) (?=\w+:$)", rules, flags=re.M)[1:]
    assert named == {
        block.split(":")[0] for block in blocks if re.search(r"^ +gpu=1,", block, re.M)
    }
