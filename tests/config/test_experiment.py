"""Tests of the whole config: which values are refused, and with which messages."""

import copy
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from tests.config import shipped
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.experiment import (
    Experiment,
    extra_supervision,
    load_experiment,
    with_extended,
)
from wsss_core.config.methods import MethodPlan
from wsss_core.methods import check, plans
from wsss_core.methods.kinds import find_kind
from wsss_core.methods.plans import plan_methods
from wsss_core.runtime.errors import UserError

PROJECT = Path(__file__).parents[2]
PAPER = yaml.safe_load(shipped.PAPER.read_text())
PAPER_WEIGHTS = PAPER["classifier"]["backbone"]["weights"]
PRESETS = shipped.PRESETS


def merged(base: Any, changes: Any) -> Any:
    """Snakemake's way to lay one config over another."""
    if not isinstance(changes, dict) or not isinstance(base, dict):
        return copy.deepcopy(changes)
    return base | {key: merged(base.get(key), value) for key, value in changes.items()}


@pytest.fixture(autouse=True)
def _check_in_this_process(monkeypatch):
    """A program of its own for each config would load torch each time."""
    monkeypatch.setattr(plans, "_find", lambda question, folders: check.find(question))


def errors(changes: dict[str, Any]) -> list[str]:
    """Lines of the message for config.yaml with changes from a file x.yaml."""
    sources = [("config.yaml", PAPER), ("x.yaml", changes)]
    with pytest.raises(UserError) as caught:
        plans_of(load_experiment(merged(PAPER, changes), sources=sources), sources)
    return str(caught.value).splitlines()


def plans_of(experiment: Experiment, sources: Any = ()) -> dict[str, MethodPlan]:
    """The methods of an experiment, found anew."""
    with tempfile.TemporaryDirectory() as memory:
        return plan_methods(experiment, folders=[], memory=Path(memory), sources=sources)


@pytest.mark.parametrize("path", shipped.EXPERIMENTS, ids=lambda p: p.stem)
def test_shipped_configs_are_valid_with_each_preset(path):
    for base in (PAPER, *(merged(PAPER, yaml.safe_load(p.read_text())) for p in PRESETS)):
        plans_of(load_experiment(merged(base, yaml.safe_load(path.read_text()))))


@pytest.mark.parametrize("preset", PRESETS, ids=lambda p: p.stem)
def test_presets_are_valid_and_change_what_they_name(preset):
    changes = yaml.safe_load(preset.read_text())
    experiment = load_experiment(merged(PAPER, changes | {"preset": preset.stem}))
    assert experiment != load_experiment(PAPER | {"preset": preset.stem})
    paper = with_extended(PAPER)
    assert all(value != at(paper, key) for key, value in leaves(changes))


