"""Tests of optimisers and their schedule."""

import pytest
import torch
from torch import nn

from wsss_core.config.training import OptimConfig
from wsss_core.training.optim import build_optimizer, poly_lr


def test_poly_by_hand():
    assert poly_lr(0, 10, 0.9) == 1
    assert poly_lr(5, 10, 1) == 0.5
    assert poly_lr(5, 10, 2) == 0.25
    assert poly_lr(10, 10, 0.9) == poly_lr(12, 10, 0.9) == 0
    assert poly_lr(9, 10, 0.9) == pytest.approx(0.1**0.9)


def test_poly_is_that_of_torch():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=2.0)
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=7, power=0.9)
    for step in range(9):
        assert 2 * poly_lr(step, 7, 0.9) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()


def layers() -> dict[str, list[nn.Parameter]]:
    frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)
    return {
        "backbone": [nn.Parameter(torch.ones(2, 2)), frozen],
        "head": [nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(3))],
    }


def settings_of(optimizer: torch.optim.Optimizer) -> dict[int, tuple[float, float, float]]:
    """Learning rate, initial learning rate and weight decay of each parameter, by its id."""
    return {
        id(p): (group["lr"], group["initial_lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_heads_learn_faster_and_biases_do_not_decay(name):
    groups = layers()
    config = OptimConfig(name=name, lr=0.01, head_lr_factor=10, weight_decay=5e-4)
    weight, bias = groups["head"]
    assert settings_of(build_optimizer(groups, config)) == {
        id(groups["backbone"][0]): (0.01, 0.01, 5e-4),
        id(weight): (0.1, 0.1, 5e-4),
        id(bias): (0.1, 0.1, 0.0),
    }


def test_the_four_rates_of_the_published_segmenter():
    groups = layers()
    groups["backbone"].append(nn.Parameter(torch.ones(2)))
    config = OptimConfig(lr=2.0, head_lr_factor=10, bias_lr_factor=2, weight_decay=5e-4)
    weight, _, bias = groups["backbone"]
    new_weight, new_bias = groups["head"]
    assert settings_of(build_optimizer(groups, config)) == {
        id(weight): (2.0, 2.0, 5e-4),
        id(bias): (4.0, 4.0, 0.0),
        id(new_weight): (20.0, 20.0, 5e-4),
        id(new_bias): (40.0, 40.0, 0.0),
    }


def test_a_further_group_is_a_matter_of_the_config():
    class BranchConfig(OptimConfig):
        def lr_factor(self, group: str) -> float:
            return 3.0 if group == "branch" else super().lr_factor(group)

    groups = layers() | {"branch": [nn.Parameter(torch.ones(1, 1))]}
    found = settings_of(build_optimizer(groups, BranchConfig(lr=1.0)))
    assert found[id(groups["branch"][0])] == (3.0, 3.0, 5e-4)
    assert found[id(groups["head"][0])] == (10.0, 10.0, 5e-4)


def test_two_steps_of_sgd_by_hand():
    """The momentum is the momentum: in the reference, this place holds the weight decay."""
    weight = nn.Parameter(torch.tensor([[2.0]]))
    config = OptimConfig(lr=0.1, weight_decay=0.5, momentum=0.9)
    optimizer = build_optimizer({"backbone": [weight]}, config)
    for expected in (2.0 - 0.1 * (1 + 0.5 * 2.0), 1.8 - 0.1 * (0.9 * 2.0 + 1 + 0.5 * 1.8)):
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()
        assert weight.item() == pytest.approx(expected)


def test_the_default_momentum_is_that_of_the_published_numbers():
    optimizer = build_optimizer(layers(), OptimConfig())
    assert {group["momentum"] for group in optimizer.param_groups} == {5e-4}


def test_an_unknown_group_is_refused():
    with pytest.raises(KeyError, match="tail"):
        build_optimizer({"tail": []}, OptimConfig())
