"""The lists of packages agree with each other."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tests.workflow.running import PARTS

PROJECT = Path(__file__).parents[2]


def asked_for() -> dict[str, Requirement]:
    """What pyproject.toml and its extras require."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return by_name(line for lines in lists for line in lines)


def locked() -> dict[str, Requirement]:
    """What requirements.txt pins."""
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    return by_name(line for line in lines if not line.startswith("#"))


def by_name(lines: Iterable[str]) -> dict[str, Requirement]:
    return {canonicalize_name(found.name): found for found in map(Requirement, lines)}


def pinned(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_lock_pins_what_is_asked_for():
    lock = locked()
    for name, requirement in asked_for().items():
        assert requirement.specifier.contains(pinned(lock[name])), name


def test_lock_leaves_the_cuda_build_to_torch():
    names = locked()
    assert not [name for name in names if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_conda_environment_has_the_versions_of_the_lock():
    lock = locked()
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
