"""boundary: the semantic boundaries of a training crop."""

import tempfile
from pathlib import Path

import numpy as np
import scipy.ndimage
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.pictures import HEIGHT, NUM_CLASSES, WIDTH, mask, two_classes
from benchmarks.rows import Row
from benchmarks.timing import compare, median_seconds, name_of, scaled
from wsss_core.data.images import IGNORE_INDEX, read_mask, write_mask
from wsss_core.data.transforms import Geometry, apply_geometry
from wsss_core.ops.boundary import semantic_boundary

CROP_SIZE = 448
RESIZED = (576, 768)  # training draws the longer side from 448 to 768


def resized_maps(path: Path) -> NDArray[np.float32]:
    """Resizes stored float maps of all classes by splines, as usual (SBNet's data_BD).

    Returns:
        [CROP_SIZE, CROP_SIZE, C].
    """
    maps = np.load(path)
    factors = [new / old for new, old in zip(RESIZED, maps.shape[:2], strict=True)]
    resized = [
        scipy.ndimage.zoom(maps[..., k], factors, order=3).clip(0, 1) for k in range(maps.shape[2])
    ]
    return np.stack(resized, axis=-1)[:CROP_SIZE, :CROP_SIZE].astype(np.float32)


def run(device: torch.device) -> list[Row]:
    """Usual: stored maps, resized in the loader. Ours: label maps, and boundaries of the crop.

    `boundary` is the work of the loader. `boundary_with_step` also includes our work in the
    training step, per crop of a batch of eight.
    """
    rng = np.random.default_rng(0)
    ids = mask(rng, two_classes(rng))
    geometry = Geometry(*RESIZED, flip=False, top=0, left=0, crop_size=CROP_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        png, npy = Path(folder, "mask.png"), Path(folder, "maps.npy")
        write_mask(png, ids)
        maps = semantic_boundary(torch.from_numpy(ids)[None], num_classes=1 + NUM_CLASSES, radius=1)
        assert maps.shape[-2:] == (HEIGHT, WIDTH)
        np.save(npy, maps[0].permute(1, 2, 0).numpy())

        def ours() -> NDArray[np.uint8]:
            return apply_geometry(
                read_mask(png), geometry, interpolation="nearest", fill=IGNORE_INDEX
            )

        crops = torch.from_numpy(np.stack([ours()] * 8)).to(device)
        seconds = compare(ours, lambda: resized_maps(npy), repetitions=3)
        bytes_on_disk = png.stat().st_size, npy.stat().st_size

    def in_step() -> Tensor:
        return semantic_boundary(crops, num_classes=1 + NUM_CLASSES, radius=1)

    in_step_milliseconds = 1000 * median_seconds(in_step) / len(crops)
    milliseconds = scaled(seconds, 1000)
    name = name_of(device)
    both = milliseconds[0] + in_step_milliseconds
    return [
        Row("boundary", *milliseconds, "ms/image", "100x", name),
        Row("boundary_with_step", both, milliseconds[1], "ms/image", "10x", name),
        Row("boundary_disk", *bytes_on_disk, "bytes/image", "100x", name),
    ]
