"""Tests of code digests: which changes affect them, and which do not."""

import ast
import shutil
from pathlib import Path

import pytest

from wsss_core.workflow.code_digest import (
    CANNOT_CHANGE_RESULTS,
    PROJECT,
    _imported_files,
    closure,
    code_digest,
)

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
    sources = {*PROJECT.glob("wsss_core/**/*.py"), *PROJECT.glob("workflow_scripts/*.py")}
    finds_kinds = PROJECT / "wsss_core/methods/kinds.py"  # digests are told which: `modules`
    assert finds_kinds in sources
    for path in sources - {finds_kinds}:
        # Versions of what is installed are no code.
        text = path.read_text().replace("from importlib import metadata\n", "")
        hidden = [word for word in ("importlib", "__import__", "exec(", 'eval("') if word in text]
        assert not hidden, f"{path}: {hidden}"


def test_packages_import_nothing_by_themselves():
    """A package that imports its modules would make every stage depend on all of them.

    That of `predict` does: it is what people import from Python, and no stage uses it.
    """
    for path in PROJECT.glob("wsss_core/**/__init__.py"):
        assert path.read_text() == "" or path.parent.name == "predict", path


PROGRAMS = [path.relative_to(PROJECT) for path in PROJECT.glob("workflow_scripts/[a-z]*.py")]


def digests_with(directory: Path, texts: dict[str, str]) -> dict[Path, str]:
    """Digest of each program in a copy of the project with other texts of some modules."""
    for folder in ("wsss_core", "workflow_scripts"):
        shutil.copytree(
            PROJECT / folder, directory / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    for module, text in texts.items():
        (directory / module).write_text(text)
    return {program: code_digest(program, project=directory) for program in PROGRAMS}


def with_other_texts(source: str) -> str:
    """A module with a line more, and another text in place of each, such as messages."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value += " of another wording"
    return f"{ast.unparse(tree)}\nUNUSED = 1\n"


def test_what_cannot_change_a_result_is_in_no_digest(tmp_path):
    """All of it is changed at once: a digest that depends on one of them would change."""
    texts = {
        module: with_other_texts((PROJECT / module).read_text()) for module in CANNOT_CHANGE_RESULTS
    }
    assert digests_with(tmp_path, texts) == {p: code_digest(p) for p in PROGRAMS}


@pytest.mark.parametrize("name", ["atomic", "devices", "parallel_map"])
def test_what_writes_formats_or_chooses_devices_and_orders_is_in_digests(tmp_path, name):
    module = f"wsss_core/runtime/{name}.py"
    text = (PROJECT / module).read_text() + "\nUNUSED = 1\n"
    changed = digests_with(tmp_path, {module: text})
    importers = [program for program in PROGRAMS if Path(module) in closure(program)]
    assert importers
    assert [p for p in PROGRAMS if changed[p] != code_digest(p)] == importers


@pytest.mark.parametrize("module", CANNOT_CHANGE_RESULTS)
def test_each_exempted_file_has_a_reason_and_is_imported(module):
    assert CANNOT_CHANGE_RESULTS[module].strip()
    assert (PROJECT / module).is_file()
    files = {path for program in PROGRAMS for path in closure(program)}
    assert any(Path(module) in _imported_files(PROJECT, path) for path in files)


def test_what_only_an_exempted_file_imports_is_left_out_too(tmp_path):
    write(
        tmp_path,
        FILES
        | {
            "wsss_core/losses.py": """
                from wsss_core.runtime.progress import progress
                def loss(x):
                    return x + 1
            """,
            "wsss_core/runtime/__init__.py": "",
            "wsss_core/runtime/progress.py": "from wsss_core import figures",
        },
    )
    files = closure(SCRIPT, project=tmp_path)
    assert Path("wsss_core/losses.py") in files
    assert not {Path("wsss_core/runtime/progress.py"), Path("wsss_core/figures.py")} & {*files}


def test_a_module_of_the_user_is_part_of_the_digest_wherever_it_lies(tmp_path):
    """With what it imports from beside it and from the package."""

    def digest(place, text="X = 1", common="Y = 1"):
        folder = tmp_path / place / "ideas"
        folder.mkdir(parents=True)
        imports = "from ideas.common import Y\nfrom . import other\nimport wsss_core.ops.cam\n"
        (folder / "mine.py").write_text(imports + text)
        (folder / "common.py").write_text(common)
        (folder / "other.py").write_text("")
        module = str(folder / "mine.py")
        found = closure("workflow_scripts/infer_cam.py", modules=(module,))
        assert {folder / name for name in ("mine.py", "common.py", "other.py")} <= set(found)
        return code_digest("workflow_scripts/infer_cam.py", modules=(module,))

    first = digest("a")
    assert digest("moved") == first
    assert digest("changed", text="X = 2") != first
    assert digest("deeper", common="Y = 2") != first
    assert code_digest("workflow_scripts/infer_cam.py") != first


def test_a_loss_of_one_kind_is_no_part_of_another():
    modules = {
        kind: {
            path.as_posix()
            for path in closure(
                "workflow_scripts/train_classifier.py", modules=(f"wsss_core/methods/{kind}.py",)
            )
        }
        for kind in ("cam", "seam", "smoothing")
    }
    assert "wsss_core/losses/seam.py" not in modules["cam"]
    assert "wsss_core/losses/seam.py" in modules["seam"] & modules["smoothing"]
    assert "wsss_core/losses/smoothness.py" not in modules["cam"] | modules["seam"]
    assert "wsss_core/losses/smoothness.py" in modules["smoothing"]
