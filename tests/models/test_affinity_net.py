"""Tests of AffinityNet on a small stand-in for a backbone."""

import pytest
import torch
from torch import nn

from wsss_core.config.affinity import AffinityConfig
from wsss_core.models.affinity_net import AffinityNet, build_affinity_net
from wsss_core.models.backbone import Backbone
from wsss_core.models.cell_positions import Cells
from wsss_core.models.geometry import FeatureGeometry
from wsss_core.runtime.errors import UserError

GEOMETRY = FeatureGeometry((Cells(2, 0), Cells(4, 0), Cells(8, 0), Cells(8, 0)))


class Pyramid(nn.Module):
    """Feature maps of strides 2, 4, 8 and 8."""

    def __init__(self):
        super().__init__()
        widths = (3, 4, 6, 8, 10)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, stride=s)
            for a, b, s in zip(widths, widths[1:], (2, 2, 2, 1), strict=False)
        )

    def forward(self, x):
        maps = []
        for conv in self.convs:
            x = conv(x).relu()
            maps.append(x)
        return maps


def tiny_net(stages=(2, 3, 4), channels=(3, 5, 7)):
    torch.manual_seed(0)
    backbone = Backbone(
        Pyramid(), channels=(4, 6, 8, 10), geometry=GEOMETRY, mean=(0.5,) * 3, std=(0.5,) * 3
    )
    return AffinityNet(backbone, stages=stages, channels=channels, radius=5)


def test_features_lie_on_the_last_stage():
    net = tiny_net()
    assert net.stride == 8
    assert net(torch.rand(2, 3, 64, 96)).shape == (2, 15, 8, 12)


def test_stage_order_is_kept():
    net = tiny_net(stages=(4, 2), channels=(7, 3))
    assert net.stride == 4
    assert net(torch.rand(1, 3, 64, 96)).shape == (1, 10, 16, 24)


def test_head_and_backbone_make_up_all_parameters():
    net = tiny_net()
    groups = net.param_groups()
    assert set(groups["head"]) | set(groups["backbone"]) == set(net.parameters())
    assert not set(groups["head"]) & set(groups["backbone"])
    assert sum(p.numel() for p in groups["head"]) == 6 * 3 + 8 * 5 + 10 * 7 + 15 * 15


def test_every_parameter_gets_a_gradient():
    net = tiny_net()
    net(torch.rand(1, 3, 64, 64)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


CONFIG = {
    "backbone": {"name": "tf_efficientnet_lite0", "output_stride": 16},
    "epochs": 1,
    "features": [3, 5],
    "channels": [8, 16],
}


def test_built_from_a_config():
    net = build_affinity_net(AffinityConfig.model_validate(CONFIG))
    assert net.stride == 16
    assert net(torch.rand(1, 3, 64, 64)).shape == (1, 24, 4, 4)


@pytest.mark.parametrize(
    ("name", "are_removed"), [("tf_efficientnet_lite0", True), ("hrnet_w18_small", False)]
)
def test_nothing_learns_that_no_affinity_depends_on(name, are_removed):
    """Several GPUs would wait for its gradient."""
    backbone = {"name": name, "output_stride": 32}
    config = CONFIG | {"backbone": backbone, "features": [3, 4]}
    net = build_affinity_net(AffinityConfig.model_validate(config))
    net(torch.rand(1, 3, 64, 64)).sum().backward()
    learning = [p for p in net.parameters() if p.requires_grad]
    assert learning and all(p.grad is not None for p in learning)
    assert (len(learning) == len(list(net.parameters()))) == are_removed


def test_a_stage_that_is_not_there():
    config = AffinityConfig.model_validate(CONFIG | {"features": [3, 7]})
    with pytest.raises(UserError, match=r"affinity\.features is \[3, 7\]; expected stages 1 to 5"):
        build_affinity_net(config)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": [8]}, "one number of channels for each feature"),
        ({"resize_long": [200, 100]}, "expected 0 < lowest <= highest"),
        ({"epochs": 0}, "epochs is 0; expected at least 1 unless init is a weights file"),
        ({"radius": 1}, "radius"),
        ({"raduis": 5}, "raduis"),
    ],
)
def test_a_bad_config_names_its_key(change, message):
    with pytest.raises(ValueError, match=message):
        AffinityConfig.model_validate(CONFIG | change)
