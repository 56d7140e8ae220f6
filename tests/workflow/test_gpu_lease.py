"""Tests of GPU locks; the names of GPUs that do not exist are enough for locks."""

import fcntl
import itertools
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.workflow.running import PROJECT
from wsss_core.runtime.errors import UserError
from wsss_core.workflow.gpu_lease import lease, lock_directory, visible_gpus

FOUR = ["0", "1", "2", "3"]
# A job: writes its GPUs, when it began and when it ended.
JOB = """
import os, sys, time
begin = time.monotonic()
time.sleep(float(sys.argv[1]))
print(os.environ["CUDA_VISIBLE_DEVICES"], begin, time.monotonic())
"""


def start(count, *command, tmp_path, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CUDA_", "SLURM_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "wsss_core.workflow.gpu_lease", str(count), *command],
        cwd=PROJECT,
        env=environment | {"TMPDIR": str(tmp_path)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(count, *command, tmp_path, **variables):
    process = start(count, *command, tmp_path=tmp_path, **variables)
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def test_jobs_at_the_same_time_have_distinct_gpus_and_all_are_used(tmp_path):
    """Eight jobs of one GPU and two of two, all started at once, on four."""

    def job(count):
        command = (sys.executable, "-c", JOB, "0.4")
        variables = {"CUDA_VISIBLE_DEVICES": ",".join(FOUR)}
        code, stdout, stderr = run(count, *command, tmp_path=tmp_path, **variables)
        assert code == 0, stderr
        gpus, begin, end = stdout.split()
        return gpus.split(","), float(begin), float(end)

    counts = [1, 1, 2, 1, 1, 1, 2, 1, 1, 1]
    with ThreadPoolExecutor(len(counts)) as pool:
        jobs = list(pool.map(job, counts))
    assert [len(gpus) for gpus, _, _ in jobs] == counts
    for (gpus, begin, end), (others, other_begin, other_end) in itertools.combinations(jobs, 2):
        if begin < other_end and other_begin < end:
            assert not set(gpus) & set(others)
    assert {gpu for gpus, _, _ in jobs for gpu in gpus} == set(FOUR)


def test_a_killed_job_frees_its_gpu(tmp_path):
    variables = {"CUDA_VISIBLE_DEVICES": "7"}
    killed = start(1, "sleep", "60", tmp_path=tmp_path, **variables)
    lock = tmp_path / "wsss-gpu-locks" / "7.lock"
    deadline = time.monotonic() + 20
    while not lock.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    waiting = start(1, "true", tmp_path=tmp_path, **variables)
    assert waiting.stderr.readline() == "waiting until 1 of the GPUs 7 are free\n"
    assert waiting.poll() is None
    killed.kill()
    killed.communicate()
    assert waiting.communicate(timeout=20) and waiting.returncode == 0


def test_the_command_takes_the_process_over(tmp_path):
    shell = ("bash", "-c", "echo $$ $CUDA_VISIBLE_DEVICES; exit 7")
    process = start(2, *shell, tmp_path=tmp_path, CUDA_VISIBLE_DEVICES="GPU-a, GPU-b,GPU-c")
    stdout, _ = process.communicate(timeout=20)
    assert stdout == f"{process.pid} GPU-a,GPU-b\n"
    assert process.returncode == 7


def test_no_gpu_hides_those_there_are(tmp_path):
    shell = ("bash", "-c", 'echo "<$CUDA_VISIBLE_DEVICES>"')
    assert run(0, *shell, tmp_path=tmp_path, CUDA_VISIBLE_DEVICES="0")[:2] == (0, "<>\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [2, 3])
def test_a_slurm_job_keeps_the_gpus_that_it_asked_for(tmp_path, count):
    shell = ("bash", "-c", "echo $CUDA_VISIBLE_DEVICES")
    variables = {"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": "2,3"}
    assert run(count, *shell, tmp_path=tmp_path, **variables)[:2] == (0, "2,3\n")
    assert list(tmp_path.iterdir()) == []


def test_jobs_of_one_slurm_allocation_share_its_gpus(tmp_path):
    """As after `salloc --gres=gpu:4`, with a Snakemake inside."""

    def job(number):
        command = (sys.executable, "-c", JOB, "1")
        variables = {"SLURM_JOB_ID": number, "CUDA_VISIBLE_DEVICES": ",".join(FOUR)}
        code, stdout, stderr = run(1, *command, tmp_path=tmp_path, **variables)
        assert code == 0, stderr
        return stdout.split()[0]

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(job, ["7"] * 4)) == FOUR
    assert job("8") == "0"  # another allocation has other GPUs, whatever their numbers
    folders = sorted(tmp_path.iterdir())
    assert [path.name for path in folders] == [f"wsss-gpu-locks-{os.getuid()}-{n}" for n in "78"]
    assert {path.stat().st_mode & 0o7777 for path in folders} == {0o700}


@pytest.mark.parametrize("slurm_job", [None, "7"])
def test_locks_follow_no_link(tmp_path, slurm_job):
    """Another user may have put it there, to have files made elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    directory = lock_directory(tmp_path, slurm_job)
    (directory / "0.lock").symlink_to(elsewhere / "new")
    with pytest.raises(OSError, match="symbolic links"):
        lease(["0"], 1, directory=directory)
    (directory / "0.lock").unlink()
    directory.rmdir()
    directory.symlink_to(elsewhere)
    with pytest.raises(UserError, match=r"wsss-gpu-locks.*: cannot be used for GPU locks; expect"):
        lock_directory(tmp_path, slurm_job)
    assert list(elsewhere.iterdir()) == []


def test_more_gpus_than_there_are_is_told_in_one_line(tmp_path):
    code, _, stderr = run(4, "true", tmp_path=tmp_path, CUDA_VISIBLE_DEVICES="0")
    expected = "the job asks for 4 GPUs; expected at most 1, the number that this machine has"
    assert (code, stderr) == (1, f"error: {expected}: --resources gpu=1\n")
    with pytest.raises(UserError, match="asks for 1 GPUs; expected at most 0"):
        lease([], 1, directory=tmp_path)


def test_all_gpus_of_the_machine_count_unless_some_are_chosen(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'\necho '  MIG'\necho 'GPU 1: A'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["0", "1"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert visible_gpus() == []
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-f00")
    assert visible_gpus() == ["3", "GPU-f00"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_locks_are_for_every_user_and_named_by_their_gpu(tmp_path):
    directory = lock_directory(tmp_path, None)
    assert lease(["MIG-GPU-x/1/2", "1"], 2, directory=directory) == ["MIG-GPU-x/1/2", "1"]
    assert {path.name for path in directory.iterdir()} == {"MIG-GPU-x-1-2.lock", "1.lock"}
    assert directory.stat().st_mode & 0o7777 == 0o1777
    for path in directory.iterdir():
        with path.open() as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


SEES = "import torch; print(torch.cuda.device_count(), torch.ones(1, device='cuda').device)"


@pytest.mark.gpu
def test_a_job_computes_on_the_gpus_that_it_has_and_sees_no_others(tmp_path):
    gpus = visible_gpus()
    assert len(gpus) == torch.cuda.device_count()
    command, variables = (sys.executable, "-c", SEES), {"CUDA_VISIBLE_DEVICES": ",".join(gpus)}
    for count in {1, len(gpus)}:
        code, stdout, stderr = run(count, *command, tmp_path=tmp_path, **variables)
        assert (code, stdout) == (0, f"{count} cuda:0\n"), stderr
    code, _, stderr = run(0, *command, tmp_path=tmp_path, **variables)
    assert code != 0 and "CUDA" in stderr


@pytest.mark.gpu
def test_jobs_on_one_gpu_take_turns(tmp_path):
    """However many this machine has, both are given the same one."""
    variables = {"CUDA_VISIBLE_DEVICES": visible_gpus()[0]}
    job = f"{JOB}\n{SEES}"
    command = (sys.executable, "-c", job, "1")
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: run(1, *command, tmp_path=tmp_path, **variables), "ab"))
    spans = []
    for code, stdout, stderr in results:
        assert code == 0, stderr
        told, seen = stdout.splitlines()
        assert seen == "1 cuda:0"
        spans.append([float(word) for word in told.split()[1:]])
    (_, first_end), (second_begin, _) = sorted(spans)
    assert first_end <= second_begin
