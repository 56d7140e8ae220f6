"""Composes a picture of the demo dataset, with its mask and labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wsss_core.data.images import IGNORE_INDEX
from wsss_core.prepare.demo.classes import CLASSES
from wsss_core.prepare.demo.painting import Canvas, paint
from wsss_core.prepare.demo.shapes import CLUTTER, pose
from wsss_core.prepare.demo.textures import draw_texture

MIN_VISIBLE_SHARE = 0.3  # of an object; if less is visible, its pixels become void (255)
MIN_VISIBLE_AREA = 0.005  # of the image, for an object that counts as visible
THINGS = tuple(CLASSES.values())


@dataclass(frozen=True)
class Scene:
    """A picture with its ground truth.

    Attributes:
        image: uint8 [H, W, 3] RGB.
        mask: uint8 [H, W]: 0 background, k the k-th class, 255 void.
        label: uint8 [K]: 1 for each class in the mask, else 0.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    label: NDArray[np.uint8]


def draw_scene(rng: np.random.Generator, *, size: int, class_id: int) -> Scene:
    """Draws pictures until one shows the given class.

    Args:
        rng: Draws everything.
        size: Longer side in pixels.
        class_id: The class that must be visible, 1..K.
    """
    while True:
        scene = _draw(rng, size=size, class_id=class_id)
        if scene.label[class_id - 1]:
            return scene


def _draw(rng: np.random.Generator, *, size: int, class_id: int) -> Scene:
    canvas = _blank(rng, size=size)
    class_ids = _draw_class_ids(rng, first=class_id)
    for _ in range(rng.integers(2, 7)):
        _paint_clutter(canvas, rng, largest=0.16)
    areas = _paint_objects(canvas, rng, class_ids)
    for _ in range(rng.integers(0, 3)):
        _paint_clutter(canvas, rng, largest=0.12)
    mask = scene_mask(canvas.instances, class_ids, areas)
    label = np.isin(np.arange(1, len(THINGS) + 1), mask).astype(np.uint8)
    return Scene(image=_develop(rng, canvas), mask=mask, label=label)


def _blank(rng: np.random.Generator, *, size: int) -> Canvas:
    sides = [size, int(size * rng.uniform(0.7, 1.0))]
    height, width = rng.permutation(sides)
    angle = rng.uniform(0, 2 * np.pi)
    return Canvas(
        image=draw_texture(rng, height=height, width=width, unit=float(min(sides))),
        instances=np.zeros((height, width), dtype=np.int32),
        light=(float(np.cos(angle)), float(np.sin(angle))),
        shadow=rng.uniform(0.1, 0.6),
    )


def _draw_class_ids(rng: np.random.Generator, *, first: int) -> list[int]:
    """Draws the class of each object: one to three classes, with up to three objects of each."""
    others = rng.permutation([k for k in range(1, len(THINGS) + 1) if k != first])
    classes = [first, *others][: rng.choice([1, 2, 3], p=[0.6, 0.32, 0.08])]
    counts = rng.choice([1, 2, 3], p=[0.8, 0.15, 0.05], size=len(classes))
    return [int(k) for k in rng.permutation(np.repeat(classes, counts))]


def _paint_objects(canvas: Canvas, rng: np.random.Generator, class_ids: list[int]) -> list[int]:
    """Paints the objects back to front; returns the full area of each, hidden parts included."""
    crowd = len(class_ids) ** 0.35
    placed: list[tuple[NDArray[np.float64], float]] = []
    areas = []
    for instance, class_id in enumerate(class_ids, start=1):
        radius = canvas.unit * rng.uniform(0.34, 0.5) / crowd
        centre = _draw_place(canvas, rng, radius, placed)
        placed.append((centre, radius))
        thing = THINGS[class_id - 1]
        outline = pose(rng, thing.shape(rng), centre=tuple(centre), radius=radius)
        areas.append(paint(canvas, rng, outline, instance=instance, material=thing.material))
    return areas


def _draw_place(
    canvas: Canvas,
    rng: np.random.Generator,
    radius: float,
    placed: list[tuple[NDArray[np.float64], float]],
) -> NDArray[np.float64]:
    """Draws a centre; tries 12 times to find one where the object hides little of the others."""
    size = np.array(canvas.instances.shape[::-1])
    margin = min(0.75 * radius, 0.4 * canvas.unit)
    for _ in range(12):
        centre = rng.uniform(margin, size - margin)
        if all(np.linalg.norm(centre - c) > 0.8 * (radius + r) for c, r in placed):
            break
    return centre


def _paint_clutter(canvas: Canvas, rng: np.random.Generator, *, largest: float) -> None:
    shape = CLUTTER[rng.integers(len(CLUTTER))]
    radius = canvas.unit * rng.uniform(0.03, largest)
    centre = rng.uniform([0, 0], canvas.instances.shape[::-1])
    paint(canvas, rng, pose(rng, shape(rng), centre=tuple(centre), radius=radius), instance=0)


def scene_mask(
    instances: NDArray[np.int32], class_ids: list[int], areas: list[int]
) -> NDArray[np.uint8]:
    """Converts object numbers to class indices, with void outlines as in PASCAL VOC.

    Args:
        instances: int32 [H, W]: number of the topmost object, from 1; 0 for no object.
        class_ids: Class of each object.
        areas: Number of pixels of each object, hidden parts included.

    Returns:
        uint8 [H, W] class indices; 255 at outlines and on objects that are mostly hidden.
    """
    lookup = np.zeros(len(class_ids) + 1, dtype=np.uint8)
    for instance, (class_id, area) in enumerate(zip(class_ids, areas, strict=True), start=1):
        visible = np.count_nonzero(instances == instance)
        enough = max(MIN_VISIBLE_SHARE * area, MIN_VISIBLE_AREA * instances.size)
        lookup[instance] = class_id if visible >= enough else IGNORE_INDEX
    mask = lookup[instances]
    width = 1 + 2 * max(1, round(max(instances.shape) / 320))
    kernel = np.ones((width, width), dtype=np.uint8)
    numbers = instances.astype(np.uint8)
    mask[cv2.dilate(numbers, kernel) != cv2.erode(numbers, kernel)] = IGNORE_INDEX
    return mask


def _develop(rng: np.random.Generator, canvas: Canvas) -> NDArray[np.uint8]:
    """Makes the picture look like a photograph: soft focus, exposure, darker corners, noise."""
    image = cv2.GaussianBlur(canvas.image, (0, 0), rng.uniform(0.3, 0.8) * canvas.unit / 150)
    height, width = canvas.instances.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    corners = 1 - rng.uniform(0, 0.2) * (x**2 + y**2)[:, :, None]
    exposure, contrast = rng.uniform(-0.06, 0.06), rng.uniform(0.85, 1.15)
    image = (image * corners - 0.5) * contrast + 0.5 + exposure
    image += rng.normal(0, rng.uniform(0.0, 0.02), image.shape)
    pixels: NDArray[np.uint8] = np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return pixels
