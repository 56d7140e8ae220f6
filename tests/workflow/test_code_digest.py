"""Digests of code: what changes them and what does not."""

from pathlib import Path

import pytest

from wsss_core.workflow.code_digest import PROJECT, closure, code_digest

SCRIPT = "workflow_scripts/train.py"
FILES = {
    SCRIPT: """
        '''Trains.'''
        from wsss_core.stages.train import train
        train(steps=3)
    """,
    "wsss_core/__init__.py": "",
    "wsss_core/stages/__init__.py": "",
    "wsss_core/stages/train.py": """
        '''The loop.'''
        from typing import TYPE_CHECKING
        import numpy as np
        from .. import losses
        if TYPE_CHECKING:
            from wsss_core import figures
        def train(steps):
            '''Runs it.'''
            # as often as asked
            return losses.loss(np.zeros(steps))
    """,
    "wsss_core/losses.py": """
        def loss(x):
            return x + 1
    """,
    "wsss_core/figures.py": "WIDTH = 1",
}


def write(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").split("\n")
        indent = len(lines[0]) - len(lines[0].lstrip())
        path.write_text("\n".join(line[indent:] for line in lines))


def digest_with(directory: Path, changes: dict[str, str]) -> str:
    """Digest of the script in a fresh project of FILES, some of them replaced."""
    write(directory, FILES | changes)
    return code_digest(SCRIPT, project=directory)


@pytest.fixture
def unchanged(tmp_path):
    return digest_with(tmp_path / "unchanged", {})


def test_closure_follows_absolute_and_relative_imports_and_parents(tmp_path):
    write(tmp_path, FILES)
    assert [path.as_posix() for path in closure(SCRIPT, project=tmp_path)] == [
        SCRIPT,
        "wsss_core/__init__.py",
        "wsss_core/losses.py",
        "wsss_core/stages/__init__.py",
        "wsss_core/stages/train.py",
    ]


def replaced(name: str, old: str, new: str) -> dict[str, str]:
    assert FILES[name].count(old) == 1
    return {name: FILES[name].replace(old, new)}


@pytest.mark.parametrize(
    "change",
    [
        replaced("wsss_core/losses.py", "x + 1", "x+1   # plus one"),
        replaced("wsss_core/losses.py", "x + 1", "(x\n            + 1)"),
        replaced("wsss_core/stages/train.py", "as often as asked", "another comment"),
        replaced("wsss_core/stages/train.py", "Runs it.", "Another docstring."),
        replaced("wsss_core/stages/train.py", "The loop.", "Another docstring."),
        replaced("wsss_core/figures.py", "1", "2"),
        {"wsss_core/unused.py": "X = 1"},
    ],
)
def test_digest_ignores_what_does_not_run(tmp_path, unchanged, change):
    assert digest_with(tmp_path / "changed", change) == unchanged


@pytest.mark.parametrize(
    "change",
    [
        replaced("wsss_core/losses.py", "x + 1", "x + 2"),
        replaced("wsss_core/losses.py", "x + 1", "1 + x"),
        replaced("wsss_core/losses.py", "x + 1", "x"),
        replaced(SCRIPT, "steps=3", "steps=None"),
        replaced(SCRIPT, "steps=3", ""),
        {"wsss_core/__init__.py": "import os"},
        replaced("wsss_core/stages/train.py", "import numpy", "import wsss_core.figures, numpy"),
    ],
)
def test_digest_follows_what_runs(tmp_path, unchanged, change):
    assert digest_with(tmp_path / "changed", change) != unchanged


def test_help_texts_and_descriptions_are_documentation(tmp_path):
    def digest(directory: str, text: str) -> str:
        return digest_with(tmp_path / directory, {"wsss_core/losses.py": text})

    first = digest("a", "X = field(1, description='one')")
    assert digest("b", "X = field(1, description='two')") == first
    assert digest("c", "X = field(2, description='one')") != first


def test_digest_does_not_depend_on_place_or_time(tmp_path, unchanged):
    elsewhere = tmp_path / "somewhere" / "else"
    assert digest_with(elsewhere, {}) == unchanged
    (elsewhere / SCRIPT).touch()
    assert len(unchanged) == 16


def test_nothing_is_imported_in_a_way_that_the_digest_cannot_see():
    sources = [*PROJECT.glob("wsss_core/**/*.py"), *PROJECT.glob("workflow_scripts/*.py")]
    assert sources
    for path in sources:
        # Versions of what is installed are no code.
        text = path.read_text().replace("from importlib import metadata\n", "")
        hidden = [word for word in ("importlib", "__import__", "exec(", 'eval("') if word in text]
        assert not hidden, f"{path}: {hidden}"


def test_packages_import_nothing_by_themselves():
    """A package that imports its modules would make every stage depend on all of them."""
    for path in PROJECT.glob("wsss_core/**/__init__.py"):
        assert path.read_text() == "", path
