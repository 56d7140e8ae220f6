"""Tests of trainings that run again without a change that affects them: they end in seconds."""

import csv
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from tests.workflow.conftest import tiny
from tests.workflow.running import job_counts
from wsss_core.pretrained.imagenet import packaged_lite0

SECONDS = 3
TRAININGS = [
    *(f"{method}/seed0/classifier" for method in ("cam", "seam", "seam_extra", "sb")),
    *(f"{method}/seed0/affinity" for method in ("seam", "sb")),
    "seam/seed0/segmenter",
]
NETWORKS = [f"results/tiny/{training}/weights.pt" for training in TRAININGS]
CAM, SB = NETWORKS[0], NETWORKS[3]

pytestmark = pytest.mark.slow


def digests(directory, names=NETWORKS):
    return {name: sha256((directory / name).read_bytes()).hexdigest() for name in names}


def seconds(directory, name):
    """What the last run of a training took, by its benchmark."""
    _, _, method, seed, kind, _ = Path(name).parts
    table = directory / f"results/tiny/{method}/{seed}/benchmarks/train_{kind}.tsv"
    with table.open(newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


@pytest.fixture(scope="module")
def copy(finished, tmp_path_factory):
    """A copy of a finished run, for tests to run again in other ways."""
    directory = tmp_path_factory.mktemp("store") / "copy"
    shutil.copytree(finished, directory, symlinks=True)
    return directory


REASONS = {
    "anything that Snakemake thinks of": "{}",
    "another number of shards": "shards: {eval: 3}",
    "other splits that are scored": "evaluation: {splits: [val]}\nshards: {train_only: 1}",
}


@pytest.mark.parametrize("why", REASONS)
def test_trainings_that_run_again_end_in_seconds(copy, why):
    before = digests(copy)
    for name in NETWORKS:
        (copy / name).unlink()  # each runs, be it for this reason or for another
    (copy / "changes.yaml").write_text(REASONS[why])
    run = tiny(*NETWORKS, directory=copy, changes=["changes.yaml"])
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    assert (run.stdout + run.stderr).count("trained before; taken from") == len(NETWORKS)
    assert digests(copy) == before
    assert max(seconds(copy, name) for name in NETWORKS) < SECONDS


def test_a_crf_that_comes_and_goes(copy):
    """It changes nothing of sb, where that learns boundaries of the masks before it."""

    def trained(crf):
        stage = "methods: {sb: {smoothing: {boundaries_stage: segmentation}}}"
        (copy / "changes.yaml").write_text(f"{stage}\nsegment: {{crf: {crf}}}")
        (copy / SB).unlink()
        run = tiny(SB, directory=copy, changes=["changes.yaml"])
        assert job_counts(run)["train_classifier"] >= 1
        return digests(copy, [SB]), f"{SB}: trained before; taken from" in run.stdout + run.stderr

    before = digests(copy, [SB])
    first, _ = trained("{iterations: 1}")
    assert first != before
    assert trained("null") == (first, True)
    assert trained("{iterations: 1}") == (first, True)
    assert seconds(copy, SB) < SECONDS
    assert tiny(SB, directory=copy).returncode == 0
    assert digests(copy, [SB]) == before


def test_a_setting_switched_and_back(copy):
    before = digests(copy, [CAM])
    run = tiny("--config", "classifier={dropout: 0.25}", "--", CAM, directory=copy)
    assert run.returncode == 0, (run.stdout + run.stderr)[-5000:]
    assert digests(copy, [CAM]) != before
    run = tiny(CAM, directory=copy)
    assert job_counts(run) == {"train_classifier": 1}
    assert digests(copy, [CAM]) == before
    assert seconds(copy, CAM) < SECONDS


def test_a_preset_switched_and_back(copy):
    """In one folder, that of a name; without one each preset has its own."""
    (seam,) = (name for name in NETWORKS if "seam/seed0/classifier" in name)
    before = digests(copy, [seam])
    run = tiny("--config", "name=tiny", "preset=released", "--", seam, directory=copy)
    assert job_counts(run)["train_classifier"] == 1
    assert digests(copy, [seam]) != before
    run = tiny("--config", "name=tiny", "preset=paper", "--", seam, directory=copy)
    assert job_counts(run) == {"train_classifier": 1}
    assert digests(copy, [seam]) == before
    assert seconds(copy, seam) < SECONDS


def test_a_method_of_another_name_shares_the_training_and_leaves_no_name_in_it(copy):
    (copy / "changes.yaml").write_text("methods: {again: {extends: cam}}")
    name = CAM.replace("/cam/", "/again/")
    run = tiny(name, directory=copy, changes=["changes.yaml"])
    assert job_counts(run) == {"train_classifier": 1}
    assert "trained before; taken from" in run.stdout + run.stderr
    assert digests(copy, [name]) == {name: digests(copy, [CAM])[CAM]}
    card = torch.load(copy / name, weights_only=True)["metadata"]
    assert set(card) >= {"network", "config", "class_names"}
    assert "method" not in card


def test_environments_of_conda_come_and_go(copy, fake_conda):
    """`--sdm conda`, on or off, is another environment to Snakemake."""
    before = digests(copy, [CAM])
    for options in (("--sdm", "conda"), ()):
        run = tiny(*options, "--", CAM, directory=copy, environment=fake_conda)
        assert job_counts(run).get("train_classifier") == 1
        assert "trained before; taken from" in run.stdout + run.stderr
        assert digests(copy, [CAM]) == before
        assert seconds(copy, CAM) < SECONDS


def test_a_damaged_network_in_the_store_is_trained_anew(copy):
    before = digests(copy, [CAM])
    (copy / CAM).unlink()
    for entry in copy.glob("results/store/*/weights.pt"):
        content = bytearray(entry.read_bytes())
        content[len(content) // 2] ^= 1
        entry.unlink()
        entry.write_bytes(content)
    run = tiny(CAM, directory=copy)
    assert job_counts(run) == {"train_classifier": 1}
    assert "weights.pt is damaged; removed, training again" in run.stdout + run.stderr
    assert digests(copy, [CAM]) == before


def test_a_weights_file_that_is_copied_over_or_moved_away(tmp_path):
    path = tmp_path / "lite0.pth"
    shutil.copy(packaged_lite0(), path)
    (tmp_path / "x.yaml").write_text(f"classifier: {{backbone: {{weights: {path.name}}}}}")

    def again(*options):
        return tiny(*options, CAM, directory=tmp_path, changes=["x.yaml"])

    run = again()
    assert job_counts(run)["train_classifier"] == 1
    content, trained = path.read_bytes(), (tmp_path / CAM).stat().st_mtime_ns
    path.write_bytes(content)  # the same, at another time
    run = again()
    assert job_counts(run)["obtain_weights"] == 1
    assert (tmp_path / CAM).stat().st_mtime_ns == trained  # its job was planned, and then dropped
    path.rename(tmp_path / "moved.pth")
    (tmp_path / "x.yaml").write_text("classifier: {backbone: {weights: moved.pth}}")
    run = again()
    assert job_counts(run) == {"obtain_weights": 1, "train_classifier": 1}
    assert "trained before; taken from" in run.stdout + run.stderr
    assert seconds(tmp_path, CAM) < SECONDS
    (tmp_path / "x.yaml").write_text(f"classifier: {{backbone: {{weights: {path.name}}}}}")
    assert job_counts(again()) == {"train_classifier": 1}  # by the note, though the file is gone
    assert job_counts(again("--dry-run")) == {}
    (tmp_path / CAM).unlink()
    run = again()
    assert job_counts(run) == {"train_classifier": 1}
    assert "trained before; taken from" in run.stdout + run.stderr
    path.write_bytes(content + b"0")
    assert job_counts(again("--dry-run"))["train_classifier"] == 1


def test_results_that_move_are_not_made_again(copy, tmp_path):
    """Without what Snakemake has noted of them, and with the trainings of the store."""
    before = digests(copy, [CAM])
    (tmp_path / "results").symlink_to(copy / "results")
    (copy / CAM).unlink()
    run = tiny(CAM, directory=tmp_path)
    assert job_counts(run) == {"train_classifier": 1}
    assert "trained before; taken from" in run.stdout + run.stderr
    assert digests(copy, [CAM]) == before
