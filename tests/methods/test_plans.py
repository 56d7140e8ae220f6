"""Tests that methods are checked before anything runs, and that the result is cached."""

import subprocess
import sys

import pytest
import yaml

from tests.workflow.running import PROJECT
from wsss_core.config.experiment import load_experiment
from wsss_core.methods.plans import kind_file, plan_methods
from wsss_core.runtime.errors import UserError

KIND = '''
from wsss_core.methods import seam


class Config(seam.Config):
    """SEAM's keys and one more."""

    strength: float = 2.0


build_network = seam.build_network
build_training = seam.build_training
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where a user's config and kind lie, on the path as the workflow puts it there."""
    (tmp_path / "plans_ideas").mkdir()
    (tmp_path / "plans_ideas/mine.py").write_text(KIND)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def experiment(**method):
    config = yaml.safe_load((PROJECT / "config.yaml").read_text())
    config["methods"]["mine"] = {"extends": "seam"} | method
    return load_experiment(config)


def plans(folder, **method):
    memory = folder / "memory"
    return plan_methods(experiment(**method), folders=[folder], memory=memory)


def test_a_kind_of_the_user_has_its_own_keys(folder):
    plan = plans(folder, kind="plans_ideas.mine", scale=0.4)["mine"]
    assert plan.config["strength"] == 2.0 and plan.config["scale"] == 0.4
    assert plan.module == str((folder / "plans_ideas/mine.py").resolve())
    assert (plan.init, plan.boundaries) == ("imagenet", None)


def test_our_kinds_say_what_they_need(folder):
    found = plans(folder)
    assert found["sb"].module == "wsss_core/methods/smoothing.py"
    assert (found["sb"].init, found["sb"].boundaries.teacher) == ("seam", "seam")
    assert found["sb"].boundaries.canny and found["sb"].boundaries.map_radius is None
    assert found["cam"].boundaries is None


def in_a_new_process(folder, check="pass", **method):
    program = (
        f"import sys; from pathlib import Path; sys.path.append({str(folder)!r})\n"
        "from tests.methods.test_plans import plans\n"
        f"found = plans(Path({str(folder)!r}), **{method!r})\n{check}"
    )
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)
    return len(list((folder / "memory").glob("*.json")))


def test_a_section_that_plans_do_not_depend_on_is_not_asked_about_again(tmp_path, monkeypatch):
    config = yaml.safe_load((PROJECT / "config.yaml").read_text())
    first = plan_methods(load_experiment(config), folders=[], memory=tmp_path)
    monkeypatch.setattr("wsss_core.methods.plans.subprocess", None)  # no program can be started
    config |= {"name": "other", "runs": [{"method": "sb", "seeds": [5]}], "shards": {"eval": 2}}
    config["dataset"]["name"] = "pets"
    assert plan_methods(load_experiment(config), folders=[], memory=tmp_path) == first


def test_what_was_found_is_remembered_until_the_code_or_the_config_changes(folder):
    mine = {"kind": "plans_ideas.mine"}
    assert [in_a_new_process(folder, **mine) for _ in range(2)] == [1, 1]
    (folder / "plans_ideas/mine.py").write_text(KIND.replace("2.0", "3.0"))
    check = "assert found['mine'].config['strength'] == 3"
    assert [in_a_new_process(folder, check, **mine) for _ in range(2)] == [2, 2]
    assert in_a_new_process(folder, **mine, strength=1.0) == 3


def test_mistakes_are_not_remembered(folder):
    for _ in range(2):
        with pytest.raises(UserError, match="unknown key 'strenght'; did you mean strength"):
            plans(folder, kind="plans_ideas.mine", strenght=1)
    assert not list((folder / "memory").glob("*.json"))


def test_a_memory_that_cannot_be_written_is_done_without(folder):
    (folder / "memory").write_text("")  # a file where the folder should be
    assert plans(folder)["seam"].config["kind"] == "seam"


def test_a_remembered_config_takes_no_torch(folder):
    """Snakemake starts in two seconds, not in five."""
    plans(folder)
    in_a_new_process(folder, "assert not {'torch', 'timm'} & set(sys.modules)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise RuntimeError('broken')", "kind 'plans_ideas.mine': RuntimeError: broken"),
        ("x = ", "mine.py: line 1: invalid syntax; expected Python"),
        ("X = 1", "has no Config, build_network, build_training; expected Config"),
    ],
)
def test_a_module_that_is_no_kind_is_told_in_one_line(folder, text, message):
    name = f"m{abs(hash(text))}"
    (folder / "plans_ideas" / f"{name}.py").write_text(text)
    with pytest.raises(UserError) as caught:
        plans(folder, kind=f"plans_ideas.{name}")
    assert message.replace("mine", name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_kinds_are_looked_for(folder):
    assert str(kind_file("seam", [])) == "wsss_core/methods/seam.py"
    assert kind_file("plans_ideas.mine", []) is None
    assert kind_file("plans_ideas.mine", [PROJECT, folder]).name == "mine.py"
    assert kind_file("nothing", [folder]) is None
