"""Tests of the smoothing branch's losses against hand-worked values and the paper's formulas."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from wsss_core.losses.smoothness import (
    OPERATORS,
    Operators,
    boundary_loss,
    derive,
    laplacian,
    smoothness_loss,
    sobel,
)
from wsss_core.ops.present import present_pairs, take

SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
LAPLACIAN = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
FORWARD_X = np.array([[0, 0, 0], [0, -1, 1], [0, 0, 0]])
SECOND_X = np.array([[0, 0, 0], [1, -2, 1], [0, 0, 0]])
KERNELS = {
    "differences": {1: (FORWARD_X, FORWARD_X.T), 2: (SECOND_X, SECOND_X.T)},
    "sobel": {1: (SOBEL_X, SOBEL_X.T), 2: (LAPLACIAN,)},
}


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def smooth(cam, boundary, *, present, edge_alpha=10.0, pixel_size=1.0, **operators):
    """Mean over present classes, by the paper's operators or changed ones."""
    return smoothness_loss(
        cam,
        boundary,
        present=present,
        operators=Operators(**operators),
        edge_alpha=edge_alpha,
        pixel_size=pixel_size,
    )


smooth_sobel = partial(smooth, derivatives="sobel", edge_weight="value")


def correlate(x: np.ndarray, kernel: np.ndarray, padding: str) -> np.ndarray:
    """Slides a 3x3 kernel over [H, W], whose border pixels repeat outside, or are zero there."""
    padded = np.pad(x, 1, mode="edge" if padding == "replicate" else "constant")
    result = np.zeros_like(x)
    for y, x_ in np.ndindex(x.shape):
        result[y, x_] = (padded[y : y + 3, x_ : x_ + 3] * kernel).sum()
    return result


def smoothness_plainly(
    cam, boundary, present, *, edge_alpha, weights, pixel_size, derivatives, padding, edge_weight
) -> float:
    """Equations 3 to 5, class by class and pixel by pixel."""

    def psi(s: float) -> float:
        return np.sqrt(s**2 + 1e-6)

    losses = []
    for image, class_id in np.argwhere(present.numpy() == 1):
        score, edge = cam[image, class_id].numpy(), boundary[image, class_id].numpy()
        pixels = np.zeros(score.shape)
        for order, weight in zip((1, 2), weights, strict=True):
            for kernel in KERNELS[derivatives][order]:
                change = correlate(score, kernel, padding) / pixel_size**order
                step = correlate(edge, kernel, padding) if edge_weight == "gradient" else edge
                for pixel in np.ndindex(score.shape):
                    relax = np.exp(-edge_alpha * abs(step[pixel]))
                    pixels[pixel] += weight * psi(abs(change[pixel]) * relax)
        losses.append(np.mean(pixels))
    return float(np.mean(losses)) if losses else 0.0


@given(
    height=st.integers(1, 5),
    width=st.integers(1, 5),
    seed=st.integers(0, 99),
    edge_alpha=st.sampled_from([0.0, 1.0, 10.0]),
    pixel_size=st.sampled_from([1.0, 0.5, 2.8]),
    derivatives=st.sampled_from(["differences", "sobel"]),
    padding=st.sampled_from(["replicate", "zeros"]),
    edge_weight=st.sampled_from(["gradient", "value"]),
)
@settings(max_examples=80)
def test_smoothness_as_the_paper_and_its_code_write_it(height, width, seed, **forms):
    cam = rand(2, 3, height, width, seed=seed)
    boundary = (rand(2, 3, height, width, seed=seed + 1) < 0.3).double()
    present = (rand(2, 3, seed=seed + 2) < 0.6).double()
    weights = (1.0, 10.0)
    loss = smooth(cam, boundary, present=present, order_weights=weights, **forms)
    expected = smoothness_plainly(cam, boundary, present, weights=weights, **forms)
    assert loss.item() == pytest.approx(expected)


def test_a_step_and_the_text_of_the_paper_by_hand():
    """A step of 1 along a boundary 2 pixels wide: between them, the boundary does not change."""
    cam = torch.zeros(1, 1, 5, 6, dtype=torch.float64)
    cam[..., 3:] = 1
    change = derive(cam, derivatives="differences", padding="replicate")
    assert change.first[0][0, 0].tolist() == [[0, 0, 1, 0, 0, 0]] * 5
    assert change.second[0][0, 0].tolist() == [[0, 0, 1, -1, 0, 0]] * 5
    assert change.first[1].count_nonzero() == change.second[1].count_nonzero() == 0
    arguments = {"present": torch.ones(1, 1), "order_weights": (1.0, 10.0)}
    loss = smooth(cam, torch.zeros_like(cam), **arguments)
    assert loss.item() == pytest.approx((1 + 10 * 2) / 6, abs=0.03)
    boundary = torch.zeros_like(cam)
    boundary[..., 2:4] = 1  # its first derivative is zero where the CAM's is not, the second is 1
    loss = smooth(cam, boundary, **arguments)
    assert loss.item() == pytest.approx(1 / 6, abs=0.03)
    loss = smooth(cam, boundary, edge_weight="value", **arguments)
    assert loss.item() == pytest.approx(0.022, abs=1e-4)


