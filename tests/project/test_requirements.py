"""Tests that the lists of packages agree with each other."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wsss_core.workflow import code_digest

PROJECT = Path(__file__).parents[2]
ENVIRONMENTS = sorted(path.stem for path in (PROJECT / "envs").iterdir())
# What comes with another package of ours, and what another one imports only where it is asked to.
COME_BY_THEMSELVES = {"pydantic-core"}
INSTALLED = packages_distributions()
ASKED_FOR = {"torch.utils.tensorboard": "tensorboard"}


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


def environment_packages(name: str) -> dict[str, Requirement]:
    """What pip installs in an environment of conda."""
    environment = yaml.safe_load((PROJECT / f"envs/{name}.yaml").read_text())
    found = map(Requirement, environment["dependencies"][-1]["pip"])
    return {canonicalize_name(package.name): package for package in found}


def programs_of(environment: str) -> list[str]:
    """Programs of the rules that name an environment."""
    rules = "".join(path.read_text() for path in sorted((PROJECT / "rules").glob("*.smk")))
    pairs = re.findall(r'"\.\./envs/(\w+)\.yaml"|python -m workflow_scripts\.(\w+)', rules)
    named = zip(pairs[::2], pairs[1::2], strict=True)
    return sorted({program for (name, _), (_, program) in named if name == environment})


def imported_names(tree: ast.AST) -> set[str]:
    """Modules that a file imports when it runs."""
    names: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
        names |= imported_names(node)
    return names


def packages_imported(program: str, monkeypatch) -> set[str]:
    """What has to be installed for a program, whatever kind of method it trains."""
    monkeypatch.setattr(code_digest, "CANNOT_CHANGE_RESULTS", {})
    kinds = [str(path) for path in PROJECT.glob("wsss_core/methods/*.py")]
    files = code_digest.closure(
        f"workflow_scripts/{program}.py",
        modules=kinds if program in ("train_classifier", "infer_cam") else (),
    )
    names = set().union(*(imported_names(ast.parse((PROJECT / f).read_text())) for f in files))
    ours = {"wsss_core", "workflow_scripts", *sys.stdlib_module_names}
    roots = {name.partition(".")[0] for name in names} - ours
    packages = {INSTALLED[root][0] for root in roots}
    packages |= {ASKED_FOR[name] for name in names & set(ASKED_FOR)}
    return set(map(canonicalize_name, packages)) - COME_BY_THEMSELVES


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_have_the_versions_of_the_lock(name):
    lock = locked()
    for package, requirement in environment_packages(name).items():
        assert pinned(requirement) == pinned(lock[package])


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_have_what_their_programs_import_and_no_more(name, monkeypatch):
    """So that a package of figures has no part in what a training's environment is."""
    programs = programs_of(name)
    assert programs
    needed = set().union(*(packages_imported(program, monkeypatch) for program in programs))
    assert set(environment_packages(name)) == needed


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_conda_environments_have_a_python_that_the_package_supports(name):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((PROJECT / f"envs/{name}.yaml").read_text())
    (python,) = [x for x in environment["dependencies"] if str(x).startswith("python ")]
    assert python.removeprefix("python ") == project["requires-python"]
