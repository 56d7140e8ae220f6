"""Reads COCO's JSON, as COCO 2014, CVAT and others write it.

It gives tags, and masks as polygons or run lengths. There is one file, or one file per split:
`instances_train2014.json`, `instances_val2014.json`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from wsss_core.data.dataset import TRAIN_SPLIT
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.labelling import Labelling, Row, collect
from wsss_core.prepare.names import BadNameError, read_class_name

SPLITS = ("train", "val", "test")


def is_coco(content: object) -> bool:
    """Tells whether a JSON file is in COCO's format, with annotations of images."""
    return isinstance(content, dict) and {"images", "annotations", "categories"} <= content.keys()


def read_coco(contents: Mapping[Path, dict[str, Any]], findings: Findings) -> Labelling:
    """Reads the tags, and also the masks if annotations have shapes.

    Args:
        contents: The parsed files of one dataset; each lists all categories.
        findings: Receives the mistakes.

    Raises:
        UserError: A file is not in COCO's format.
    """
    rows: list[Row] = []
    masks: dict[str, ShapeMask] = {}
    ids_of: dict[Path, list[int]] = {}
    class_names: tuple[str, ...] = ()
    for path, content in contents.items():
        try:
            names = _categories(path, content["categories"], findings)
            if class_names and tuple(names.values()) != class_names:
                raise findings.fail(
                    f"{path} has other categories than {next(iter(contents))}; expected the same"
                )
            class_names = tuple(names.values())
            ids_of[path] = list(range(len(rows), len(rows) + len(content["images"])))
            rows += _rows(path, content, names, masks)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise findings.fail(f"{path} is not COCO's format ({error!r})") from None
    labelling = collect("COCO", next(iter(contents)), rows, findings)
    labelling.class_names = class_names
    by_where = {where: image_id for image_id, where in labelling.where.items()}
    labelling.masks = {by_where[w]: mask for w, mask in masks.items() if w in by_where}
    if len(contents) > 1:
        labelling.splits = _splits(
            {
                p: [by_where[rows[i].where] for i in ids if rows[i].where in by_where]
                for p, ids in ids_of.items()
            },
            findings,
        )
    return labelling


def _categories(path: Path, categories: Any, findings: Findings) -> dict[int, str]:
    """Returns class names by category id, in the order of ids; mask indices have this order."""
    names = {}
    for category in sorted(categories, key=lambda category: category["id"]):
        try:
            names[category["id"]] = read_class_name(str(category["name"]))
        except BadNameError as error:
            raise findings.fail(f"{path}: a category is {error}") from None
    return names


def _rows(
    path: Path, content: Any, names: Mapping[int, str], masks: dict[str, ShapeMask]
) -> list[Row]:
    annotations = defaultdict(list)
    for annotation in content["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    index = {category: k for k, category in enumerate(names, start=1)}
    # If the file has shapes, a picture without annotations is all background.
    has_masks = any(a.get("segmentation") for a in content["annotations"])
    rows = []
    for image in content["images"]:
        own = annotations[image["id"]]
        where = f"{path}, image {image['id']}"
        tags = dict.fromkeys(names[a["category_id"]] for a in own)
        rows.append(Row(str(image["file_name"]), tuple(tags), where))
        if has_masks and all(a.get("segmentation") for a in own):
            shapes = [(index[a["category_id"]], a["segmentation"]) for a in own]
            masks[where] = ShapeMask(tuple(shapes), int(image["height"]), int(image["width"]))
    return rows


def _splits(ids_of: Mapping[Path, list[str]], findings: Findings) -> dict[str, list[str]]:
    """Finds the split of each file by the start of its name, after `instances_`."""
    splits = {}
    for path, image_ids in ids_of.items():
        name = re.sub(r"^(instances_|person_keypoints_)", "", path.stem)
        split = next((split for split in SPLITS if name.startswith(split)), None)
        if split is None or split in splits:
            raise findings.fail(
                f"{path} is one of several files of COCO's format; expected one, or "
                "instances_train.json, instances_val.json and instances_test.json"
            )
        splits[split] = image_ids
    if "train" in splits:
        splits[TRAIN_SPLIT] = splits["train"]
    return splits


@dataclass(frozen=True)
class ShapeMask:
    """A mask as COCO stores it.

    Attributes:
        shapes: Class index and `segmentation` of each object, as polygons or run lengths.
        height: Height of the image in pixels.
        width: Width of the image in pixels.
    """

    shapes: tuple[tuple[int, Any], ...]
    height: int
    width: int

    def draw(self) -> NDArray[np.uint8]:
        """Draws uint8 [H, W] class indices; where objects overlap, the smaller one is on top."""
        mask = np.zeros((self.height, self.width), dtype=np.uint8)
        try:
            areas = [(index, self._area(shape)) for index, shape in self.shapes]
        except Exception as error:  # pycocotools raises any kind of error for damaged shapes
            raise ValueError(f"has a shape that cannot be drawn ({error})") from None
        for index, area in sorted(areas, key=lambda pair: -int(pair[1].sum())):
            mask[area] = index
        return mask

    def _area(self, shape: Any) -> NDArray[np.bool_]:
        if isinstance(shape, list):
            runs = coco_mask.merge(coco_mask.frPyObjects(shape, self.height, self.width))
        elif isinstance(shape["counts"], list):
            runs = coco_mask.frPyObjects(shape, self.height, self.width)
        else:
            runs = shape
        area = coco_mask.decode(runs).astype(bool)
        if area.shape != (self.height, self.width):
            raise ValueError(f"{area.shape[1]}x{area.shape[0]}, not {self.width}x{self.height}")
        return area
