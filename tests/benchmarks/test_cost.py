"""Tests of the cost estimates against torch's own FLOP counter."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cost.flops import counted
from benchmarks.cost.stages import ALL, IMAGE, StageCost, stage_costs
from benchmarks.cost.table import Machine, cost_table
from benchmarks.training_step import COMPACT, RESNET38D, batch_of, seam_training
from tests.config.shipped import SHIPPED
from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.experiment import training_sections
from wsss_core.config.merged import read_experiment
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.methods.kinds import training_config
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.deeplab import build_deeplab
from wsss_core.stages.train_affinity import AffinityTraining
from wsss_core.stages.train_classifier import start_classifier
from wsss_core.stages.train_segmenter import SegmenterTraining
from wsss_core.training.distributed import MeanOf

PROJECT = Path(__file__).parents[2]
META = torch.device("meta")
CROP = 64


def affinity():
    config = AffinityConfig(
        backbone=DENSE, features=(3, 4, 5), channels=(8, 8, 8), epochs=1, crop_size=CROP
    )
    return AffinityTraining(build_affinity_net(config))


def segmenter(head, **changes):
    config = SegmenterConfig(backbone=DENSE, head=head, epochs=1, crop_size=CROP, **changes)
    return SegmenterTraining(build_deeplab(config, num_classes=21))


DENSE = BackboneConfig(name="resnet18", output_stride=8)
NETWORKS = {
    "seam, compact": lambda: seam_training("seam", COMPACT),
    "seam, ResNet38d": lambda: seam_training("seam", RESNET38D),
    "sb": lambda: seam_training("sb", RESNET38D),
    "affinity": affinity,
    "aspp": lambda: segmenter("aspp", rates=(1, 2), multi_scale=(0.5,)),
    "large_fov": lambda: segmenter("large_fov", rates=(2,), multi_scale=()),
}
# torch's counter takes no account of groups in the gradient of a weight: an EfficientNet's would
# take 18 times as many FLOPs as it does. So of networks with groups the forward pass is compared.
HAS_GROUPS = ("seam, compact", "sb")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_has_the_flops_that_torch_counts(name):
    training = NETWORKS[name]().to(META)
    batch = batch_of(2, CROP, META)
    if name == "affinity":
        batch["label"] = torch.zeros(2, CROP // 8, CROP // 8, dtype=torch.uint8, device=META)
    with FlopCounterMode(display=False) as whole, counted(training) as cost:
        with FlopCounterMode(display=False) as forward:
            losses = training(batch)
        terms = [x.mean if isinstance(x, MeanOf) else x for x in losses.values()]
        torch.stack([term for term in terms if term.requires_grad]).sum().backward()
    assert cost.forward == forward.get_total_flops()
    if name not in HAS_GROUPS:
        assert cost.training == whole.get_total_flops()


def test_inference_has_no_gradients():
    net = seam_training("seam", COMPACT).net.eval().to(META)
    with torch.no_grad(), counted(net) as cost:
        net(torch.rand(1, 3, CROP, CROP, device=META))
    assert cost.training == cost.forward > 0
    assert cost.products[-1].kept == 0


def test_a_convolution_by_hand():
    conv = torch.nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False)
    with counted(conv) as cost:
        conv(torch.zeros(1, 4, 5, 7))
    assert cost.forward == 2 * (6 * 5 * 7) * (2 * 9)
    assert cost.training == 2 * cost.forward  # the image has no gradient
    assert cost.kept == 4 * 5 * 7


def test_after_a_count_the_network_is_as_before():
    conv = torch.nn.Conv2d(1, 1, 1)
    with counted(conv) as cost:
        pass
    conv(torch.zeros(1, 1, 1, 1))
    assert not cost.products


def test_time_is_that_of_devices_and_cores():
    machine = Machine("", devices=2, flops={"float32": 1e12, "bfloat16": 4e12}, cores=4)
    network, crf = StageCost("", 1, flops=7200e12), StageCost("", 1, core_seconds=14400)
    assert machine.hours(network, "float32") == 1
    assert machine.hours(network, "bfloat16") == machine.hours(network, "auto") == 0.25
    assert machine.hours(crf, "auto") == 1
    old = Machine("", devices=2, flops={"float32": 1e12}, cores=4)
    assert old.hours(network, "auto") == 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_has_its_cost(path):
    experiment = read_experiment([path])
    costs = list(stage_costs(experiment))
    assert [cost.method for cost in costs if cost.stage == "infer_cam"] == [
        run.method for run in experiment.runs
    ]
    networks = [cost for cost in costs if not cost.core_seconds]
    assert all(cost.flops > 0 and cost.network_bytes > 0 for cost in networks)
    assert len(cost_table(experiment).splitlines()) == 2 + len(costs) + 1


SMALL = """
runs: [{method: cam, until: segmentation}]
methods: {cam: {epochs: 1}}
classifier: {backbone: &resnet {name: resnet10t, weights: null}, crop_size: 64}
affinity: {backbone: *resnet, features: [3, 4, 5], channels: [8, 8, 8], crop_size: 64, epochs: 1}
segmenter: {backbone: *resnet, rates: [1, 2], multi_scale: [0.5], crop_size: 64, epochs: 1}
cam: {scales: [0.1, 0.2]}
segment: {scales: [0.2]}
"""


def torch_counts(network, *arguments, backward=False):
    """FLOPs by torch's counter, of a network that computes."""
    with FlopCounterMode(display=False) as counter:
        output = network(*arguments)
        if backward:
            terms = [x.mean if isinstance(x, MeanOf) else x for x in output.values()]
            torch.stack(terms).sum().backward()
    return counter.get_total_flops()


