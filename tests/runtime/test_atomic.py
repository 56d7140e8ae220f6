import errno
import os
import subprocess
import sys

import pytest
import torch

from wsss_core.runtime.atomic import (
    atomic_dir,
    atomic_file,
    move_into_place,
    staging_dir,
)
from wsss_core.runtime.errors import UserError


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "new" / "x.npz"
    with atomic_file(target) as partial:
        assert partial.suffix == ".npz"
        partial.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert names(target.parent) == ["x.npz"]


def test_failed_file_leaves_the_old_one(tmp_path):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_directory_replaces_an_old_one(tmp_path):
    target = tmp_path / "shard"
    target.mkdir()
    (target / "old.png").touch()
    with atomic_dir(target) as partial:
        (partial / "new.png").touch()
        assert names(target) == ["old.png"]
    assert names(target) == ["new.png"]
    assert names(tmp_path) == ["shard"]


def test_failed_directory_leaves_the_old_one(tmp_path):
    target = tmp_path / "shard"
    target.mkdir()
    (target / "old.png").touch()
    with pytest.raises(ValueError, match="stop"), atomic_dir(target) as partial:
        (partial / "new.png").touch()
        raise ValueError("stop")
    assert names(target) == ["old.png"]
    assert names(tmp_path) == ["shard"]


WRITE_AND_DIE = """
import os, sys
from pathlib import Path
from wsss_core.runtime.atomic import atomic_dir, atomic_file
folder = Path(sys.argv[1])
with atomic_file(folder / "x.npz") as file, atomic_dir(folder / "shard") as directory:
    file.touch()
    (directory / "stale.png").touch()
    os._exit(1)
"""


def test_leftovers_of_a_killed_process_are_cleared(tmp_path):
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, tmp_path], check=False)
    assert len(names(tmp_path)) == 2
    with atomic_dir(tmp_path / "shard") as partial:
        assert names(partial) == []
    with atomic_file(tmp_path / "x.npz") as partial:
        partial.touch()
    assert names(tmp_path) == ["shard", "x.npz"]


def test_processes_that_write_one_file_do_not_meet(tmp_path):
    """Each commits its own content, whole; what another one is writing is left alone."""
    target = tmp_path / "x.txt"
    write = (
        "import sys; from pathlib import Path; from wsss_core.runtime.atomic import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as partial: partial.write_text('theirs')"
    )
    with atomic_file(target) as partial:
        partial.write_text("ours")
        subprocess.run([sys.executable, "-c", write, target], check=True)
        assert target.read_text() == "theirs"
        assert partial.read_text() == "ours"
    assert target.read_text() == "ours"
    assert names(tmp_path) == ["x.txt"]


def test_staging_dir_goes_and_leaves_the_target_alone(tmp_path):
    target = tmp_path / "data"
    with staging_dir(target) as staging:
        (staging / "x").touch()
    assert not staging.exists()
    assert not target.exists()


@pytest.mark.parametrize("kind", ["missing", "file", "directory", "link"])
def test_move_into_place_replaces_anything(tmp_path, kind):
    source, target, elsewhere = tmp_path / "source", tmp_path / "target", tmp_path / "elsewhere"
    source.mkdir()
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    if kind == "file":
        target.touch()
        source.rmdir()
        source.write_text("new")
    elif kind == "directory":
        target.mkdir()
        (target / "old").touch()
    elif kind == "link":
        target.symlink_to(elsewhere)
        source.rmdir()
        source.write_text("new")
    move_into_place(source, target)
    assert not source.exists()
    assert not target.is_symlink()
    assert names(elsewhere) == ["kept"]
    assert target.read_text() == "new" if target.is_file() else names(target) == []


def fault(number, filename=None):
    return OSError(number, os.strerror(number), filename)


@pytest.mark.parametrize("writes", [atomic_file, atomic_dir])
@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "No space left on device; expected more room"),
        (errno.EDQUOT, "Disk quota exceeded; expected more room"),
        (errno.EROFS, "Read-only file system; expected a directory that can be written"),
    ],
)
def test_a_disk_that_cannot_be_written_is_told_in_one_line(tmp_path, writes, number, told):
    target = tmp_path / "x"
    with pytest.raises(UserError, match=f"^{target}: {told}"), writes(target):
        raise fault(number)
    assert names(tmp_path) == []


def test_a_directory_without_permission_is_told_in_one_line(tmp_path):
    target = tmp_path / "results" / "x"
    expected = f"^{target}: Permission denied; expected a directory that can be written"
    with pytest.raises(UserError, match=expected), atomic_file(target):
        raise fault(errno.EACCES, str(tmp_path / "results"))


def test_an_input_that_may_not_be_read_is_another_matter(tmp_path):
    with pytest.raises(PermissionError), atomic_file(tmp_path / "results" / "x"):
        raise fault(errno.EACCES, str(tmp_path / "images" / "a.jpg"))


def test_what_torch_makes_of_a_full_disk_is_told_alike(tmp_path):
    class Full:
        def write(self, content):
            raise fault(errno.ENOSPC)

        def flush(self):
            pass

    with pytest.raises(UserError, match="No space left"), atomic_file(tmp_path / "x"):
        torch.save(torch.zeros(100), Full())
    with pytest.raises(RuntimeError, match="^else$"), atomic_file(tmp_path / "x"):
        raise RuntimeError("else")
