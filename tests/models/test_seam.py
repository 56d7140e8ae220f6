"""Tests of SEAM's network: the pixel correlation module, and the flow of gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.models.tiny_backbone import tiny_backbone
from wsss_core.models import seam
from wsss_core.models.seam import PixelCorrelation, SeamNet, _pcm_score
from wsss_core.ops.cam import EPS
from wsss_core.ops.grid import Grid, even, pixels


@pytest.fixture
def net() -> SeamNet:
    torch.manual_seed(0)
    backbone = tiny_backbone()
    config = dict(pcm_features=(1, 2), pcm_channels=(5, 7))
    return SeamNet(backbone, 3, dropout=0.5, **config)


@pytest.fixture
def pcm() -> PixelCorrelation:
    torch.manual_seed(0)
    return PixelCorrelation((4, 6), (5, 7)).double()


def rand(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def inputs(height: int = 3, width: int = 4, batch: int = 2) -> tuple[Tensor, list[Tensor]]:
    image = rand(batch, 3, height, width, seed=1) - 0.5
    features = [rand(batch, channels, height, width, seed=channels) for channels in (4, 6)]
    return image, features


def cells(image: Tensor, features: list[Tensor]) -> tuple[list[tuple[Tensor, Grid]], Tensor, Grid]:
    """What PCM takes beside scores, where all of it has a value for each cell."""
    grid = pixels((image.shape[-2], image.shape[-1]))
    return [(feature, grid) for feature in features], image, grid


def refine_plainly(pcm: PixelCorrelation, score, image, features) -> np.ndarray:
    """SEAM's PCM cell by cell, all inputs at the score's resolution."""
    weights = [conv.weight.detach().numpy()[:, :, 0, 0] for conv in (*pcm.reduce, pcm.embed)]
    refined = np.zeros(score.shape)
    for index in range(len(score)):
        cells = list(np.ndindex(score.shape[2:]))
        vectors = []
        for y, x in cells:
            reduced = [
                np.maximum(weight @ feature[index, :, y, x].numpy(), 0)
                for weight, feature in zip(weights, features, strict=False)
            ]
            vector = weights[2] @ np.concatenate([image[index, :, y, x].numpy(), *reduced])
            vectors.append(vector / (np.linalg.norm(vector) + 1e-5))
        for (y, x), own in zip(cells, vectors, strict=True):
            similar = [max(float(own @ other), 0) for other in vectors]
            for (other_y, other_x), weight in zip(cells, similar, strict=True):
                value = score[index, :, other_y, other_x].numpy()
                refined[index, :, y, x] += value * weight / (sum(similar) + 1e-5)
    return refined


def test_pcm_as_a_plain_loop(pcm):
    image, features = inputs()
    score = rand(2, 4, 3, 4, seed=9)
    expected = refine_plainly(pcm, score, image, features)
    np.testing.assert_allclose(pcm(score, *cells(image, features)).detach().numpy(), expected)


def test_pcm_gradients(pcm):
    image, features = inputs()
    weights = dict(pcm.named_parameters())

    def refine(score, *values):
        parameters = dict(zip(weights, values, strict=True))
        return torch.func.functional_call(pcm, parameters, (score, *cells(image, features)))

    score = rand(2, 3, 3, 4, seed=9).requires_grad_()
    assert torch.autograd.gradcheck(refine, (score, *weights.values()))


@pytest.mark.parametrize("block", [1, 5 * 12, 12 * 12])
def test_blocks_change_neither_the_result_nor_the_gradients(pcm, monkeypatch, block):
    """Of 12 cells: one by one, 5 and 5 and 2, and all."""
    image, features = inputs()
    score = rand(2, 4, 3, 4, seed=9)
    expected = refine_plainly(pcm, score, image, features)
    whole = torch.autograd.grad(
        pcm(score, *cells(image, features)).square().sum(), pcm.parameters()
    )
    monkeypatch.setattr(seam, "BLOCK_AFFINITIES", block)
    refined = pcm(score, *cells(image, features))
    np.testing.assert_allclose(refined.detach().numpy(), expected)
    torch.testing.assert_close(torch.autograd.grad(refined.square().sum(), pcm.parameters()), whole)


class _PeakMemory(TorchDispatchMode):
    """Bytes of all tensors made while this is active, where most were alive at a time."""

    def __init__(self):
        super().__init__()
        self.peak = 0
        self.storages = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            storage = tensor.untyped_storage()
            self.storages[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.storages = {k: v for k, v in self.storages.items() if not v[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.storages.values()))
        return result


def peak_of_pcm(height, width):
    """Megabytes beside the inputs, which are one number each; nothing is computed on 'meta'."""
    with torch.device("meta"):
        pcm = PixelCorrelation((512, 1024), (64, 128))
        score, *features = (
            torch.zeros(1).expand(1, channels, height, width) for channels in (21, 512, 1024)
        )
        image = torch.zeros(1).expand(1, 3, 8 * height, 8 * width)
    grid = even((8 * height, 8 * width), (height, width))
    with torch.inference_mode(), _PeakMemory() as memory:
        pcm(score, [(feature, grid) for feature in features], image, grid)
    return memory.peak / 1e6


def test_a_photograph_of_500_pixels_at_scale_2_takes_little_memory(monkeypatch):
    assert 67 < peak_of_pcm(84, 125) < 100  # a block is 67 MB, the embedding 8
    monkeypatch.setattr(seam, "BLOCK_AFFINITIES", (84 * 125) ** 2)
    assert peak_of_pcm(84, 125) > 441  # as it is without blocks


def test_a_crop_of_448_pixels_is_one_block():
    assert seam.BLOCK_AFFINITIES // 56**2 >= 56**2


def test_a_cell_gets_a_mean_over_cells(pcm):
    """Weights sum to 1: what is the same everywhere stays, and nothing leaves its range."""
    image, features = inputs()
    constant = pcm(torch.full((2, 4, 3, 4), 0.3).double(), *cells(image, features))
    torch.testing.assert_close(constant, torch.full_like(constant, 0.3), atol=1e-5, rtol=0)
    score = rand(2, 4, 3, 4)
    refined = pcm(score, *cells(image, features))
    assert (refined >= 0).all() and (refined.amax((2, 3)) <= score.amax((2, 3))).all()


def test_equal_cells_get_equal_scores(pcm):
    image, features = inputs()
    for x in (image, *features):
        x[..., 0, 0] = x[..., 2, 3]
    refined = pcm(rand(2, 4, 3, 4), *cells(image, features))
    torch.testing.assert_close(refined[..., 0, 0], refined[..., 2, 3])


def test_pcm_commutes_with_flipping(pcm):
    image, features = inputs()
    score = rand(2, 4, 3, 4)
    flipped = pcm(score.flip(-1), *cells(image.flip(-1), [f.flip(-1) for f in features]))
    torch.testing.assert_close(flipped, pcm(score, *cells(image, features)).flip(-1))


def test_features_and_image_are_read_where_the_cells_lie(pcm):
    """Cells of 2 x 2 pixels, of which the image and a feature map have values that agree."""
    image, features = inputs()
    score = rand(2, 4, 3, 4)
    large = [x.repeat_interleave(2, 2).repeat_interleave(2, 3) for x in (image, features[0])]
    whole, coarse = pixels((6, 8)), even((6, 8), (3, 4))
    refined = pcm(score, [(large[1], whole), (features[1], coarse)], large[0], coarse)
    torch.testing.assert_close(refined, pcm(score, *cells(image, features)))


def test_pcm_detaches_features(pcm):
    image, features = inputs()
    features = [f.requires_grad_() for f in features]
    pcm(rand(2, 4, 3, 4), *cells(image, features)).square().sum().backward()
    assert all(f.grad is None for f in features)
    assert all(p.grad.abs().sum() > 0 for p in pcm.parameters())


def test_the_published_number_of_parameters():
    """f8_3, f8_4 and f9 of resnet38_SEAM; the classifier has no row for background here."""
    published = PixelCorrelation((512, 1024), (64, 128))
    assert sum(p.numel() for p in published.parameters()) == 287_296 - 86_016
    assert published.embed.weight.shape == (192, 195, 1, 1)


def test_what_pcm_spreads_by_hand():
    """Two classes on three cells; each divided by its maximum, then the weaker one dropped."""
    cam_logits = torch.tensor([[4.0, 1.0, -1.0], [1.0, 2.0, 0.5]]).view(1, 2, 1, 3)
    score = _pcm_score(cam_logits)[0, :, 0]
    expected = torch.tensor([[0.0, 0.0, 0.75], [1.0, 0.0, 0.0], [0.0, 1.0, 0.25]])
    torch.testing.assert_close(score, expected, atol=2 * EPS, rtol=0)


def test_without_any_response_all_is_background():
    score = _pcm_score(torch.full((2, 3, 2, 2), -1.0))
    assert torch.equal(score[:, 0], torch.ones(2, 2, 2))
    assert score[:, 1:].count_nonzero() == 0


def test_outputs_at_the_resolution_of_the_features(net):
    output = net.eval()(torch.rand(2, 3, 30, 33))
    assert output.cam_logits.shape == (2, 3, 4, 5)
    assert output.refined_cam.shape == (2, 4, 4, 5)
    assert 0 <= output.refined_cam.min() and output.refined_cam.max() <= 1
    assert [f.shape[1] for f in output.features] == [4, 6]


def test_the_refined_cam_trains_pcm_only(net):
    net(torch.rand(2, 3, 32, 32)).refined_cam.square().sum().backward()
    learning = {name for name, p in net.named_parameters() if p.grad is not None}
    assert learning == {"pcm.reduce.0.weight", "pcm.reduce.1.weight", "pcm.embed.weight"}
    assert all(p.grad.abs().sum() > 0 for p in net.pcm.parameters())


def test_the_cam_trains_all_but_pcm(net):
    net(torch.rand(2, 3, 32, 32)).cam_logits.square().sum().backward()
    learning = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert learning == {"backbone", "classifier"}


def test_inference_gives_the_refined_cam_of_classes(net):
    image = torch.rand(1, 3, 32, 32)
    cam = net.eval().infer(image)
    assert torch.equal(cam, net(image).refined_cam[:, 1:])
    assert cam.is_inference()


def test_a_background_of_its_own_changes_nothing_else(net):
    """A row before those of the classes, which only `background_logits` shows."""
    torch.manual_seed(0)
    config = dict(pcm_features=(1, 2), pcm_channels=(5, 7), background=True)
    with_background = SeamNet(tiny_backbone(), 3, dropout=0.5, **config)
    state = net.state_dict()
    row = torch.randn(1, 6, 1, 1)
    state["classifier.weight"] = torch.cat([row, state["classifier.weight"]])
    with_background.load_state_dict(state)
    image = torch.rand(2, 3, 32, 32)
    output, expected = with_background.eval()(image), net.eval()(image)
    assert expected.background_logits.shape == (2, 0, 4, 4)
    feature = output.features[-1]
    torch.testing.assert_close(output.background_logits, torch.nn.functional.conv2d(feature, row))
    for name in ("cam_logits", "refined_cam"):
        torch.testing.assert_close(getattr(output, name), getattr(expected, name))
    torch.testing.assert_close(with_background.infer_raw(image), net.infer_raw(image))


def test_two_features_are_expected():
    with pytest.raises(ValueError, match="zip"):
        PixelCorrelation((4,), (5, 7))
