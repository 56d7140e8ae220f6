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
    """Optimiser over groups of layers, of which each has its own learning rates.

    With the factors of psa, SEAM and DeepLab, 10 of the head and 2 of biases, these are 1 and 10
    for weights, 2 and 20 for biases. Biases are not decayed, nor are the scales of BatchNorms,
    which count as biases here; frozen parameters are left out. Each group of the optimiser
    remembers its initial learning rate as 'initial_lr'.

    Args:
        groups: Parameters by names that `config.lr_factor` knows: 'backbone' is pretrained, 'head'
            is new.
        config: Which optimiser, and its settings.
    """
    param_groups = []
    for name, params in groups.items():
        trained = [p for p in params if p.requires_grad]
        rate = config.lr * config.lr_factor(name)
        weights, biases = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
        for members, lr, decay in (
            (weights, rate, config.weight_decay),
            (biases, rate * config.bias_lr_factor, 0.0),
        ):
            if members:
                param_groups.append(
                    {"params": members, "lr": lr, "initial_lr": lr, "weight_decay": decay}
                )
    if config.name == "adamw":
        return torch.optim.AdamW(param_groups, lr=config.lr, fused=True)
    return torch.optim.SGD(param_groups, lr=config.lr, momentum=config.momentum, fused=True)
