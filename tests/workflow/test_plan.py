"""Tests of the expected duration in a dry run."""

from wsss_core.workflow.plan import PlannedJob, expect


def job(tmp_path, rule, name, seconds, *, after=(), cores=1, gpu=0):
    """A job of a rule, with a record of an earlier run or without (None)."""
    record = tmp_path / "results" / name / f"{rule}.tsv"
    if seconds is not None:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")
    records = tmp_path / "results" / "{name}" / f"{rule}.tsv"
    return PlannedJob(rule, record, records, {"cores": cores, "gpu": gpu}, after)


def test_a_chain_takes_the_sum_and_what_is_side_by_side_does_not(tmp_path):
    jobs = [
        job(tmp_path, "train", "a", 60),
        job(tmp_path, "infer", "a", 10, after=[0]),
        job(tmp_path, "infer", "b", 20, after=[0]),
    ]
    assert expect(jobs, {"cores": 4}) == (80, [])


def test_what_a_resource_has_to_do_takes_longer_than_a_chain(tmp_path):
    jobs = [job(tmp_path, "train", name, 60, cores=2, gpu=1) for name in "abc"]
    assert expect(jobs, {"cores": 16, "gpu": 1}).seconds == 180
    assert expect(jobs, {"cores": 3}).seconds == 120  # two thirds of all cores for three minutes
    assert expect(jobs, {"cores": 1}).seconds == 180  # a job never takes more than there is
    assert expect(jobs, {}).seconds == 60


def test_a_job_without_a_record_takes_as_long_as_others_of_its_rule(tmp_path):
    job(tmp_path, "train", "earlier", 30)
    job(tmp_path, "train", "another", 50)
    damaged = job(tmp_path, "train", "damaged", "NA")
    new = job(tmp_path, "train", "new", None)
    assert expect([new], {}) == (40, [])
    assert expect([damaged], {}) == (40, [])


def test_rules_that_never_ran_are_named(tmp_path):
    jobs = [job(tmp_path, "train", "a", 60), job(tmp_path, "infer", "a", None, after=[0])]
    jobs.append(PlannedJob("all", None, None, {}, [1]))
    assert expect(jobs, {"cores": 1}) == (60, ["infer"])
    assert expect([], {"cores": 1}) == (0, [])
