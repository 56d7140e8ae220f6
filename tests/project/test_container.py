"""Each line of the Containerfile, as far as it can be checked without building the image."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.workflow.running import PARTS, PROJECT, job_counts

TEXT = (PROJECT / "Containerfile").read_text()
KNOWN = {"FROM", "RUN", "WORKDIR", "COPY", "ENTRYPOINT", "CMD"}
# What the dry run of a build without network says, in words of pip and of requests.
UNREACHABLE = (
    "Failed to establish a new connection",
    "Temporary failure",
    "timed out",
    "Max retries",
)


def instructions() -> list[tuple[str, str]]:
    """Name and arguments of each instruction, its lines joined."""
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined)]


def arguments(instruction: str) -> list[str]:
    return [rest for name, rest in instructions() if name == instruction]


def copied() -> set[str]:
    return {source for rest in arguments("COPY") for source in rest.split()[:-1]}


def pip_commands() -> list[list[str]]:
    return [shlex.split(rest)[1:] for rest in arguments("RUN") if rest.startswith("pip ")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of the image, with what its COPY lines put there and nothing else."""
    root = tmp_path_factory.mktemp("image")
    here = root
    for name, rest in instructions():
        if name == "WORKDIR":
            here = root / rest.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
        if name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copy(PROJECT / source, here / target)
    return root


def copy(source: Path, target: Path) -> None:
    """As COPY: a folder's content, or a file, into a folder where the target is one."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_there_are_no_other_instructions() -> None:
    assert {name for name, _ in instructions()} == KNOWN


def test_the_base_image_has_a_python_that_fits() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    (base,) = arguments("FROM")
    name, _, tag = base.partition(":")
    assert name == "python"
    assert SpecifierSet(project["requires-python"]).contains(tag.split("-")[0])
    assert tag.endswith("-slim-bookworm")  # the Debian whose packages are looked up below


def test_it_copies_all_that_the_workflow_is_made_of() -> None:
    assert set(PARTS) <= copied()
    assert [source for source in copied() if not (PROJECT / source).exists()] == []
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied()


def test_python_packages_are_those_of_the_lock() -> None:
    lock, package = pip_commands()
    assert lock == ["install", "--no-cache-dir", "--requirement", "requirements.txt"]
    assert package[0] == "install" and package[-2:] == ["--editable", "."]
    # So that nothing comes in beside the lock, not even what builds the package.
    assert {"--no-deps", "--no-build-isolation"} <= set(package)
    backend = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]
    assert backend["build-backend"].partition(".")[0] == "setuptools"


def test_the_package_can_be_installed_from_what_is_copied(image: Path, tmp_path: Path) -> None:
    """Its metadata names the README and the licences."""
    code = f"import setuptools.build_meta as b; b.prepare_metadata_for_build_editable('{tmp_path}')"
    folder = image / "opt/wsss"
    run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (info,) = tmp_path.glob("*.dist-info")
    assert "wsss = wsss_core.cli.main:main" in (info / "entry_points.txt").read_text()


def start(image: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a container with these arguments starts, with the interpreter of the tests."""
    program, *options = json.loads(arguments("ENTRYPOINT")[0])
    assert program == "snakemake"
    options = [f"{image}{word}" if word.startswith("/") else word for word in options]
    return subprocess.run(
        [sys.executable, "-m", program, *options, *words],
        cwd=f"{image}{arguments('WORKDIR')[-1]}",
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )


def test_without_arguments_it_explains_itself(image: Path) -> None:
    run = start(image, *json.loads(arguments("CMD")[0]))
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("usage: ") and "--configfile" in run.stdout


@pytest.mark.parametrize(
    "config", [[], ["--configfile", "configs/demo.yaml"]], ids=["paper", "demo"]
)
def test_what_is_copied_is_enough_to_plan_a_run(image: Path, config: list[str]) -> None:
    """In a mounted folder that has nothing; configs of the project are named by their place."""
    words = [f"{image}/opt/wsss/{word}" if "/" in word else word for word in config]
    run = start(image, *words, "--dry-run")
    assert run.returncode == 0, run.stdout + run.stderr
    assert {"train_segmenter", "report_page"} <= set(job_counts(run))


def test_debian_has_the_system_packages() -> None:
    (words,) = (rest for rest in arguments("RUN") if rest.startswith("apt-get"))
    (install,) = (part for part in words.split(" && ") if part.startswith("apt-get install"))
    names = [word for word in install.split()[2:] if not word.startswith("-")]
    assert names == ["g++", "procps"]
    if shutil.which("apt-cache") is None:
        pytest.skip("there is no apt-cache here")
    command = ["apt-cache", "policy", *names]
    told = subprocess.run(command, capture_output=True, text=True).stdout
    if "Candidate" not in told:
        pytest.skip("apt-cache has no list of packages")
    for name in names:
        assert f"{name}:\n" in told and "Candidate: (none)" not in told


@pytest.mark.slow
def test_the_registry_has_each_version_of_the_lock(tmp_path: Path) -> None:
    """As pip of the image would look them up, and without installing anything."""
    command = ["install", "--dry-run", "--ignore-installed", "--no-deps"]
    lock = PROJECT / "requirements.txt"
    run = subprocess.run(
        [sys.executable, "-m", "pip", *command, "--requirement", lock],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    if any(words in run.stderr + run.stdout for words in UNREACHABLE):
        pytest.skip("pip reaches no registry here")
    assert run.returncode == 0, run.stderr[-2000:]
    (found,) = (line for line in run.stdout.splitlines() if line.startswith("Would install"))
    pinned = [line for line in lock.read_text().splitlines() if "==" in line]
    assert len(found.split()[2:]) == len(pinned)
