"""Tests of a training step of every network on each device: waiting times and results."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.loss_curves import BATCH_SIZE, CASES, STEPS, Uneven, UnevenCells, curve
from wsss_core.models.precision import use_exact_products
from wsss_core.training.batches import collate
from wsss_core.training.distributed import Part, losses_of_batch


def batch_for(case: str, model) -> dict[str, Tensor]:
    samples = (UnevenCells if case == "affinity" else Uneven)(getattr(model, "of_image", None))
    rngs = [np.random.default_rng(index) for index in range(BATCH_SIZE)]
    return collate([samples.sample(index, rng) for index, rng in enumerate(rngs)])


def losses_on(device: str, model, batch) -> dict[str, Tensor]:
    batch = {name: x.to(device) for name, x in batch.items()}
    return losses_of_batch(model.to(device)(batch), Part(0, 1, BATCH_SIZE))


def total_of(model, losses: dict[str, Tensor]) -> Tensor:
    return sum(weight * losses[name] for name, weight in model.loss_weights.items())


@pytest.mark.parametrize("case", CASES)
def test_no_step_needs_to_know_a_number(case):
    """On a device that has shapes and no numbers; a GPU would be waited for in their place."""
    model = CASES[case]()
    if case == "sb released":  # torch has no cross-entropy of probabilities for that device
        config = model.branch.config.model_copy(update={"boundary_loss": "logits"})
        model.branch.config = config
    losses = losses_on("meta", model, batch_for(case, model))
    total_of(model, losses).backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert trained and all(p.grad is not None for p in trained)


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_no_step_waits_for_the_gpu(case, monkeypatch):
    """In the real loop, from the second step to the last but one, whose losses are looked at."""
    forward = type(CASES[case]()).forward
    steps = 0

    def watched(self, batch):
        nonlocal steps
        steps += 1
        torch.cuda.set_sync_debug_mode("error" if 1 < steps < STEPS else "default")
        return forward(self, batch)

    monkeypatch.setattr(type(CASES[case]()), "forward", watched)
    try:
        history = curve(case, gpus=1, log_every=STEPS)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert steps == STEPS
    assert [row["step"] for row in history] == [STEPS]


@pytest.mark.gpu
@pytest.mark.parametrize("case", CASES)
def test_a_gpu_finds_the_losses_and_gradients_of_a_cpu(case):
    """In float32 and without dropout, which draws other numbers there."""
    use_exact_products()
    results = []
    for device in ("cpu", "cuda"):
        model = CASES[case]().eval()
        losses = losses_on(device, model, batch_for(case, model))
        trained = [p for p in model.parameters() if p.requires_grad]
        parts = torch.autograd.grad(total_of(model, losses), trained, materialize_grads=True)
        gradient = torch.cat([part.flatten() for part in parts]).cpu()
        results.append(({name: loss.item() for name, loss in losses.items()}, gradient))
    (losses, gradient), (losses_there, gradient_there) = results
    assert losses_there == pytest.approx(losses, rel=1e-4, abs=1e-6)
    assert (gradient_there - gradient).norm() < 1e-3 * gradient.norm()
