"""Layout of the unpacked archives of PASCAL VOC 2012 and SBD.

    VOCdevkit/VOC2012/        ImageSets/Segmentation/<split>.txt  JPEGImages/<id>.jpg
                              Annotations/<id>.xml  SegmentationClass/<id>.png
    benchmark_RELEASE/dataset/  train.txt  val.txt  cls/<id>.mat

Of these, the archive of VOC's test images has only ImageSets and JPEGImages.
"""

from __future__ import annotations

from pathlib import Path

from wsss_core.runtime.errors import UserError

ANNOTATIONS = "Annotations"
IMAGES = "JPEGImages"
MASKS = "SegmentationClass"
SPLITS = "ImageSets/Segmentation"
SBD_MASKS = "cls"
TRAINVAL_PARTS = (ANNOTATIONS, IMAGES, MASKS, SPLITS)
TEST_PARTS = (IMAGES, f"{SPLITS}/test.txt")
SBD_PARTS = (SBD_MASKS, "train.txt", "val.txt")


def devkit_places(path: Path) -> tuple[Path, ...]:
    """Lists where VOC2012 may be: the user's path, or one or two levels below it."""
    return path, path / "VOC2012", path / "VOCdevkit" / "VOC2012"


def sbd_places(path: Path) -> tuple[Path, ...]:
    """Lists where SBD's dataset may be: the user's path, or one or two levels below it."""
    return path, path / "dataset", path / "benchmark_RELEASE" / "dataset"


def find_trainval(path: Path) -> Path:
    """Finds the images and annotations of VOC 2012 for training and validation."""
    return _find(devkit_places(path), TRAINVAL_PARTS, what="unpacked VOC 2012 (trainval)")


def find_test(path: Path) -> Path:
    """Finds the test images of VOC 2012."""
    return _find(devkit_places(path), TEST_PARTS, what="unpacked VOC 2012 (test)")


def find_sbd(path: Path) -> Path:
    """Finds the lists and masks of SBD."""
    return _find(sbd_places(path), SBD_PARTS, what="unpacked SBD")


def _find(places: tuple[Path, ...], parts: tuple[str, ...], *, what: str) -> Path:
    """Returns the first place that has all parts; the error names what the best place lacks."""
    missing = {place: [p for p in parts if not (place / p).exists()] for place in places}
    best = min(places, key=lambda place: len(missing[place]))
    if not missing[best]:
        return best
    if len(missing[best]) == len(parts):
        raise UserError(f"{places[0]} has no {what}; expected a directory with {', '.join(parts)}")
    raise UserError(
        f"{best} has no {', '.join(missing[best])}; expected all of an {what}: unpack it again"
    )
