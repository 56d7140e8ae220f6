"""Writes a trained segmenter as a file that runs without this package.

    format        file                    run it with
    onnx          <name>.onnx             ONNX Runtime, or any other program that reads ONNX
    torchscript   <name>.torchscript.pt   torch.jit.load, also from C++
    torch_export  <name>.pt2              torch.export.load(...).module()

Input:
    image  uint8 [batch, 3, height, width], RGB, of any batch size and image size. The file does the
           normalisation.
Outputs, the same as those of `wsss predict --scales 1`:
    prob   float32 [batch, classes, height / 4, width / 4], sizes rounded up, background first
    mask   uint8 [batch, height, width], class indices

The file also holds the class names and other facts: ONNX in metadata_props, the other formats in
the extra file metadata.json.

Before the file is put in its place, it is run on random pictures of several sizes. It must agree
with the network: probabilities differ by at most 0.001, and masks in at most 0.1 % of the pixels.
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
    """Exports a weights file to one format."""
    args = parse(argv)
    network, class_names, trained = load_segmenter(args.weights)
    segmenter = PortableSegmenter(network)
    side = smallest_side(segmenter)
    metadata = describe(network, class_names, smallest_side=side)
    metadata["scale"] = usual_scale(trained)  # factor on the picture's size for the best masks
    metadata["training"] = read_metadata(args.weights)

    path = args.output / f"{args.name}{FORMATS[args.format].suffix}"
    with atomic_file(path) as temporary:
        write_format(args.format, segmenter, temporary, metadata)
        run = load_format(args.format, temporary)
        difference = check_outputs(run, network, smallest_side=side, what=args.format)
    sys.stdout.write(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB; compared with the network, probabilities "
        f"differ by at most {difference.prob:.1g} and masks in {100 * difference.mask:.1g} % of "
        "the pixels\n"
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="wsss export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--weights", type=Path, required=True, help="weights file of a trained segmenter"
    )
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--name", default="segmenter", help="name of the file (%(default)s)")
    parser.add_argument("output", type=Path, help="folder to write to")
    return parser.parse_args(argv)


def describe(network: DeepLab, class_names: Sequence[str], *, smallest_side: int) -> dict[str, Any]:
    """Lists the facts that a user of the file needs and cannot see from it."""
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
