"""Tests of finished trainings in the store: returned files, damage, and shared files."""

import errno
import os
import time

import pytest

from wsss_core.training.store import keep, take, training_key

MADE_OF = {"code": "c", "seed": 0}


@pytest.fixture
def entry(tmp_path):
    return tmp_path / "results/store/key"


@pytest.fixture
def run(tmp_path):
    return files_in(tmp_path / "results/one")


def files_in(directory):
    directory.mkdir(parents=True, exist_ok=True)
    return {"weights.pt": directory / "weights.pt", "history.csv": directory / "history.csv"}


def train(files):
    files["weights.pt"].write_bytes(b"network" * 1000)
    files["history.csv"].write_text("step,loss\n1,2.5\n")


def contents(files):
    return {name: path.read_bytes() for name, path in files.items()}


def test_a_key_changes_with_any_part_and_not_with_their_order():
    keys = [
        training_key({"code": "c", "seed": 0}),
        training_key({"code": "c", "seed": 1}),
        training_key({"code": "d", "seed": 0}),
        training_key({"code": "c", "seed": None}),
        training_key({"code": "c"}),
        training_key({"code": "c", "seed": "0"}),
    ]
    assert len(set(keys)) == len(keys)
    assert training_key({"seed": 0, "code": "c"}) == keys[0]


def test_nothing_is_taken_where_nothing_was_kept(entry, run):
    assert not take(entry, run)
    assert not run["weights.pt"].exists()


def test_what_was_kept_comes_back_new_by_its_time_and_costs_no_space(entry, run):
    train(run)
    before = contents(run)
    keep(entry, run, MADE_OF)
    assert (entry / "weights.pt").samefile(run["weights.pt"])
    for path in run.values():
        path.unlink()
        os.utime(entry / path.name, (1e9, 1e9))
    assert take(entry, run)
    assert contents(run) == before
    assert (entry / "weights.pt").samefile(run["weights.pt"])
    assert run["weights.pt"].stat().st_mtime > time.time() - 60
    assert [path.name for path in entry.parent.iterdir()] == ["key"]


def test_a_file_that_another_run_has_keeps_its_time(entry, run, tmp_path):
    """The time belongs to all links of a file: what that run made of it must not look old."""
    train(run)
    keep(entry, run, MADE_OF)
    os.utime(run["weights.pt"], (1e9, 1e9))
    other = files_in(tmp_path / "results/other")
    assert take(entry, other)
    assert contents(other) == contents(run)
    assert run["weights.pt"].stat().st_mtime == 1e9
    assert other["weights.pt"].stat().st_mtime > time.time() - 60


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP])
def test_without_hard_links_files_are_copied(entry, run, monkeypatch, code):
    def link(source, target):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    train(run)
    before = contents(run)
    keep(entry, run, MADE_OF)
    for path in run.values():
        path.unlink()
    assert take(entry, run)
    assert contents(run) == before
    assert not (entry / "weights.pt").samefile(run["weights.pt"])


def flip_a_bit(entry):
    content = bytearray((entry / "weights.pt").read_bytes())
    content[100] ^= 1
    (entry / "weights.pt").write_bytes(content)


DAMAGE = {
    "a flipped bit": (flip_a_bit, "weights.pt is damaged"),
    "a file cut off": (lambda entry: os.truncate(entry / "history.csv", 3), "history.csv"),
    "a file gone": (lambda entry: (entry / "weights.pt").unlink(), "cannot be read"),
    "no note": (lambda entry: (entry / "note.json").unlink(), "cannot be read"),
    "half a note": (lambda entry: os.truncate(entry / "note.json", 9), "cannot be read"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_entry_is_told_of_and_removed(entry, run, capsys, what):
    damage, message = DAMAGE[what]
    train(run)
    keep(entry, run, MADE_OF)
    for path in run.values():
        path.unlink()
    damage(entry)
    assert not take(entry, run)
    warning = capsys.readouterr().err
    assert warning.startswith(f"warning: {entry}: ") and message in warning
    assert warning.count("\n") == 1
    assert not entry.exists()
    assert not any(path.exists() for path in run.values())
