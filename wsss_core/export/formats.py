"""Writes a segmenter in formats that run without this package, and loads such files.

All formats accept any batch size and picture size. Each file holds its metadata: ONNX in
`metadata_props`, the others in the extra file `metadata.json`.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import onnxruntime
import torch
from torch import Tensor

from wsss_core.export.network import PortableSegmenter
from wsss_core.runtime.errors import UserError

METADATA_FILE = "metadata.json"
OUTPUTS = ("prob", "mask")
LARGEST_SIDE = 2**16  # torch.export needs a bound; pictures are far smaller

Run = Callable[[Tensor], tuple[Tensor, Tensor]]


class Format(NamedTuple):
    """A format: the suffix of its files, and the functions that write and load them."""

    suffix: str
    write: Callable[[PortableSegmenter, Path, Mapping[str, Any]], None]
    load: Callable[[Path], Run]


def smallest_side(segmenter: PortableSegmenter) -> int:
    """Returns the smallest height and width: 32 pixels after shrinking to the coarsest scale."""
    return math.ceil(32 / min(segmenter.scales, default=1))


def write_format(
    name: str, segmenter: PortableSegmenter, path: Path, metadata: Mapping[str, Any]
) -> None:
    """Writes a segmenter in one of `FORMATS`.

    Args:
        name: Name of the format.
        segmenter: The segmenter, on the CPU.
        path: The file to write.
        metadata: Plain values to store in the file.

    Raises:
        UserError: The exporter does not support a part of the network.
        OSError: The file cannot be written.
    """
    try:
        with _quiet(), torch.no_grad():
            FORMATS[name].write(segmenter, path, metadata)
    except OSError:
        raise
    except Exception as error:  # exporters can raise anything, and timm adds new networks
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"this network cannot be exported as {name}: {reason}") from error


def load_format(name: str, path: Path) -> Run:
    """Loads a file of `write_format`, and returns a function that runs it on the CPU."""
    with _quiet():
        return FORMATS[name].load(path)


def _write_torchscript(
    segmenter: PortableSegmenter, path: Path, metadata: Mapping[str, Any]
) -> None:
    side = smallest_side(segmenter)
    image = torch.zeros(2, 3, side + 1, side + 2, dtype=torch.uint8)
    # No check_trace: `check_outputs` compares the results, also at other sizes.
    traced = torch.jit.trace(segmenter, (image,), check_trace=False)  # type: ignore[no-untyped-call]
    file = io.BytesIO()  # given a path, torch would abort the process if the disk is full
    torch.jit.save(traced, file, _extra_files={METADATA_FILE: json.dumps(metadata)})
    path.write_bytes(file.getbuffer())


def _load_torchscript(path: Path) -> Run:
    run: Run = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
    return run


def _write_torch_export(
    segmenter: PortableSegmenter, path: Path, metadata: Mapping[str, Any]
) -> None:
    program = _exported_program(segmenter)
    file = io.BytesIO()  # as in _write_torchscript
    torch.export.save(program, file, extra_files={METADATA_FILE: json.dumps(metadata)})
    path.write_bytes(file.getbuffer())


def _load_torch_export(path: Path) -> Run:
    return torch.export.load(path).module()


def _write_onnx(segmenter: PortableSegmenter, path: Path, metadata: Mapping[str, Any]) -> None:
    program = torch.onnx.export(
        _exported_program(segmenter),
        dynamo=True,
        input_names=["image"],
        output_names=OUTPUTS,
        dynamic_shapes={"image": {0: "batch", 2: "height", 3: "width"}},
        verbose=False,
    )
    assert program is not None
    for key, value in metadata.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        program.model.metadata_props[key] = text
    program.save(path)


def _load_onnx(path: Path) -> Run:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(image: Tensor) -> tuple[Tensor, Tensor]:
        prob, mask = session.run(OUTPUTS, {"image": image.numpy()})
        return torch.from_numpy(prob), torch.from_numpy(mask)

    return run


def _exported_program(segmenter: PortableSegmenter) -> torch.export.ExportedProgram:
    least = smallest_side(segmenter)
    sizes = {
        0: torch.export.Dim("batch", min=1, max=LARGEST_SIDE),
        2: torch.export.Dim("height", min=least, max=LARGEST_SIDE),
        3: torch.export.Dim("width", min=least, max=LARGEST_SIDE),
    }
    # Use sizes that no stride divides, since torch.export treats divisible sizes as a special case.
    image = torch.zeros(2, 3, least + 5, least + 7, dtype=torch.uint8)
    return torch.export.export(segmenter, (image,), dynamic_shapes={"image": sizes}, strict=False)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the warnings and logs of exporters, which are for their developers."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


FORMATS = {
    "onnx": Format(".onnx", _write_onnx, _load_onnx),
    "torchscript": Format(".torchscript.pt", _write_torchscript, _load_torchscript),
    "torch_export": Format(".pt2", _write_torch_export, _load_torch_export),
}
