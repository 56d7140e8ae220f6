"""The calculator of costs, against torch's own counter."""

from pathlib import Path

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cost.flops import counted
from benchmarks.cost.stages import StageCost, stage_costs
from benchmarks.cost.table import Machine, cost_table
from benchmarks.training_step import COMPACT, RESNET38D, batch_of, seam_training
from wsss_core.config.affinity import AffinityConfig
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.experiment import load_experiment
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.models.affinity_net import build_affinity_net
from wsss_core.models.deeplab import build_deeplab
from wsss_core.stages.train_affinity import AffinityTraining
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
    machine = Machine("", devices=2, flops=1e12, cores=4)
    assert machine.hours(StageCost("", "", 1, flops=7200e12)) == 1
    assert machine.hours(StageCost("", "", 1, core_seconds=14400)) == 1


def paper():
    return load_experiment(yaml.safe_load((PROJECT / "config.yaml").read_text()))


@pytest.mark.slow
def test_the_paper_costs_about_what_its_reference_was_estimated_at():
    """SEAM 8 epochs: 220 PFLOP; one epoch of sb: 32."""
    costs = {(c.stage, c.method): c.flops / 1e15 for c in stage_costs(paper())}
    assert costs["train_classifier", "seam"] == pytest.approx(220, rel=0.2)
    assert costs["train_classifier", "sb"] == pytest.approx(32, rel=0.2)


def test_the_document_has_the_table_of_the_config():
    assert cost_table(paper()) in (PROJECT / "docs/cost.md").read_text()
