"""The lists of packages agree with each other."""

import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.workflow.running import PARTS

PROJECT = Path(__file__).parents[2]


def requirements(name: str) -> dict[str, Requirement]:
    lines = [line.split(" #")[0].strip() for line in (PROJECT / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def pinned(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_lock_pins_what_is_asked_for():
    lock = requirements("requirements.txt")
    for name, requirement in requirements("requirements.in").items():
        assert requirement.specifier.contains(pinned(lock[name])), name


def test_lock_leaves_the_cuda_build_to_torch():
    names = requirements("requirements.txt")
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_conda_environment_has_the_versions_of_the_lock():
    lock = requirements("requirements.txt")
    environment = yaml.safe_load((PROJECT / "envs/wsss.yaml").read_text())
    packages = environment["dependencies"][-1]["pip"]
    assert len(packages) > 10
    for package in map(Requirement, packages):
        assert pinned(package) == pinned(lock[canonicalize_name(package.name)])


def container_lines(instruction: str) -> list[list[str]]:
    """Arguments of each such instruction of the container definition."""
    text = (PROJECT / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines()]
    return [words[1:] for words in lines if words[:1] == [instruction]]


def test_the_container_is_made_from_the_lock_by_a_python_that_fits():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    ((base,),) = container_lines("FROM")
    version = base.removeprefix("python:").split("-")[0]
    assert SpecifierSet(project["requires-python"]).contains(version)
    environment = yaml.safe_load((PROJECT / "envs/wsss.yaml").read_text())
    (conda,) = [x for x in environment["dependencies"] if str(x).startswith("python ")]
    assert conda.removeprefix("python ") == project["requires-python"]
    installed = [words for words in container_lines("RUN") if words[:2] == ["pip", "install"]]
    assert installed[0][-2:] == ["--requirement", "requirements.txt"]


def test_the_container_has_all_that_the_workflow_is_made_of():
    copied = {source for words in container_lines("COPY") for source in words[:-1]}
    assert set(PARTS) <= copied
    assert all((PROJECT / source).exists() for source in copied)
    allowed = {
        line.removeprefix("!")
        for line in (PROJECT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert allowed == copied
