"""Writes PASCAL VOC 2012 and SBD in their official layout, with pictures of noise.

`python -m tests.prepare.voc.devkit DIRECTORY` writes one of VOC's size, for time measurements.
"""

import argparse
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.sparse import csc_matrix

from wsss_core.data.images import write_mask
from wsss_core.prepare.id_lists import read_ids
from wsss_core.prepare.voc.lists import TRAIN_AUG, class_names

CLASSES = class_names()
TRAIN = [f"2007_{i:06}" for i in range(1, 11)]  # image i has classes i and i + 10
VAL = [f"2009_{i:06}" for i in range(1, 4)]  # cat; dog; cat and person
SBD_TRAIN = ["2008_000001", "2008_000002", TRAIN[0]]  # cat; dog
SBD_VAL = ["2008_000003", VAL[0]]  # horse
UNLISTED = ["2010_000001"]
TEST = ["2008_900001", "2008_900002"]
LABELS = {
    **{image_id: (CLASSES[i], CLASSES[i + 10]) for i, image_id in enumerate(TRAIN)},
    **dict(zip(VAL, [("cat",), ("dog",), ("cat", "person")], strict=True)),
    "2008_000001": ("cat",),
    "2008_000002": ("dog",),
    "2008_000003": ("horse",),
    UNLISTED[0]: ("boat",),
}
SIZE = (40, 30)  # width, height


def write_tiny_voc(root: Path) -> Path:
    """Writes VOCdevkit/VOC2012 of both archives, and benchmark_RELEASE, into three directories."""
    write_trainval(root / "trainval", LABELS, train=TRAIN, val=VAL)
    write_test(root / "test", TEST)
    masks = {image_id: mask_of(LABELS[image_id]) for image_id in {*SBD_TRAIN, *SBD_VAL}}
    write_sbd(root / "sbd", masks, train=SBD_TRAIN, val=SBD_VAL)
    return root


def write_trainval(
    root: Path,
    labels: Mapping[str, Iterable[str]],
    *,
    train: Sequence[str],
    val: Sequence[str],
    size: tuple[int, int] = SIZE,
) -> Path:
    """Writes VOCdevkit/VOC2012 of the trainval archive; returns it."""
    devkit = root / "VOCdevkit" / "VOC2012"
    for name in ("Annotations", "JPEGImages", "SegmentationClass", "SegmentationObject"):
        (devkit / name).mkdir(parents=True)
    for name in ("Action", "Layout", "Main", "Segmentation"):
        (devkit / "ImageSets" / name).mkdir(parents=True)
    photographs = [jpeg(seed, size) for seed in range(8)]
    for i, (image_id, names) in enumerate(labels.items()):
        (devkit / "Annotations" / f"{image_id}.xml").write_text(annotation(image_id, names))
        (devkit / "JPEGImages" / f"{image_id}.jpg").write_bytes(photographs[i % 8])
    for image_id in (*train, *val):
        mask = mask_of(labels[image_id], size=size, void=True)
        write_mask(devkit / "SegmentationClass" / f"{image_id}.png", mask)
    for split, ids in (("train", train), ("val", val), ("trainval", sorted({*train, *val}))):
        write_lines(devkit / "ImageSets" / "Segmentation" / f"{split}.txt", ids)
    return devkit


def write_test(root: Path, ids: Sequence[str]) -> Path:
    """Writes VOCdevkit/VOC2012 of the archive of test images, without what no one knows."""
    devkit = root / "VOCdevkit" / "VOC2012"
    for name in ("Annotations", "JPEGImages", "ImageSets/Segmentation"):
        (devkit / name).mkdir(parents=True)
    for seed, image_id in enumerate(ids):
        (devkit / "JPEGImages" / f"{image_id}.jpg").write_bytes(jpeg(seed, SIZE))
    write_lines(devkit / "ImageSets" / "Segmentation" / "test.txt", ids)
    return devkit


def write_sbd(
    root: Path, masks: Mapping[str, np.ndarray], *, train: Sequence[str], val: Sequence[str]
) -> Path:
    """Writes benchmark_RELEASE/dataset; returns it."""
    dataset = root / "benchmark_RELEASE" / "dataset"
    for name in ("cls", "img", "inst"):
        (dataset / name).mkdir(parents=True)
    for image_id, mask in masks.items():
        write_mat(dataset / "cls" / f"{image_id}.mat", mask)
    write_lines(dataset / "train.txt", train)
    write_lines(dataset / "val.txt", val)
    return dataset


def write_mat(path: Path, mask: np.ndarray) -> None:
    """Writes a class segmentation as SBD has it."""
    boundaries = np.empty((len(CLASSES), 1), dtype=object)
    for k in range(len(CLASSES)):
        boundaries[k, 0] = csc_matrix(mask.shape, dtype=bool)
    present = np.setdiff1d(np.unique(mask), [0])[:, None]
    fields = {"Boundaries": boundaries, "Segmentation": mask, "CategoriesPresent": present}
    savemat(path, {"GTcls": fields}, do_compression=True)


def annotation(image_id: str, names: Iterable[str], *, difficult: Iterable[str] = ()) -> str:
    """XML of an image's objects; persons have a part, as where its layout is annotated."""
    objects = [_object(name, difficult=False) for name in names]
    objects += [_object(name, difficult=True) for name in difficult]
    return (
        "<annotation>\n\t<folder>VOC2012</folder>\n"
        f"\t<filename>{image_id}.jpg</filename>\n"
        "\t<source>\n\t\t<database>The VOC2008 Database</database>\n\t</source>\n"
        f"\t<segmented>1</segmented>\n{''.join(objects)}</annotation>\n"
    )


def _object(name: str, *, difficult: bool) -> str:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    part = f"\t\t<part>\n\t\t\t<name>head</name>\n\t\t\t{box}\n\t\t</part>\n"
    return (
        f"\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<pose>Unspecified</pose>\n"
        f"\t\t<truncated>0</truncated>\n\t\t<difficult>{int(difficult)}</difficult>\n"
        f"\t\t{box}\n{part if name == 'person' else ''}\t</object>\n"
    )


def mask_of(
    names: Iterable[str], *, size: tuple[int, int] = SIZE, void: bool = False
) -> np.ndarray:
    """A stripe of each class, perhaps with a void column at the left."""
    width, height = size
    mask = np.zeros((height, width), dtype=np.uint8)
    for i, name in enumerate(names):
        mask[4 * i + 2 : 4 * i + 5, 2:-2] = CLASSES.index(name) + 1
    if void:
        mask[:, 0] = 255
    return mask


def jpeg(seed: int, size: tuple[int, int]) -> bytes:
    """A photograph of smooth noise, about as large as a real one of its size."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 256, (size[1] // 6 + 1, size[0] // 6 + 1, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC).save(buffer, format="JPEG")
    return buffer.getvalue()


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes a list of ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    """Writes a trainval devkit of 17,125 images: the true train_aug, and others by number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(100, 75), metavar=("W", "H"))
    args = parser.parse_args()
    train_aug = read_ids(TRAIN_AUG)
    others = [f"2013_{i:06}" for i in range(17125 - len(train_aug))]
    labels = {
        image_id: (CLASSES[i % 20], CLASSES[(i + 7) % 20])
        for i, image_id in enumerate(train_aug + others)
    }
    size = (args.size[0], args.size[1])
    write_trainval(args.directory, labels, train=train_aug[:1464], val=others[:1449], size=size)


if __name__ == "__main__":
    main()
