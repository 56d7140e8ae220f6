"""Prepares a trained network for inference."""

import torch
from torch import nn

from wsss_core.config.precision import AskedPrecision, Precision
from wsss_core.models.folding import fix_weights
from wsss_core.models.precision import choose_precision, use_exact_products


def start_inference(network: nn.Module, asked: AskedPrecision, device: torch.device) -> Precision:
    """Moves a network to the device, and sets up network and process for inference.

    Args:
        network: In evaluation mode. It is changed in place: it can no longer be trained, and its
            weights can no longer be saved or loaded.
        asked: The config value.
        device: Where to compute.

    Returns:
        The precision in which to compute.
    """
    use_exact_products()
    precision = choose_precision(asked, device)
    network.to(memory_format=torch.channels_last).to(device)
    fix_weights(network, torch.bfloat16 if precision == "bfloat16" else torch.float32)
    return precision
