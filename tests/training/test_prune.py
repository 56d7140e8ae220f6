"""Tests of which trainings are removed from the store, and which are kept."""

import shutil
import sys

import pytest
from filelock import FileLock

from wsss_core.runtime.errors import UserError
from wsss_core.training.prune import main
from wsss_core.training.store import keep


def train(results, run, key, content):
    """A run whose network is also in the store."""
    files = {}
    for name in ("weights.pt", "history.csv"):
        files[name] = results / run / "classifier" / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        files[name].write_text(f"{name} {content}")
    keep(results / "store" / key, files, {})
    return files["weights.pt"]


def prune(results, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["prune", str(results)])
    main()
    return capsys.readouterr().out


def entries(results):
    return {path.name for path in (results / "store").glob("[!.]*")}


def test_what_a_run_has_stays_whether_linked_or_copied(tmp_path, monkeypatch, capsys):
    train(tmp_path, "one/cam/seed0", "linked", "a")
    copied = train(tmp_path, "one/seam/seed0", "copied", "b")
    shutil.copy(copied, copied.with_name("copy"))
    copied.with_name("copy").replace(copied)
    train(tmp_path, "two/cam/seed1", "dropped", "c").unlink()
    changed = train(tmp_path, "two/cam/seed2", "changed", "d")
    changed.unlink()
    changed.write_text("weights.pt e")  # of the same size
    assert prune(tmp_path, monkeypatch, capsys).startswith("2 trainings removed, ")
    assert entries(tmp_path) == {"linked", "copied"}


def test_what_a_run_is_making_stays(tmp_path, monkeypatch, capsys):
    train(tmp_path, "one/cam/seed0", "busy", "a").unlink()
    with FileLock(tmp_path / "store/.busy.lock"):
        assert prune(tmp_path, monkeypatch, capsys).startswith("0 trainings removed")
    assert entries(tmp_path) == {"busy"}


def test_half_an_entry_is_dropped(tmp_path, monkeypatch, capsys):
    train(tmp_path, "one/cam/seed0", "half", "a").unlink()
    (tmp_path / "store/half/note.json").unlink()
    assert prune(tmp_path, monkeypatch, capsys).startswith("1 trainings removed")
    assert entries(tmp_path) == set()


def test_another_folder_is_refused(tmp_path, monkeypatch, capsys):
    with pytest.raises(UserError, match="elsewhere: no such folder; expected the folder of"):
        prune(tmp_path / "elsewhere", monkeypatch, capsys)
