import gc
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from wsss_core.runtime.errors import UserError, name_some, run_command, validation_message


class Inner(BaseModel):
    size: int = 1


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c", "d"], "a, b and 2 more")],
)
def test_name_some_writes_the_first_names(names, expected):
    assert name_some(names, limit=2) == expected


def test_user_error_is_one_line_and_status_1(capsys):
    def main():
        raise UserError("labels.csv line 3\n is wrong")

    with pytest.raises(SystemExit) as exit_:
        run_command(main)
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "error: labels.csv line 3 is wrong\n"


def test_bad_config_names_every_key(capsys):
    def main():
        Section.model_validate_json('{"inner": {"size": "big"}, "outer": 1}')

    with pytest.raises(SystemExit):
        run_command(main)
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "Section: inner.size: Input should be a valid integer" in message
    assert "(got 'big')" in message
    assert "outer: Extra inputs are not permitted" in message


def test_validation_message_of_bad_json_has_no_key():
    with pytest.raises(ValueError, match="JSON") as error:
        Section.model_validate_json("{")
    assert validation_message(error.value).startswith("Section: Invalid JSON")


def test_other_errors_keep_their_traceback():
    def main():
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run_command(main)


def test_sigterm_runs_cleanup():
    program = """
import os, signal
from wsss_core.runtime.errors import run_command
def main():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.write(1, b"cleaned")
run_command(main)
"""
    env = {**os.environ, "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True)
    assert done.stdout == b"cleaned"
    assert done.returncode == 128 + signal.SIGTERM


KILLED_IN_POOL = """
import os, signal
from wsss_core.runtime.errors import run_command
from wsss_core.runtime.parallel_map import parallel_map
def die(_):
    os.kill(os.getpid(), signal.SIGKILL)
def main():
    for _ in parallel_map(die, [0], processes=1):
        pass
if __name__ == "__main__":
    run_command(main)
"""
KILLED_READER = """
import os, signal
from torch.utils.data import DataLoader, Dataset
from wsss_core.runtime.errors import run_command
class Deadly(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)
def main():
    for _ in DataLoader(Deadly(), num_workers=1):
        pass
if __name__ == "__main__":
    run_command(main)
"""


def run_python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.mark.parametrize("program", [KILLED_IN_POOL, KILLED_READER])
def test_a_process_that_was_killed_is_told_in_one_line(tmp_path, program):
    script = tmp_path / "program.py"
    script.write_text(program)
    run = run_python(script)
    assert run.returncode == 1
    assert run.stderr.startswith("error: a process of this job was killed"), run.stderr
    assert run.stderr.count("\n") == 1


IMPORTED_WITHOUT_COLLECTION = """
import gc, sys
sys.argv[0] = "-m"
import workflow_scripts
assert not gc.isenabled()
from wsss_core.runtime.errors import run_command
run_command(lambda: print(gc.isenabled(), gc.get_freeze_count() > 1000))
"""


def test_what_a_program_imports_is_left_out_of_garbage_collection():
    run = run_python("-c", IMPORTED_WITHOUT_COLLECTION)
    assert run.stdout == "True True\n", run.stderr


def test_who_only_imports_programs_keeps_garbage_collection():
    assert importlib.import_module("workflow_scripts").__doc__
    assert gc.isenabled()
