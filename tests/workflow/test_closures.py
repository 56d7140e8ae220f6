"""Tests of which modules each stage runs, and thus of which changes rerun it.

The table is frozen. A change of the table means that a stage depends on more or less code; this
should be intended. To accept it, run
`python -m tests.workflow.test_closures > tests/workflow/closures.yaml`.
"""

import sys

import pytest
import yaml

from tests.workflow.running import PROJECT
from wsss_core.workflow.code_digest import closure

SCRIPTS = sorted(PROJECT.glob("workflow_scripts/[a-z]*.py"))
FROZEN = PROJECT / "tests/workflow/closures.yaml"


def modules_by_stage() -> dict[str, list[str]]:
    """Modules of the package that each script imports, directly or not."""
    return {
        script.stem: [
            ".".join(path.with_suffix("").parts[1:])
            for path in closure(script.relative_to(PROJECT))
            if path.parts[0] == "wsss_core" and path.name != "__init__.py"
        ]
        for script in SCRIPTS
    }


@pytest.mark.parametrize("stage", [script.stem for script in SCRIPTS])
def test_stage_runs_the_modules_of_the_table(stage):
    table = yaml.safe_load(FROZEN.read_text())
    assert modules_by_stage()[stage] == table.get(stage)


def test_table_has_no_other_stages():
    assert sorted(yaml.safe_load(FROZEN.read_text())) == sorted(modules_by_stage())


def test_stages_that_train_nothing_do_not_import_the_training_loop():
    for stage, modules in modules_by_stage().items():
        assert ("training.loop" in modules) == stage.startswith("train_"), stage


if __name__ == "__main__":
    yaml.safe_dump(modules_by_stage(), sys.stdout)