def test_zeros_outside_are_an_edge_around_the_map():
    cam = torch.full((1, 1, 3, 4), 0.5, dtype=torch.float64)
    change = derive(cam, derivatives="differences", padding="zeros")
    assert change.first[0][0, 0].tolist() == [[0, 0, 0, -0.5]] * 3
    assert change.second[1][0, 0].tolist() == [[-0.5] * 4, [0] * 4, [-0.5] * 4]
    assert sobel(cam, padding="zeros")[0][0, 0].tolist()[1] == [2, 0, 0, -2]
    assert laplacian(cam, padding="zeros")[0, 0].tolist()[1] == [1.5, 0, 0, 1.5]


def test_the_background_counts_as_one_of_all_classes():
    cam, boundary, present = rand(2, 3, 5, 5), torch.zeros(2, 3, 5, 5), torch.ones(2, 3)
    loss = smoothness_loss(cam, boundary, present=present, num_classes=4)
    without = smoothness_loss(cam, boundary, present=present, num_classes=3)
    assert loss.item() == pytest.approx(without.item() * 3 / 4)


def test_a_step_by_hand():
    """A step of 1: Sobel 4 and Laplacian 3 in the columns beside it, on all rows."""
    cam = torch.zeros(1, 1, 5, 6, dtype=torch.float64)
    cam[..., 3:] = 1
    horizontal, vertical = sobel(cam)
    assert horizontal[0, 0].tolist() == [[0, 0, 4, 4, 0, 0]] * 5
    assert vertical.count_nonzero() == 0
    assert laplacian(cam)[0, 0].tolist() == [[0, 0, -3, 3, 0, 0]] * 5
    arguments = {"present": torch.ones(1, 1), "order_weights": (1.0, 10.0)}
    loss = smooth_sobel(cam, torch.zeros_like(cam), **arguments)
    assert loss.item() == pytest.approx((4 + 10 * 3) * 2 / 6, abs=0.02)
    boundary = torch.zeros_like(cam)
    boundary[..., 2:4] = 1  # now the step is allowed: exp(-10) of it remains
    loss = smooth_sobel(cam, boundary, **arguments)
    assert loss.item() == pytest.approx(0.012, abs=1e-4)


@pytest.mark.parametrize(("derivatives", "second"), [("differences", 2), ("sobel", 1)])
def test_constant_maps_are_smooth_up_to_their_border(derivatives, second):
    cam = torch.full((2, 3, 6, 7), 0.7, dtype=torch.float64)
    change = derive(cam, derivatives=derivatives, padding="replicate")
    assert (len(change.first), len(change.second)) == (2, second)
    for derivative in (*change.first, *change.second):
        torch.testing.assert_close(derivative, torch.zeros_like(cam))
    loss = smooth(cam, 0 * cam, present=torch.ones(2, 3), derivatives=derivatives)
    assert loss.item() == pytest.approx(0.001 * (2 * 1 + second * 10))


@pytest.mark.parametrize("smooth", [smooth, smooth_sobel], ids=["paper", "released"])
def test_smoothness_does_not_change_with_mirroring_and_transposing(smooth):
    cam, boundary = rand(1, 2, 6, 6, seed=0), (rand(1, 2, 6, 6, seed=1) < 0.3).double()
    loss = smooth(cam, boundary, present=torch.ones(1, 2))
    for change in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2)):
        changed = smooth(change(cam), change(boundary), present=torch.ones(1, 2))
        assert changed.item() == pytest.approx(loss.item())


def test_absent_classes_do_not_count():
    cam, boundary = rand(2, 3, 5, 5).requires_grad_(), torch.zeros(2, 3, 5, 5)
    present = torch.tensor([[1.0, 0, 0], [0, 0, 1]])
    loss = smooth(cam, boundary, present=present)
    alone = [
        smooth(cam[b : b + 1, k : k + 1], boundary[:1, :1], present=torch.ones(1, 1))
        for b, k in ((0, 0), (1, 2))
    ]
    assert loss.item() == pytest.approx(sum(alone).item() / 2)
    loss.backward()
    assert (cam.grad.flatten(2).abs().sum(-1) > 0).double().equal(present.double())


def test_the_paper_s_mean_counts_absent_classes_and_the_background():
    cam, boundary = rand(2, 3, 5, 5), torch.zeros(2, 3, 5, 5)
    present = torch.tensor([[1.0, 0, 0], [0, 1, 1]])
    loss = smoothness_loss(cam, boundary, present=present, num_classes=4)
    over_present = smooth(cam, boundary, present=present)
    assert loss.item() == pytest.approx(over_present.item() * 3 / (2 * 4))


def test_an_image_without_classes_has_no_loss():
    cam = rand(1, 2, 4, 4).requires_grad_()
    loss = smooth(cam, torch.zeros(1, 2, 4, 4), present=torch.zeros(1, 2))
    loss.backward()
    assert loss == 0 and cam.grad.count_nonzero() == 0


