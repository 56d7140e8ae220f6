"""Tests of a training program's key, and of when it really trains."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreWriter
from wsss_core.pretrained.note import note_of, write_note
from wsss_core.runtime.errors import UserError
from wsss_core.training import key_precision
from wsss_core.training.inputs import classifier_digests, mask_digest, seed_digest, without_places
from wsss_core.training.program import run_once, training_parser

IDS = ("a", "b", "c")


@pytest.fixture(autouse=True)
def visible_gpus(monkeypatch):
    """GPUs of this process stay what they are, whatever a training takes."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", os.environ.get("CUDA_VISIBLE_DEVICES", ""))


@pytest.fixture
def root(tmp_path):
    """A prepared dataset of three images, of which a and b are trained on."""
    root = tmp_path / "data"
    (root / "splits").mkdir(parents=True)
    write_tables(root, IDS)
    return root


def write_tables(root, ids, *, label_of_c=0):
    (root / "splits/train_aug.txt").write_text("b\na\n")
    (root / "classes.txt").write_text("cat\n")
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [["image", "cat"], *([i, int(i == "c" and label_of_c)] for i in ids)]
        )
    with (root / "image_digests.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "sha256"], *([i, f"digest of {i}"] for i in ids)])


def arguments(tmp_path, *options, config=None):
    config = config or {"backbone": {"name": "n", "weights": None}}
    return training_parser(None).parse_args(
        [
            *("--dataset", str(tmp_path / "data"), "--store", str(tmp_path / "store")),
            *("--output", str(tmp_path / "run/weights.pt"), "--config", json.dumps(config)),
            *("--history", str(tmp_path / "run/history.csv"), "--code", "digest", *options),
        ]
    )


@pytest.fixture
def trainings():
    """Keys of the trainings that were done."""
    return []


@pytest.fixture
def train(trainings):
    def train(args, key):
        trainings.append(key)
        args.output.parent.mkdir(parents=True, exist_ok=True)
        for path in (args.output, args.history):
            path.unlink(missing_ok=True)  # as `os.replace` leaves other links of it as they are
        args.output.write_text(key)
        args.history.write_text("step\n")

    return train


def test_a_training_is_done_once(tmp_path, train, trainings, capsys):
    args = arguments(tmp_path)
    run_once(args, train, reads={"labels": "x"})
    args.output.unlink()
    args.history.unlink()
    run_once(args, train, reads={"labels": "x"})
    assert len(trainings) == 1
    assert args.output.read_text() == trainings[0]
    assert "trained before; taken from" in capsys.readouterr().err
    run_once(args, train, reads={"labels": "y"})
    run_once(arguments(tmp_path, "--seed", "1"), train, reads={"labels": "x"})
    run_once(arguments(tmp_path, "--code", "c"), train, reads={"labels": "x"})
    assert len(set(trainings)) == 4


def test_a_store_without_a_digest_of_the_code_is_refused(tmp_path, train):
    with pytest.raises(UserError, match="--store: expected --code too"):
        run_once(arguments(tmp_path, "--code", ""), train, reads={})


def test_what_changes_no_weights_changes_no_key(tmp_path, train, trainings):
    run_once(arguments(tmp_path), train, reads={})
    other = ("--threads", "8", "--log-every", "1", "--checkpoint-minutes", "1")
    run_once(arguments(tmp_path, *other), train, reads={})
    assert len(trainings) == 1


@pytest.mark.parametrize(
    ("cpu", "gpus", "devices", "same_as"),
    [
        (False, False, 0, "float32"),
        (False, True, 1, "bfloat16"),
        (True, False, 1, "float32"),
        (True, False, 0, "bfloat16"),
    ],
)
def test_what_a_training_computes_in_is_part_of_its_key(
    tmp_path, train, trainings, monkeypatch, cpu, gpus, devices, same_as
):
    monkeypatch.setattr(key_precision, "cpu_has_bf16", lambda: cpu)
    monkeypatch.setattr(key_precision, "gpus_have_bf16", lambda: gpus)
    keys = {}
    for asked in ("float32", "bfloat16"):
        run_once(arguments(tmp_path, "--precision", asked), train, reads={})
        keys[asked] = trainings[-1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    args = arguments(tmp_path, "--precision", "auto", "--gpus", str(devices))
    run_once(args, train, reads={})
    assert args.output.read_text() == keys[same_as] and args.precision == same_as
    assert len(trainings) == 2


def test_what_is_in_the_store_waits_for_no_gpu(tmp_path, train, monkeypatch):
    run_once(arguments(tmp_path), train, reads={})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    run_once(arguments(tmp_path, "--gpus", "1"), train, reads={})
    with pytest.raises(UserError, match="asks for 1 GPUs; expected at most 0"):
        run_once(arguments(tmp_path, "--gpus", "1", "--seed", "1"), train, reads={})


def test_a_training_has_gpus_of_its_own(tmp_path, train, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run_once(arguments(tmp_path, "--gpus", "2"), train, reads={})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,5"


def test_the_state_of_an_unfinished_training_goes_with_its_end(tmp_path, train):
    state = tmp_path / "run/state/state.pt"
    state.parent.mkdir(parents=True)
    state.write_text("")
    run_once(arguments(tmp_path), train, reads={})
    assert not state.parent.exists()


def test_one_of_several_processes_looks_up_nothing(tmp_path, train, trainings, monkeypatch):
    run_once(arguments(tmp_path), train, reads={})
    monkeypatch.setenv("LOCAL_RANK", "1")
    run_once(arguments(tmp_path), train, reads={})
    assert len(trainings) == 2 and len(set(trainings)) == 1


def test_a_store_that_cannot_be_written_costs_no_training(tmp_path, train, capsys, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wsss_core.training.program.keep", fail)
    args = arguments(tmp_path)
    run_once(args, train, reads={})
    assert args.output.is_file()
    warning = capsys.readouterr().err
    assert warning.startswith("warning: ") and "not kept for other runs" in warning


def start_from(path, tmp_path, name):
    note = tmp_path / f"{name}.json"
    write_note(note, note_of(path, str(path)))
    config = {"backbone": {"name": "n", "weights": str(path), "sha256": None}}
    return arguments(tmp_path, "--note", str(note), config=config)


def test_weights_count_by_their_content(tmp_path, train, trainings):
    first, copy, other = (tmp_path / name for name in ("first.pth", "copy.pth", "other.pth"))
    first.write_bytes(b"weights")
    copy.write_bytes(b"weights")
    other.write_bytes(b"others")
    run_once(start_from(first, tmp_path, "first"), train, reads={})
    first_args = start_from(first, tmp_path, "first")
    first.unlink()  # once it is noted, it may go
    run_once(first_args, train, reads={})
    run_once(start_from(copy, tmp_path, "copy"), train, reads={})
    assert len(trainings) == 1
    run_once(start_from(other, tmp_path, "other"), train, reads={})
    assert len(trainings) == 2


def test_weights_that_changed_behind_their_note_are_not_trained_on(tmp_path, train, trainings):
    path = tmp_path / "first.pth"
    path.write_bytes(b"weights")
    args = start_from(path, tmp_path, "first")
    path.write_bytes(b"changed")
    with pytest.raises(UserError, match=r"first\.pth: sha256 is .*; expected .* as obtain_weights"):
        run_once(args, train, reads={})
    path.unlink()
    with pytest.raises(UserError, match=r"first\.pth: weights file not found; expected it where"):
        run_once(args, train, reads={})
    assert trainings == []


def test_only_what_is_trained_on_counts(root):
    before = classifier_digests(open_dataset(root), [], None)
    write_tables(root, IDS, label_of_c=1)  # of an image that is only scored
    assert classifier_digests(open_dataset(root), [], None) == before
    write_tables(root, ("a", "b"))
    assert classifier_digests(open_dataset(root), [], None) == before
    (root / "splits/train_aug.txt").write_text("a\nb\n")  # the order decides the batches
    assert classifier_digests(open_dataset(root), [], None) != before


def write_masks(directory, values):
    directory.mkdir(parents=True)
    for image_id, value in values.items():
        Image.fromarray(np.full((2, 2), value, np.uint8)).save(directory / f"{image_id}.png")
    return directory


def test_masks_count_by_image_and_not_by_shard(root, tmp_path):
    dataset = open_dataset(root)
    together = [write_masks(tmp_path / "0", {"a": 1, "b": 2, "c": 3})]
    apart = [write_masks(tmp_path / "1", {"b": 2}), write_masks(tmp_path / "2", {"a": 1, "c": 0})]
    other = [write_masks(tmp_path / "3", {"a": 1, "b": 1})]
    lacking = [write_masks(tmp_path / "4", {"a": 1})]
    digests = [
        mask_digest(masks, dataset, what="mask") for masks in (together, apart, other, lacking)
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def write_seeds(path, values):
    with ScoreWriter(path, kind="seed", class_names=("cat",)) as writer:
        for image_id, value in values.items():
            writer.write(image_id, (0,), np.full((2, 1, 2, 2), value, np.float32))
    return path


def test_seeds_count_by_image_and_not_by_shard(root, tmp_path):
    dataset = open_dataset(root)
    together = [write_seeds(tmp_path / "0.npz", {"a": 0.5, "b": 1, "c": 0})]
    apart = [write_seeds(tmp_path / "1.npz", {"b": 1}), write_seeds(tmp_path / "2.npz", {"a": 0.5})]
    other = [write_seeds(tmp_path / "3.npz", {"a": 0.5, "b": 0.5})]
    digests = [seed_digest(seeds, dataset) for seeds in (together, apart, other)]
    assert digests[0] == digests[1] != digests[2]


def test_a_config_without_places():
    config = {
        "classifier": {"backbone": {"weights": "a/b.pth", "sha256": "0", "name": "n"}},
        "method": {"init": {"weights": "c.pth", "sha256": None}, "scales": [1.0]},
        "other": {"weights": "timm", "sha256": None},
        "packaged": {"weights": "package:x"},
    }
    assert without_places(config) == {
        "classifier": {"backbone": {"weights": "file", "name": "n"}},
        "method": {"init": {"weights": "file"}, "scales": [1.0]},
        "other": {"weights": "timm", "sha256": None},
        "packaged": {"weights": "package:x"},
    }


def test_what_decides_the_key_needs_no_torch():
    """A training that is found in the store ends before torch would be imported."""
    for name in ("train_classifier", "train_affinity", "train_segmenter"):
        code = f"import sys, workflow_scripts.{name}; print('torch' in sys.modules)"
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert found.stdout == "False\n", name
