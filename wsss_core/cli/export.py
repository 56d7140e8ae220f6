"""Writes a trained segmenter as a file that runs without this package.

    onnx          <name>.onnx             ONNX Runtime and what else reads ONNX
    torchscript   <name>.torchscript.pt   torch.jit.load, also from C++
    torch_export  <name>.pt2              torch.export.load(...).module()

All take `image`, uint8 [batch, 3, height, width] in RGB, of any batch and size; normalisation is
inside. They give `prob`, float32 [batch, classes, height / 4, width / 4] (rounded up), background
first, and `mask`, uint8 [batch, height, width]: what `wsss predict --scales 1` gives. Class names
and more are in the file: in metadata_props of ONNX, else in its extra file metadata.json.

The file is run before it appears, on random pictures of several sizes, and must agree with the
network: probabilities within 0.001, and at most one pixel in a thousand of another class.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsss_core.export.check import check_outputs
from wsss_core.export.formats import FORMATS, load_format, smallest_side, write_format
from wsss_core.export.network import PortableSegmenter
from wsss_core.models.deeplab import DeepLab
from wsss_core.predict.segmenter import usual_scale
from wsss_core.pretrained.files import read_metadata
from wsss_core.runtime.atomic import atomic_file
from wsss_core.stages.segment import load_segmenter


def main(argv: Sequence[str]) -> None:
    """Reads a weights file and writes one of a format."""
    args = parse(argv)
    network, class_names, trained = load_segmenter(args.weights)
    segmenter = PortableSegmenter(network)
    side = smallest_side(segmenter)
    metadata = describe(network, class_names, smallest_side=side)
    metadata["scale"] = usual_scale(trained)  # of pictures, for the best masks
    metadata["training"] = read_metadata(args.weights)

    path = args.output / f"{args.name}{FORMATS[args.format].suffix}"
    with atomic_file(path) as temporary:
        write_format(args.format, segmenter, temporary, metadata)
        run = load_format(args.format, temporary)
        difference = check_outputs(run, network, smallest_side=side, what=args.format)
    sys.stdout.write(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB; from the network's, probabilities differ by "
        f"{difference.prob:.1g} at most, {100 * difference.mask:.1g} % of the masks\n"
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="wsss export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, required=True, help="of a trained segmenter")
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--name", default="segmenter", help="of the file (%(default)s)")
    parser.add_argument("output", type=Path, help="folder to write to")
    return parser.parse_args(argv)


def describe(network: DeepLab, class_names: Sequence[str], *, smallest_side: int) -> dict[str, Any]:
    """What someone who has nothing but the file needs to know."""
    return {
        "classes": ["background", *class_names],
        "image": "uint8 [batch, 3, height, width], RGB, 0..255; normalised inside",
        "prob": "float32 [batch, class, height / 4, width / 4], sizes rounded up; sums to 1",
        "mask": "uint8 [batch, height, width], index into classes",
        "smallest_side": smallest_side,
        "stride": network.backbone.geometry.strides[-1],
        "mean": network.backbone.mean.tolist(),
        "std": network.backbone.std.tolist(),
    }
