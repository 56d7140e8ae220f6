"""Tests of the final messages of a failed run."""

from tests.workflow.running import snakemake

CONFIG = """
dataset: {name: pets, source: folder, folder: pets}
evaluation: {splits: []}
"""


def test_a_failed_run_ends_with_the_line_that_says_why(tmp_path):
    (tmp_path / "pets/images").mkdir(parents=True)
    (tmp_path / "pets/labels.csv").write_text("image,tags\nrex.jpg,dog\n")
    (tmp_path / "mine.yaml").write_text(CONFIG)
    target = ("--cores", "1", "--", "results/pets/data/classes.txt")
    run = snakemake("--configfile", "mine.yaml", *target, directory=tmp_path)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith("error: pets/labels.csv line 2: no picture 'rex'")