def test_what_has_only_shapes_costs_what_torch_counts_where_it_computes(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    experiment = read_experiment([tmp_path / "small.yaml"])
    costs = {cost.stage: cost for cost in stage_costs(experiment)}
    sections = training_sections(experiment, "cam")
    sections["method"]["init"] = "imagenet"
    classifier = start_classifier(training_config(sections), 20)
    network = build_deeplab(experiment.segmenter, num_classes=21)
    trainings = {
        "train_classifier": classifier,
        "train_affinity": AffinityTraining(build_affinity_net(experiment.affinity)),
        "train_segmenter": SegmenterTraining(network),
    }
    for stage, training in trainings.items():
        batch = batch_of(1, CROP, torch.device("cpu"))
        if stage == "train_affinity":
            batch["label"] = torch.tensor([[0, 1], [2, 255]]).repeat(1, 4, 4).to(torch.uint8)
        expected = costs[stage].images * torch_counts(training, batch, backward=True)
        assert costs[stage].flops == expected, stage
    with torch.no_grad():
        images = [torch.rand(2, 3, round(s * IMAGE[0]), round(s * IMAGE[1])) for s in (0.1, 0.2)]
        expected = sum(torch_counts(classifier.net.eval(), image) for image in images)
        assert costs["infer_cam"].flops == ALL * expected
        expected = torch_counts(network.eval(), images[1][:1])
        assert costs["segment"].flops == ALL * expected


def test_methods_that_share_a_network_differ_in_their_epochs_alone():
    costs = {(c.stage, c.method): c for c in stage_costs(read_experiment([]))}
    eight, one = (costs["train_classifier", method] for method in ("seam", "seam_extra"))
    assert eight.flops == 8 * one.flops
    for stage in ("train_affinity", "train_segmenter", "segment_crf"):
        assert replace(costs[stage, "sb"], method="seam") == costs[stage, "seam"]


def test_configs_are_merged_as_by_the_workflow(tmp_path):
    """The preset lies below the user's files, of which the later one wins."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.json"
    first.write_text(
        "preset: released\nmethods: {sb: {smoothing: {lambda_boundary: 0.5, stride: 4}}}\n"
        "segment: {crf: null}"
    )
    second.write_text('{"methods": {"sb": {"smoothing": {"stride": 2}}}}')
    experiment = read_experiment([first, second])
    smoothing = experiment.methods["sb"].smoothing
    found = [smoothing[key] for key in ("head", "lambda_boundary", "stride")]
    assert found == ["released", 0.5, 2]
    assert smoothing["features"] == [1, 3, 5, 6]  # of config.yaml
    assert experiment.segment.crf is None
    assert experiment.segmenter.backbone.name == "resnet38d"  # of the preset


def cost_program(*arguments, directory):
    command = [sys.executable, "-m", "benchmarks.cost", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "clasifier: {crop_size: 64}",
            "wrong.yaml: clasifier: unknown key 'clasifier'; did you mean classifier?",
        ),
        (
            "- a list",
            "wrong.yaml is not a config file; expected sections, such as 'dataset:'",
        ),
        ("a: b: c", "wrong.yaml cannot be read as YAML (mapping values are not allowed here"),
        (None, "wrong.yaml: No such file or directory; expected a config file"),
        (
            "preset: realeased",
            "wrong.yaml: preset: got 'realeased'; expected 'paper', 'text' or 'released'",
        ),
        (
            "segmenter: {backbone: {name: resnet0}}",
            "backbone 'resnet0': timm has no network of this name",
        ),
    ],
    ids=["unknown key", "list", "no YAML", "no file", "no preset", "no network"],
)
def test_a_mistake_is_told_in_one_line(tmp_path, text, told):
    if text is not None:
        (tmp_path / "wrong.yaml").write_text(text)
    run = cost_program("--configfile", "wrong.yaml", directory=tmp_path)
    assert run.returncode == 1 and run.stdout == ""
    (line,) = run.stderr.splitlines()
    assert line.startswith(f"error: {told}")


def test_the_document_has_the_table_that_the_program_writes(tmp_path):
    run = cost_program(directory=tmp_path)
    assert run.returncode == 0, run.stderr
    assert run.stdout in (PROJECT / "docs/cost.md").read_text()


def test_the_paper_costs_about_what_its_reference_was_estimated_at():
    """SEAM 8 epochs: 220 PFLOP; one epoch of sb: 32."""
    costs = {(c.stage, c.method): c.flops / 1e15 for c in stage_costs(read_experiment([]))}
    assert costs["train_classifier", "seam"] == pytest.approx(220, rel=0.2)
    assert costs["train_classifier", "sb"] == pytest.approx(32, rel=0.2)
