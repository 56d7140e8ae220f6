"""Tests of the folder structure: one folder per subject, imports only downwards, no flat files."""

import ast

import pytest

from tests.workflow.running import PROJECT

# From the top down: a room imports from rooms below it.
ROOMS = (
    "cli",
    "predict",
    "export",
    "layouts",
    "figures",
    "stages",
    "methods",
    "training",
    "pretrained",
    "models",
    "losses",
    "ops",
    "prepare",
    "download",
    "data",
    "workflow",
    "config",
    "runtime",
)
PACKAGE = PROJECT / "wsss_core"
SCRIPTS = sorted(PROJECT.glob("workflow_scripts/[a-z]*.py"))
# Programs whose work is done by a room other than stages, which it names.
ELSEWHERE = {
    "canny": "ops/canny",
    "download_archive": "download/archive",
    "export_cams": "layouts/cams",
    "export_seeds": "layouts/seam",
    "export_voc": "layouts/voc",
    "loss_curves": "figures/loss_curves",
    "obtain_weights": "pretrained/obtain",
    "paper_figure": "figures/paper/make_figure",
    "paper_table": "figures/paper/tables",
    "qualitative_results": "figures/qualitative_results",
    "report_page": "figures/report/page",
    "submission": "layouts/voc_submission",
    "unpack_archive": "download/unpack",
}


def imported_rooms(path):
    """Rooms that a file imports from when it runs, `if TYPE_CHECKING:` aside."""
    tree = ast.parse(path.read_text())
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    for node in ast.walk(tree):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in filter(None, names):
            first, *rest = name.split(".")
            if first == "wsss_core" and rest:
                yield rest[0]


def test_rooms_are_those_of_the_plan():
    found = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert found == set(ROOMS)
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_downwards(room):
    below = ROOMS[ROOMS.index(room) :]
    for path in (PACKAGE / room).rglob("*.py"):
        up = [name for name in imported_rooms(path) if name not in below]
        assert not up, f"{path.relative_to(PROJECT)} imports from {up}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_program_has_the_stage_of_its_name_or_says_where_else(script):
    place = ELSEWHERE.get(script.stem, f"stages/{script.stem}")
    module = PACKAGE / f"{place}.py"
    assert module.is_file()
    assert f"wsss_core.{place.replace('/', '.')} import" in script.read_text()


def test_training_programs_say_only_what_differs():
    for script in PROJECT.glob("workflow_scripts/train_*.py"):
        assert len(script.read_text().splitlines()) <= 45, script.name


def test_tests_lie_in_the_folders_of_what_they_test():
    flat = {path.name for path in (PROJECT / "tests").glob("*.py")}
    assert flat == {"conftest.py"}
    rooms = {path.name for path in (PROJECT / "tests").iterdir() if path.is_dir()}
    assert rooms - {"__pycache__"} <= {*ROOMS, "benchmarks", "project"}


def test_one_file_knows_how_maps_are_resized():
    """`align_corners` says where the cells of a map lie, which is not for others to assume."""
    knowing = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "align_corners=" in path.read_text()
    }
    assert knowing == {"ops/grid.py"}