def test_the_pixel_size_is_the_unit_of_length():
    """The same ramp, on pixels half as large, has the same slope."""
    coarse = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    fine = torch.arange(0.25, 8, 0.5).sub(0.5).view(1, 1, 1, 16).expand(1, 1, 16, 16)
    slopes = [sobel(x)[0][..., 4, 4] / size for x, size in ((coarse, 1.0), (fine, 0.5))]
    torch.testing.assert_close(*slopes)


def test_boundary_loss_by_hand():
    """Probabilities 3/4 for a boundary and 1/4 for none: a good guess has a small loss."""
    logits = torch.tensor([np.log(3), -np.log(3)]).view(1, 1, 1, 2)
    boundary = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    assert boundary_loss(logits, boundary).item() == pytest.approx(np.log(4 / 3))
    assert boundary_loss(-logits, boundary).item() == pytest.approx(np.log(4))


def test_boundary_loss_of_probabilities_saturates():
    """sigmoid(20) is 1 in single precision: of the logit a wrong guess costs 20, of that 100."""
    logits = torch.tensor([2.0, 20.0]).view(2, 1, 1, 1).requires_grad_()
    boundary = torch.zeros(2, 1, 1, 1)
    losses = [boundary_loss(logits, boundary, of=of) for of in ("logits", "probabilities")]
    likely = np.log(1 + np.exp(2))
    assert losses[0].item() == pytest.approx((likely + 20) / 2)
    assert losses[1].item() == pytest.approx((likely + 100) / 2)
    gradients = [torch.autograd.grad(loss, logits)[0].flatten() for loss in losses]
    assert gradients[0][1] == 0.5 and gradients[1][1] == 0
    torch.testing.assert_close(gradients[0][0], gradients[1][0])


@pytest.mark.parametrize("of", ["logits", "probabilities"])
def test_boundary_loss_as_the_formula(of):
    logits, boundary = 6 * rand(2, 3, 4, 5) - 3, (rand(2, 3, 4, 5, seed=1) < 0.3).double()
    prob = 1 / (1 + np.exp(-logits.numpy()))
    expected = -np.log(np.where(boundary.numpy() == 1, prob, 1 - prob)).mean()
    assert boundary_loss(logits, boundary, of=of).item() == pytest.approx(expected)


def test_gradients():
    cam = rand(2, 2, 4, 5).requires_grad_()
    boundary = (rand(2, 2, 4, 5, seed=1) < 0.3).double()
    present = torch.tensor([[1.0, 0], [1, 1]], dtype=torch.float64)
    assert gradcheck(lambda x: smooth(x, boundary, present=present), (cam,))
    assert gradcheck(lambda x: smooth_sobel(x, boundary, present=present, padding="zeros"), (cam,))
    assert gradcheck(boundary_loss, (cam, boundary))
    assert gradcheck(partial(boundary_loss, of="probabilities"), (cam, boundary))


def test_boundaries_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"boundary has shape \(1, 2, 1, 4\); .*\(1, 2, 4, 4\)"):
        smooth(rand(1, 2, 4, 4), torch.zeros(1, 2, 1, 4), present=torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"boundary has shape \(1, 1, 4, 4\); .*\(1, 2, 4, 4\)"):
        boundary_loss(rand(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))


def test_present_classes_that_are_not_those_of_the_map_are_refused():
    with pytest.raises(ValueError, match=r"present has shape \(1, 1\); expected \(1, 2\)"):
        smooth(rand(1, 2, 4, 4), torch.zeros(1, 2, 4, 4), present=torch.ones(1, 1))


@pytest.mark.parametrize("padding", ["replicate", "zeros"])
def test_gradients_of_the_derivatives(padding):
    x = rand(1, 2, 3, 4).requires_grad_()
    assert gradcheck(partial(sobel, padding=padding), (x,))
    assert gradcheck(partial(laplacian, padding=padding), (x,))


@pytest.mark.parametrize("num_classes", [4, None])
@pytest.mark.parametrize("operators", OPERATORS)
@pytest.mark.parametrize("present", [[[1.0, 0, 1], [0, 1, 0]], [[0.0, 0, 0], [0, 0, 0]]])
def test_present_classes_by_themselves_have_the_loss_of_all(num_classes, operators, present):
    """And its gradient, which absent classes have none of."""
    label = torch.tensor(present)
    pairs = present_pairs(label)
    choices = {"operators": OPERATORS[operators], "num_classes": num_classes}
    cam = rand(2, 3, 6, 7).requires_grad_()
    boundary = rand(2, 3, 6, 7, seed=1)
    alone = smoothness_loss(
        take(cam, pairs),
        take(boundary, pairs),
        present=torch.ones(len(pairs), 1),
        num_images=2,
        **choices,
    )
    found = (alone, *torch.autograd.grad(alone, cam))
    loss = smoothness_loss(cam, boundary, present=label, **choices)
    expected = (loss, *torch.autograd.grad(loss, cam))
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)
    assert found[1][label == 0].abs().max() == 0
