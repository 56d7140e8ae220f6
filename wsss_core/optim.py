"""Optimisers and the learning-rate schedule."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from wsss_core.config.training import OptimConfig


def poly_lr(step: int, max_steps: int, power: float) -> float:
    """Factor (1 - step / max_steps) ** power on the initial learning rate (paper, section IV-A).

    Args:
        step: Steps done before this one, so that the first is step 0; 0 from max_steps on.
        max_steps: Steps of the whole training, at least 1.
        power: Not negative; 1 is a straight line.
    """
    factor: float = (1 - min(step, max_steps) / max_steps) ** power
    return factor


def build_optimizer(
    groups: Mapping[str, Iterable[nn.Parameter]], config: OptimConfig
) -> torch.optim.Optimizer:
    """Optimiser over the groups 'backbone' and 'head'; the head learns `head_lr_factor` faster.

    Biases are not decayed, as in the reference; frozen parameters are left out. Each group of the
    optimiser remembers its initial learning rate as 'initial_lr'.

    Args:
        groups: Parameters of the pretrained 'backbone' and of the new 'head'.
        config: Which optimiser, and its settings.
    """
    factors = {"backbone": 1.0, "head": config.head_lr_factor}
    param_groups = []
    for name, params in groups.items():
        trained = [p for p in params if p.requires_grad]
        lr = config.lr * factors[name]
        for decay, members in (
            (config.weight_decay, [p for p in trained if p.ndim > 1]),
            (0.0, [p for p in trained if p.ndim <= 1]),
        ):
            if members:
                param_groups.append(
                    {"params": members, "lr": lr, "initial_lr": lr, "weight_decay": decay}
                )
    if config.name == "adamw":
        return torch.optim.AdamW(param_groups, lr=config.lr, foreach=True)
    return torch.optim.SGD(param_groups, lr=config.lr, momentum=config.momentum, foreach=True)
