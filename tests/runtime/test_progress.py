import sys

from wsss_core.runtime import progress as module
from wsss_core.runtime.progress import progress


def test_log_gets_one_last_line(capsys):
    assert list(progress(range(3), desc="cam")) == [0, 1, 2]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("cam: 3/3, ")
    assert "image/s" in lines[0]
    assert lines[0].endswith("left")


def test_log_gets_a_line_per_interval(capsys, monkeypatch):
    monkeypatch.setattr(module, "LOG_INTERVAL", 0.0)
    list(progress(iter("ab"), total=2, desc="x", unit="step"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["x: 1/2", "x: 2/2", "x: 2/2"]


def test_manual_updates_and_postfix(capsys):
    with progress(None, total=4, desc="train", unit="step") as bar:
        bar.update(4)
        bar.set_postfix(loss=0.5, refresh=False)
    assert "train: 4/4" in (line := capsys.readouterr().err)
    assert "loss=0.5" in line


def test_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    list(progress(range(3), desc="cam"))
    assert "100%" in capsys.readouterr().err