def documented() -> Iterator[tuple[tuple[str, ...], list[Any], str]]:
    """Key, value in each preset, and test of each row of docs/paper-vs-code.md that has a key."""
    for line in (PROJECT / "docs/paper-vs-code.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 9 and cells[4].startswith("`"):
            key, *values = (cell.strip("`") for cell in cells[4:8])
            if key.startswith("smoothing."):
                key = f"methods.sb.{key}"
            yield tuple(key.split(".")), [yaml.safe_load(value) for value in values], cells[8]


def test_what_is_decided_without_a_key_is_tested():
    page = (PROJECT / "docs/paper-vs-code.md").read_text()
    rows = re.findall(
        r"^\| .* (\w+) \|$", page.partition("## Decided without a key")[2], re.MULTILINE
    )
    tests = "".join(path.read_text() for path in PROJECT.glob("tests/**/test_*.py"))
    assert len(rows) == 12 and rows[0] == "test"
    assert all(f"def {test}(" in tests for test in rows[1:])


def test_what_is_documented_of_the_presets():
    names = ("text", "released")
    changes = {
        name: yaml.safe_load((PROJECT / f"configs/presets/{name}.yaml").read_text())
        for name in names
    }
    configs = [PAPER, *(merged(PAPER, changes[name]) for name in names)]
    tests = "".join(path.read_text() for path in PROJECT.glob("tests/**/test_*.py"))
    rows = list(documented())
    for key, values, test in rows:
        assert [at(with_extended(config), key) for config in configs] == values, key
        assert f"def {test}(" in tests, test
    for index, name in enumerate(names, start=1):
        differing = {key for key, values, _ in rows if values[index] != values[0]}
        without_test = {("segmenter", "backbone", "weights")} if name == "released" else set()
        assert differing | without_test == set(dict(leaves(changes[name])))


def leaves(content: Any, key: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(content, dict):
        yield key, content
        return
    for name, value in content.items():
        yield from leaves(value, (*key, name))


def at(content: Any, key: tuple[str, ...]) -> Any:
    for name in key:
        content = content[name]
    return content


def test_missing_keys_get_defaults():
    plans = plans_of(load_experiment(merged(PAPER, {"cam": {}})))
    assert plans["sb"].boundaries.teacher == "seam"
    without = {key: value for key, value in PAPER.items() if key != "cam"}
    assert load_experiment(without).cam.flip is True


def unset_fields(model: BaseModel, key: str = "") -> Iterator[str]:
    """Keys of a model and its parts that were not given but have their defaults."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name not in model.model_fields_set:
            yield f"{key}{name}"
        for child_key, child in [("", value)] if isinstance(value, BaseModel) else []:
            yield from unset_fields(child, f"{key}{name}.{child_key}")
        if isinstance(value, dict):
            for child_name, child in value.items():
                yield from unset_fields(child, f"{key}{name}.{child_name}.")


def test_config_yaml_spells_out_every_key():
    """Users read config.yaml to learn which keys there are."""
    config = with_extended(PAPER)
    unset = unset_fields(Experiment.model_validate(config))
    assert [key for key in unset if not key.endswith(".extends")] == []
    for method in config["methods"].values():
        keys = {key: value for key, value in method.items() if key != "extends"}
        assert list(unset_fields(find_kind(keys["kind"]).Config.model_validate(keys))) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"clasifier": {}},
            "x.yaml: clasifier: unknown key 'clasifier'; did you mean classifier?",
        ),
        (
            {"classifier": {"optim": {"lrr": 0.1}}},
            "x.yaml: classifier.optim.lrr: unknown key 'lrr'; did you mean lr?",
        ),
        (
            {"methods": {"sb": {"smoothing": {"boundaries_form": "seam"}}}},
            "x.yaml: methods.sb.smoothing.boundaries_form: unknown key 'boundaries_form'; "
            "did you mean boundaries_from?",
        ),
        (
            {"runs": [{"method": "cam", "seed": 1}]},
            "x.yaml: runs.0.seed: unknown key 'seed'; did you mean seeds?",
        ),
        (
            {"canny": {"sigma": 1}},
            "x.yaml: canny.sigma: unknown key 'sigma'; expected one of low, high, "
            "input, edge_value",
        ),
        (
            {"classifier": {"crop_size": "large"}},
            "x.yaml: classifier.crop_size: got 'large'; expected a valid integer, unable to parse "
            "string as an integer",
        ),
        (
            {"segmenter": {"optim": {"lr": -1}}},
            "x.yaml: segmenter.optim.lr: got -1; expected greater than 0",
        ),
        (
            {"runs": [{"method": "cam", "until": "segment"}]},
            "x.yaml: runs.0.until: got 'segment'; expected 'cam', 'random_walk' or 'segmentation'",
        ),
        (
            {"runs": [{"method": "seem"}]},
            "x.yaml: runs.0.method: unknown method 'seem'; did you mean seam?",
        ),
        (
            {"runs": [{"method": "cam", "seeds": [1, 2]}, {"method": "cam", "seeds": [2]}]},
            "x.yaml: runs.1.seeds: seed 2 of cam is listed twice; "
            "expected each seed of a method once",
        ),
        (
            {"methods": {"sb": {"init": "irn"}}},
            "x.yaml: methods.sb.init: unknown method 'irn'; "
            "expected one of imagenet, cam, seam, seam_extra, sb",
        ),
        (
            {"methods": {"sb": {"smoothing": {"boundaries_from": "imagenet"}}}},
            "x.yaml: methods.sb.smoothing.boundaries_from: unknown method 'imagenet'; "
            "expected one of cam, seam, seam_extra, sb",
        ),
        (
            {"methods": {"seam": {"init": "seam_extra"}}},
            "config.yaml: methods.seam_extra.init: cycle seam -> seam_extra -> seam; "
            "expected a method that does not need seam_extra",
        ),
        (
            {"methods": {"sb": {"smoothing": {"boundaries_from": "sb"}}}},
            "x.yaml: methods.sb.smoothing.boundaries_from: cycle sb -> sb; "
            "expected a method that does not need sb",
        ),
        (
            {"methods": {"cam": {"scale": 0.5}}},
            "x.yaml: methods.cam.scale: unknown key 'scale'; expected one of kind, init, epochs, "
            "schedule_epochs, output_stride",
        ),
        (
            {"methods": {"cam": {"kind": "caam"}}},
            "x.yaml: methods.cam.kind: unknown kind 'caam'; did you mean cam?",
        ),
        (
            {"methods": {"cam": {"kind": "my_ideas.entropy"}}},
            "x.yaml: methods.cam.kind: unknown kind 'my_ideas.entropy'; expected a module "
            "my_ideas/entropy.py beside the config file",
        ),
        (
            {"methods": {"mine": {"extends": "seem"}}},
            "x.yaml: methods.mine.extends: unknown method 'seem'; did you mean seam?",
        ),
        (
            {"methods": {"seam": {"extends": "sb"}}},
            "config.yaml: methods.sb.extends: cycle seam -> sb -> seam; "
            "expected a method that does not need sb",
        ),
        (
            {"methods": {"sb": {"smoothing": {"features": [1, 8]}}}},
            "x.yaml: methods.sb.smoothing.features: got [1, 8]; expected stages 1 to 7, which "
            "resnet38d has",
        ),
        (
            {"affinity": {"backbone": {"name": "tf_efficientnet_lite0", "weights": None}}},
            "config.yaml: affinity.features: got [4, 5, 7]; expected stages 1 to 5, which "
            "tf_efficientnet_lite0 has",
        ),
        (
            {"methods": {"data": {"kind": "cam", "epochs": 1}}},
            "x.yaml: methods.data: 'data' is taken; expected another name for a method",
        ),
        (
            {"methods": {"seam": {"schedule_epochs": 7}}},
            "x.yaml: methods.seam: schedule_epochs is 7; expected at least the 8 "
            "epochs of training",
        ),
        (
            {"preset": "published"},
            "x.yaml: preset: got 'published'; expected 'paper', 'text' or 'released'",
        ),
        (
            {
                "segment": {"crf": None},
                "methods": {"sb": {"smoothing": {"boundaries_stage": "segmentation_crf"}}},
            },
            "x.yaml: methods.sb.smoothing.boundaries_stage: got 'segmentation_crf', but "
            "segment.crf is null; expected 'segmentation'",
        ),
        (
            {"precision": {"inference": "float16"}},
            "x.yaml: precision.inference: got 'float16'; expected 'auto', 'float32' or 'bfloat16'",
        ),
        (
            {"methods": {"seam": {"epochs": 0}}},
            "x.yaml: methods.seam: epochs is 0; expected at least 1 unless init is a weights file",
        ),
        (
            {"methods": {"seam": {"init": {"weights": "seam.pth", "sha265": "0"}}}},
            "x.yaml: methods.seam.init.sha265: unknown key 'sha265'; did you mean sha256?",
        ),
        (
            {"methods": {"seam": {"init": {"weights": "seam.pth", "sha256": "0"}}}},
            "x.yaml: methods.seam.init.sha256: got '0'; expected a text of the pattern "
            "'^[0-9a-f]{64}$'",
        ),
        (
            {"methods": {"seam": {"init": 3}}},
            "x.yaml: methods.seam.init: got 3; expected a valid string",
        ),
        (
            {"classifier": {"resize_long": [448, 256]}},
            "x.yaml: classifier: resize_long is [448, 256]; expected 0 < lowest <= highest",
        ),
        (
            {"methods": {"seam": {"scale": 0.01}}},
            "x.yaml: methods.seam: scale is 0.01; expected at least 8 pixels of a crop_size of 448",
        ),
        (
            {"segmenter": {"init": "clasifier"}},
            "x.yaml: segmenter.init: got 'clasifier'; expected 'imagenet', 'classifier' or 'coco'",
        ),
        (
            {"segmenter": {"init": {"weights": "deeplab.pt", "sha": "0"}}},
            "x.yaml: segmenter.init.sha: unknown key 'sha'; did you mean sha256?",
        ),
        (
            {"segmenter": {"init": "classifier", "backbone": {"weights": PAPER_WEIGHTS}}},
            "config.yaml: segmenter.backbone.name: got 'resnet101.tv_in1k'; "
            "expected 'resnet38d', as in classifier.backbone, because init is 'classifier'",
        ),
        (
            {"segmenter": {"init": "classifier", "backbone": {"name": "resnet38d"}}},
            "config.yaml: segmenter.backbone.weights: got 'timm'; "
            f"expected {PAPER_WEIGHTS!r}, as in classifier.backbone, because init is 'classifier'",
        ),
        (
            {"runs": [{"method": "cam", "seeds": []}]},
            "x.yaml: runs.0.seeds: is too short; expected at least 1",
        ),
        (
            {"runs": [{"seeds": [0]}]},  # of which config.yaml has the key, in another list
            "x.yaml: runs.0.method: is missing; expected a value",
        ),
        (
            {"evaluation": {"splits": []}, "shards": {"train_only": 0}},
            "x.yaml: shards.train_only: got 0, and evaluation.splits is empty; "
            "expected at least 1 shard of images",
        ),
    ],
)
def test_mistakes_get_one_line_each(changes, message):
    assert errors(changes) == [message]


def test_a_method_that_starts_from_a_file_needs_no_training():
    init = {"weights": "resnet38_SEAM.pth", "sha256": None}
    changes = {"methods": {"seam": {"init": init, "epochs": 0}}}
    method = load_experiment(merged(PAPER, changes)).methods["seam"]
    assert method.model_dump(mode="json")["init"] == init
    assert type(method).model_validate_json(method.model_dump_json()) == method


def test_segmenter_may_go_on_with_the_classifier_at_another_stride():
    backbone = {"name": "tf_efficientnet_lite0", "weights": "package:efficientnet-lite0"}
    changes = {
        "classifier": {"backbone": backbone | {"output_stride": 16}},
        "segmenter": {"init": "classifier", "backbone": backbone | {"output_stride": 8}},
    }
    assert load_experiment(merged(PAPER, changes)).segmenter.init == "classifier"


def test_name_of_a_method_is_part_of_a_path():
    (line,) = errors({"methods": {"my/sb": {"kind": "cam", "epochs": 1}}})
    assert line.startswith("x.yaml: methods.my/sb: ")


def test_missing_key_is_told_with_the_file_that_has_its_section():
    changes = {"methods": {"mine": {"kind": "cam"}}}
    assert errors(changes) == ["x.yaml: methods.mine.epochs: is missing; expected a value"]


def test_all_mistakes_are_told_at_once():
    changes = {"cam": {"flop": True}, "canny": {"low": -1}, "shards": {"eval": 0}}
    assert [line.split(": ")[1] for line in errors(changes)] == [
        "shards.eval",
        "canny.low",
        "cam.flop",
    ]


def test_extra_supervision_reaches_what_follows_from_it():
    """A segmenter's masks give the smoothing branch its boundaries, and so reach its classifier."""
    plain = load_experiment(PAPER)
    assert extra_supervision(plain, plans_of(plain), "sb", "segmentation_crf") is None
    after_sb = PAPER["methods"]["seam_extra"] | {"init": "sb"}
    coco = {
        "methods": {"after_sb": after_sb},
        "segmenter": {"extra_supervision": "COCO masks"},
    }
    experiment = load_experiment(merged(PAPER, coco))
    plans = plans_of(experiment)
    marked = {
        (method, stage)
        for method in experiment.methods
        for stage in ("cam", "random_walk", "segmentation", "segmentation_crf")
        if extra_supervision(experiment, plans, method, stage) == "COCO masks"
    }
    segmented = {(m, s) for m in experiment.methods for s in ("segmentation", "segmentation_crf")}
    learnt = {(method, stage) for method in ("sb", "after_sb") for stage in ("cam", "random_walk")}
    assert marked == segmented | learnt


def test_a_backbone_s_weights_are_a_file_or_have_a_name():
    def weights_file(weights):
        return BackboneConfig(name="resnet38d", weights=weights).weights_file

    assert weights_file("data/a1.params") == Path("data/a1.params")
    assert weights_file("https://x.org/a/b.pth?c=d") == Path("data/weights/b.pth")
    assert weights_file("timm") == Path("data/weights/resnet38d.safetensors")
    assert {weights_file(name) for name in (None, "package:x")} == {None}
    with pytest.raises(ValueError, match="sha256 is of a file, but weights is package:x"):
        BackboneConfig(name="resnet38d", weights="package:x", sha256="0" * 64)
