"""Tests of depthwise convolutions: the gradients are those of torch's own convolution."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from wsss_core.ops.depthwise import conv2d


def draw(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)


@given(
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.tuples(st.integers(1, 7), st.integers(4, 8)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_gradients_are_those_of_torch(sides, kernel, stride, padding):
    if any(n + 2 * p < k for n, p, k in zip(sides, padding, kernel, strict=True)):
        return  # the kernel does not fit
    x, weight, bias = draw(2, 3, *sides), draw(3, 1, *kernel), draw(3).detach()
    ours = conv2d(x, weight, bias, stride, padding, (1, 1), 3)
    plain = F.conv2d(x, weight, bias, stride, padding, (1, 1), 3)
    torch.testing.assert_close(ours, plain)
    direction = draw(*plain.shape)
    for mine, expected in zip(
        torch.autograd.grad(ours, (x, weight), direction),
        torch.autograd.grad(plain, (x, weight), direction),
        strict=True,
    ):
        torch.testing.assert_close(mine, expected)


def test_gradcheck():
    x, weight, bias = draw(2, 2, 4, 6), draw(2, 1, 5, 5), draw(2).detach()
    assert torch.autograd.gradcheck(
        lambda x, weight: conv2d(x, weight, bias, (1, 1), (2, 2), (1, 1), 2), (x, weight)
    )


def test_the_gradient_of_an_image_is_not_computed():
    x, weight, bias = draw(2, 2, 4, 6).detach(), draw(2, 1, 5, 5), draw(2).detach()
    y = conv2d(x, weight, bias, (1, 1), (2, 2), (1, 1), 2)
    (gradient,) = torch.autograd.grad(y.sum(), weight)
    (expected,) = torch.autograd.grad(F.conv2d(x, weight, padding=2, groups=2).sum(), weight)
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("side", [4, 8, 16])
def test_float32_of_many_channels(memory_format, side):
    """These sizes use the fast kernels of oneDNN."""
    x = draw(4, 32, side, side).float().contiguous(memory_format=memory_format).detach()
    weight, bias = draw(32, 1, 5, 5).float().detach(), draw(32).float().detach()
    weight.requires_grad_(True)
    ours = conv2d(x, weight, bias, (1, 1), (2, 2), (1, 1), 32)
    plain = F.conv2d(x.double(), weight.double(), bias.double(), padding=2, groups=32)
    (gradient,) = torch.autograd.grad(ours.square().mean(), weight)
    (expected,) = torch.autograd.grad(plain.square().mean(), weight)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("learns", ["x", "weight"])
def test_what_learns_is_in_float32_within_autocast(kernel, learns):
    x, weight, bias = draw(2, 4, 9, 9), draw(4, 1, kernel, kernel), draw(4).detach()
    of = {"x": x.bfloat16().detach(), "weight": weight.float().detach()}
    of[learns].requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv2d(of["x"], of["weight"], bias.float(), (1, 1), (1, 1), (1, 1), 4)
    assert y.dtype == torch.float32
    plain = F.conv2d(of["x"].float(), of["weight"], bias.float(), padding=1, groups=4)
    torch.testing.assert_close(y, plain)
    for mine, expected in zip(
        torch.autograd.grad(y.sum(), of[learns]),
        torch.autograd.grad(plain.sum(), of[learns]),
        strict=True,
    ):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize(
    "change",
    [
        {"weight": draw(4, 1, 3, 3)},  # not wide
        {"weight": draw(4, 2, 5, 5), "groups": 2},  # not depthwise
        {"dilation": (2, 2), "padding": (4, 4)},
        {"padding": "same"},
        {"weight": draw(4, 1, 5, 5).detach()},  # not trained
    ],
)
def test_other_convolutions_are_left_to_torch(change):
    usual = {"weight": draw(4, 1, 5, 5), "stride": (1, 1), "padding": (2, 2), "dilation": (1, 1)}
    arguments = {**usual, "bias": draw(4).detach(), "groups": 4, **change}
    y = conv2d(draw(2, 4, 9, 9), **arguments)
    assert type(y.grad_fn).__name__ == "ConvolutionBackward0"


def test_inference_is_left_to_torch():
    tensors = [draw(*shape).float() for shape in ((2, 4, 9, 9), (4, 1, 5, 5), (4,))]
    arguments = *tensors, (1, 1), (2, 2), (1, 1), 4
    with torch.inference_mode():
        assert conv2d(*arguments).shape == (2, 4, 9, 9)
        with torch.autocast("cpu", torch.bfloat16):
            assert conv2d(*arguments).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("groups", "grad", "is_by_cudnn"), [(4, False, False), (4, True, True), (1, False, True)]
)
def test_inference_on_a_gpu_uses_the_kernel_for_all_sizes(groups, grad, is_by_cudnn, monkeypatch):
    """On tensors that have a GPU as their device and no numbers."""
    found = []

    def watched(*args):
        found.append(torch.backends.cudnn.enabled)
        return convolve(*args)

    convolve = F.conv2d
    monkeypatch.setattr(F, "conv2d", watched)
    with FakeTensorMode(), torch.set_grad_enabled(grad):
        x, bias = torch.empty(2, 4, 9, 9, device="cuda"), torch.empty(4, device="cuda")
        weight = torch.empty(4, 4 // groups, 5, 5, device="cuda", requires_grad=grad)
        assert conv2d(x, weight, bias, (1, 1), (2, 2), (1, 1), groups).shape == (2, 4, 9, 9)
    assert found == [is_by_cudnn]
    assert torch.backends.cudnn.enabled


@pytest.mark.gpu
@pytest.mark.parametrize("dilation", [1, 2])
def test_inference_on_a_gpu_finds_what_a_cpu_finds(dilation):
    arguments = [draw(*shape).float().detach() for shape in ((2, 4, 9, 9), (4, 1, 5, 5), (4,))]
    rest = (1, 1), (2 * dilation, 2 * dilation), (dilation, dilation), 4
    with torch.inference_mode():
        expected = conv2d(*arguments, *rest)
        last = [x.cuda() for x in arguments]
        last[0] = last[0].contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(conv2d(*last, *rest).cpu(), expected, rtol=1e-5, atol=1e-5)
