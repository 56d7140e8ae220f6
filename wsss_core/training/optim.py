"""Optimisers and the learning-rate schedule."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn

from wsss_core.config.training import OptimConfig


def poly_lr(step: int, max_steps: int, power: float) -> float:
    """Computes the factor (1 - step / max_steps) ** power of the learning rate (paper, IV-A).

    Args:
        step: Number of steps done before this one: 0 for the first step. The factor is 0 from
            `max_steps` on.
        max_steps: Number of steps of the whole training, at least 1.
        power: Exponent, not negative; 1 gives a linear decrease.
    """
    factor: float = (1 - min(step, max_steps) / max_steps) ** power
    return factor


def build_optimizer(
    groups: Mapping[str, Iterable[nn.Parameter]], config: OptimConfig
) -> torch.optim.Optimizer:
    """Builds an optimiser in which each group of layers has its own learning rates.

    With the factors of psa, SEAM and DeepLab (10 for the head, 2 for biases), the learning rate is
    multiplied by 1 and 10 for weights, and by 2 and 20 for biases. Biases have no weight decay. The
    scales of BatchNorms count as biases here. Frozen parameters are left out. Each group of the
    optimiser stores its initial learning rate as 'initial_lr'.

    Args:
        groups: Parameters by group: 'backbone' (pretrained) or 'head' (new), the names that
            `config.lr_factor` knows.
        config: Type and settings of the optimiser.
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
