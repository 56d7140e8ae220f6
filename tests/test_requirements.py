"""The lists of packages agree with each other."""

from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent


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
