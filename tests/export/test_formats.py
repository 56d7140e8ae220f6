"""Tests of exported networks: every format gives the same outputs at every size."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.layers import AvgPool2dSame, Conv2dSame
from torch import Tensor, nn

from tests.models.tiny_backbone import tiny_backbone
from tests.runtime.small_disk import small_disk
from wsss_core.cli.export import describe, main
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.image_pyramid import image_pyramid
from wsss_core.data.weights import save_weights
from wsss_core.export.check import check_outputs, reference
from wsss_core.export.formats import FORMATS, load_format, smallest_side, write_format
from wsss_core.export.network import PortableSegmenter
from wsss_core.export.plain_ops import make_plain
from wsss_core.models.deeplab import Aspp, DeepLab, build_deeplab
from wsss_core.models.folding import FoldedConv2d
from wsss_core.runtime.errors import UserError
from wsss_core.stages.segment import segment_pyramid
from wsss_core.stages.train_segmenter import segmenter_metadata

CLASSES = ("red thing", "grün")


def _tiny(*, scales: tuple[float, ...] = (0.75, 0.5), is_cornered: bool = False) -> DeepLab:
    torch.manual_seed(0)
    backbone = tiny_backbone(is_cornered=is_cornered)
    head = Aspp(6, 3, rates=(1, 2))
    for branch in head.branches:
        nn.init.normal_(branch.weight, std=1.0)  # so that not all pixels are of one class
    return DeepLab(backbone, head, scales=scales).eval()


def _built(name: str, *, output_stride: int = 8, **config: object) -> DeepLab:
    backbone = BackboneConfig(name=name, output_stride=output_stride)
    torch.manual_seed(0)
    network = build_deeplab(
        SegmenterConfig(backbone=backbone, epochs=1, **{"rates": (2,), **config}), num_classes=3
    )
    return network.eval()


def _noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8)


@given(
    batch=st.integers(1, 3),
    height=st.integers(32, 90),
    width=st.integers(32, 90),
    is_cornered=st.booleans(),
    scales=st.sampled_from([(), (0.5,), (0.75, 0.6)]),
)
@settings(max_examples=30)
def test_the_portable_network_computes_the_same(batch, height, width, is_cornered, scales):
    network = _tiny(scales=scales, is_cornered=is_cornered)
    image = _noise(batch, 3, height, width)
    prob, mask = PortableSegmenter(network)(image)
    expected, expected_mask = reference(network, image)
    torch.testing.assert_close(prob, expected, atol=1e-5, rtol=0)
    assert mask.shape == (batch, height, width)
    assert (mask != expected_mask).float().mean() < 1e-3


def test_the_reference_is_what_the_workflow_does():
    network = _tiny()
    image = _noise(1, 3, 67, 90)
    prob, mask = reference(network, image)
    pyramid = image_pyramid("x", image[0].permute(1, 2, 0).numpy(), scales=(1.0,), flip=False)
    segmentation = segment_pyramid(network, pyramid)
    torch.testing.assert_close(prob[0], torch.from_numpy(segmentation.prob), atol=1e-5, rtol=0)
    assert (mask[0].numpy() == segmentation.mask).all()
    assert len(mask.unique()) == 3


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("test_byobnet", {"head": "deeplabv3", "rates": (1, 2)}),  # pools before strides
        ("tf_efficientnet_lite0", {"output_stride": 16}),  # 'same' padding, unrolled dilation
        ("resnet10t", {"multi_scale": (0.5,)}),  # padded and moved up
    ],
)
def test_networks_agree(name, config):
    network = _built(name, **config)
    portable = PortableSegmenter(network)
    difference = check_outputs(portable, network, smallest_side=64, what=name)
    assert difference.prob < 1e-4
    kinds = {type(module) for module in portable.modules()}
    assert not kinds & {Aspp, AvgPool2dSame, Conv2dSame, FoldedConv2d}
    assert FoldedConv2d in {type(module) for module in network.modules()}  # is not changed


def test_resnet38d_agrees(narrow_resnet38d):
    network = _built("resnet38d", head="large_fov", multi_scale=(0.75,))
    check_outputs(PortableSegmenter(network), network, smallest_side=64, what="resnet38d")


@pytest.mark.parametrize("kernel", [1, 2, 3, (3, 5)])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding_is_that_of_timm(kernel, stride):
    layers = nn.Sequential(
        Conv2dSame(2, 3, kernel, stride=stride), AvgPool2dSame(kernel, stride=stride)
    )
    image = torch.rand(1, 2, 16, 24)
    expected = layers(image)
    make_plain(layers)
    torch.testing.assert_close(layers(image), expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit.load:FutureWarning")
@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_agrees_and_tells_about_itself(tmp_path, format_name):
    network = _tiny(scales=(0.5,))
    segmenter = PortableSegmenter(network)
    metadata = describe(network, CLASSES, smallest_side=smallest_side(segmenter))
    path = tmp_path / f"x{FORMATS[format_name].suffix}"
    write_format(format_name, segmenter, path, metadata)
    run = load_format(format_name, path)
    difference = check_outputs(run, network, smallest_side=64, what=format_name)
    assert difference.prob < 1e-5
    told = _read_metadata(path)
    assert told["classes"] == ["background", *CLASSES]
    assert told["mean"] == [0.5, 0.5, 0.5]
    assert told["smallest_side"] == 64


def _read_metadata(path: Path) -> dict[str, object]:
    extra: dict[str, str | bytes] = {"metadata.json": ""}
    if path.suffix == ".onnx":
        session = onnxruntime.InferenceSession(path)
        assert session.get_inputs()[0].shape == ["batch", 3, "height", "width"]
        texts = session.get_modelmeta().custom_metadata_map
        return {
            key: json.loads(text) if text[0] in "[{0123456789" else text
            for key, text in texts.items()
        }
    if path.suffix == ".pt2":
        torch.export.load(path, extra_files=extra)
    else:
        torch.jit.load(path, _extra_files=extra)
    return json.loads(extra["metadata.json"])


def test_a_file_that_differs_is_refused():
    network = _tiny()
    with torch.no_grad():
        other = _tiny()
        other.head.branches[0].bias[1] += 0.5
    expected = r"onnx: for pictures \(1, 3, 64, 96\) its probabilities differ from the network's by"
    with pytest.raises(UserError, match=expected):
        check_outputs(PortableSegmenter(other), network, smallest_side=64, what="onnx")


@pytest.fixture
def weights(tmp_path) -> Path:
    backbone = BackboneConfig(name="test_byobnet", output_stride=16)
    config = SegmenterConfig(backbone=backbone, epochs=1, rates=(1,))
    network = build_deeplab(config, num_classes=3)
    metadata = segmenter_metadata(config, CLASSES)
    save_weights(tmp_path / "weights.pt", network.state_dict(), metadata)
    return tmp_path / "weights.pt"


@pytest.mark.filterwarnings("ignore:.*torch.jit.load:FutureWarning")
def test_the_command_writes_a_checked_file(weights, tmp_path, capsys):
    out = tmp_path / "out"
    main(["--weights", str(weights), "--format", "torchscript", "--name", "n", str(out)])
    assert [path.name for path in out.iterdir()] == ["n.torchscript.pt"]
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}/n.torchscript.pt: ")
    assert said.err == ""
    training = _read_metadata(out / "n.torchscript.pt")["training"]
    assert training["config"]["backbone"]["name"] == "test_byobnet"


def test_what_cannot_be_exported_is_one_line(weights, tmp_path, monkeypatch):
    def write(*_: object) -> None:
        raise RuntimeError("no such operator\n  and a long story")

    monkeypatch.setitem(FORMATS, "onnx", FORMATS["onnx"]._replace(write=write))
    expected = "^this network cannot be exported as onnx: no such operator$"
    with pytest.raises(UserError, match=expected):
        main(["--weights", str(weights), "--format", "onnx", str(tmp_path / "out")])
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.parametrize("format_name", FORMATS)
def test_a_full_disk_is_one_line(weights, tmp_path, format_name):
    with small_disk(tmp_path / "disk", "size=16k"):
        out = tmp_path / "disk" / "out"
        with pytest.raises(UserError) as error:
            main(["--weights", str(weights), "--format", format_name, str(out)])
        assert str(error.value) == (
            f"{out}/segmenter{FORMATS[format_name].suffix}: No space left on device; expected more "
            "room on this disk; the next run goes on from what is finished"
        )
        assert list(out.iterdir()) == []
