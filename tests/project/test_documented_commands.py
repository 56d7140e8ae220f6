"""Tests of every command on a page: checked here, run by a named test, or marked `# untried`."""

import re
import shlex
from importlib.util import find_spec

import pytest

from tests.prepare.forms.pictures import write_picture
from tests.workflow.running import PROJECT, copy_project, snakemake
from wsss_core.cli import check, export, predict, verify

PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
]
COMMAND = re.compile(
    r"^ {4,8}((?:\.venv/bin/|make |git |cd |pip |docker |apptainer |snakemake |python |wsss )"
    r"(?:.*\\\n)*.*)$",
    re.MULTILINE,
)
UNTRIED = "# untried"
# Targets that neither .ci/run calls nor a test here, and where their commands are run.
MAKE_RUN_BY = {
    ".venv/requirements-installed": ".ci/run",  # all its targets need it
    "demo": "tests/workflow/test_run.py",
    "prune": "tests/training/test_prune.py",
    "schema": "tests/methods/test_schema.py",
}
PARSERS = {
    "check": check.parse,
    "export": export.parse,
    "predict": predict.parse,
    "verify": verify.parse,
}


def documented():
    """Each command by the page it is on, once, its lines joined; those that are untried aside."""
    found = {}
    for page in PAGES:
        for text in COMMAND.findall(page.read_text()):
            if UNTRIED not in text:
                words = tuple(shlex.split(text.replace("\\\n", ""), comments=True))
                found.setdefault(words, page.name)
    return found


DOCUMENTED = documented()


def of(program):
    return [words for words in DOCUMENTED if words[0] == program]


def test_every_command_is_of_a_kind_that_is_tested():
    programs = (".venv/bin/snakemake", ".venv/bin/wsss", ".venv/bin/python", "make", "cd")
    formatters = (".venv/bin/ruff", ".venv/bin/snakefmt")
    odd = [w for w in DOCUMENTED if w[0] not in (*programs, *formatters)]
    assert odd == [], "commands that no test can run are marked `# untried` on their page"
    assert len(of(".venv/bin/snakemake")) > 8 and len(of(".venv/bin/wsss")) > 2


def test_targets_of_make_exist_and_are_run():
    makefile = (PROJECT / "Makefile").read_text()
    ci = re.findall(r"^make (\S+)$", (PROJECT / ".ci/run").read_text(), re.M)
    for words in of("make"):
        target = words[1]
        assert f"\n{target}:" in makefile.replace("$(READY):", ".venv/requirements-installed:")
        assert target in ci or (PROJECT / MAKE_RUN_BY[target]).is_file(), words


@pytest.mark.parametrize("words", of(".venv/bin/wsss"), ids=" ".join)
def test_wsss_accepts_the_command(words):
    if words[1] != "--version":
        PARSERS[words[1]](words[2:])


def test_modules_that_are_called_exist():
    for _, option, module, *_ in of(".venv/bin/python"):
        assert option == "-c" or find_spec(module), module


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the workflow with the files that the pages let their readers write."""
    root = copy_project(tmp_path_factory.mktemp("pages") / "wsss")
    (root / "my_ideas").mkdir()
    blocks = {
        ("your-method.md", "python"): "my_ideas/entropy.py",
        ("your-method.md", "yaml"): "mine.yaml",
        ("your-data.md", "yaml"): "configs/pets.yaml",
        ("demo.md", "yaml"): "wide.yaml",
    }
    for (page, language), target in blocks.items():
        text = (PROJECT / "docs" / page).read_text()
        (root / target).write_text(re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)[0])
    pets = root / "data/pets"
    pets.mkdir(parents=True)
    for number in range(3):
        write_picture(pets / "images" / f"{number}.jpg")
    (pets / "labels.csv").write_text("image,tags\n0,cat\n1,dog\n2,cat;dog\n")
    return root


PLANS = dict.fromkeys(
    tuple(word for word in words[1:] if word != "--dry-run") for words in of(".venv/bin/snakemake")
)


@pytest.mark.slow
@pytest.mark.parametrize("words", PLANS, ids=" ".join)
def test_snakemake_plans_the_command(words, project):
    """What it would run is run by other tests, on smaller data."""
    plan = [] if "--unlock" in words else ["--dry-run"]
    run = snakemake(*plan, *words, directory=project, project=project)
    assert run.returncode == 0, (run.stdout + run.stderr)[-3000:]
