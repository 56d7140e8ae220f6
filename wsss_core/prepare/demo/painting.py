"""Paints a textured form with relief and shadow onto a canvas."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wsss_core.prepare.demo.shapes import Outline
from wsss_core.prepare.demo.textures import Material, Texture, draw_texture

SUPERSAMPLING = 4  # samples per pixel side: edges get 16 levels of coverage
SUBPIXEL_BITS = 4  # OpenCV gets corners in units of 1/16 sample


@dataclass
class Canvas:
    """A picture that is being painted.

    Attributes:
        image: float32 [H, W, 3] RGB in [0, 1].
        instances: int32 [H, W]: number of the topmost object, 0 for background and clutter.
        light: Unit vector (x, y) towards the light.
        shadow: Darkness of shadows in [0, 1]; 0: no shadow.
    """

    image: Texture
    instances: NDArray[np.int32]
    light: tuple[float, float]
    shadow: float

    @property
    def unit(self) -> float:
        """The shorter side in pixels; all lengths scale with it."""
        return float(min(self.instances.shape))


def coverage(outline: Outline, *, height: int, width: int) -> NDArray[np.float32]:
    """Rasterises an outline with smooth edges.

    Args:
        outline: Contours in pixels.
        height: Height of the result in pixels.
        width: Width of the result in pixels.

    Returns:
        float32 [height, width] in [0, 1]: the covered share of each pixel.
    """
    fine = np.zeros((height * SUPERSAMPLING, width * SUPERSAMPLING), dtype=np.uint8)
    scale = SUPERSAMPLING * 2**SUBPIXEL_BITS
    contours = [np.round(contour * scale).astype(np.int32) for contour in outline]
    cv2.fillPoly(fine, contours, 255, shift=SUBPIXEL_BITS)
    return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)


def paint(
    canvas: Canvas,
    rng: np.random.Generator,
    outline: Outline,
    *,
    instance: int,
    material: Material | None = None,
) -> int:
    """Paints a form over the present content of the canvas.

    Args:
        canvas: The canvas, which is changed in place.
        rng: Draws the texture and the depth of the relief.
        outline: Contours in pixels.
        instance: Number of the object, 0 for clutter.
        material: Material of the form; None: any pattern in any colours.

    Returns:
        The number of pixels that the form covers.
    """
    rows, columns = _bounding_box(canvas, outline)
    view = canvas.image[rows, columns]
    if view.size == 0:
        return 0
    origin = (columns.start, rows.start)
    height, width = view.shape[:2]
    alpha = coverage([c - origin for c in outline], height=height, width=width)
    _cast_shadow(canvas, view, alpha)
    fill = _contrasting_texture(canvas, rng, view, alpha, material)
    fill = np.clip(fill * _relief(canvas, rng, alpha)[:, :, None], 0, 1)
    view += alpha[:, :, None] * (fill - view)
    inside = alpha > 0.5
    canvas.instances[rows, columns][inside] = instance
    return int(inside.sum())


def _bounding_box(canvas: Canvas, outline: Outline) -> tuple[slice, slice]:
    """Returns the part of the canvas that the form and its shadow can change."""
    points = np.concatenate(outline)
    margin = 0.15 * canvas.unit
    size = np.array(canvas.instances.shape[::-1])
    low = np.clip(np.floor(points.min(axis=0) - margin), 0, size).astype(int)
    high = np.clip(np.ceil(points.max(axis=0) + margin), 0, size).astype(int)
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _cast_shadow(canvas: Canvas, view: Texture, alpha: NDArray[np.float32]) -> None:
    """Darkens the area behind the form, on the side away from the light."""
    length = 0.04 * canvas.unit
    shift = np.array([[1, 0, -length * canvas.light[0]], [0, 1, -length * canvas.light[1]]])
    shadow = cv2.warpAffine(alpha, shift, alpha.shape[::-1])
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.025 * canvas.unit)
    view *= 1 - canvas.shadow * shadow[:, :, None]


def _contrasting_texture(
    canvas: Canvas,
    rng: np.random.Generator,
    view: Texture,
    alpha: NDArray[np.float32],
    material: Material | None,
) -> Texture:
    """Draws a fill; tries three times to get a mean colour that differs from the surroundings."""
    height, width = alpha.shape
    around = view[alpha < 0.5].mean(axis=0) if (alpha < 0.5).any() else view.mean(axis=(0, 1))
    for _ in range(3):
        fill = draw_texture(rng, height=height, width=width, unit=canvas.unit, material=material)
        if np.linalg.norm(fill.mean(axis=(0, 1)) - around) > 0.25:
            break
    return fill


def _relief(
    canvas: Canvas, rng: np.random.Generator, alpha: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Returns each pixel's factor of brightness for a form that bulges towards the viewer."""
    bulge = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.01, 0.04) * canvas.unit)
    slope_x, slope_y = cv2.Sobel(bulge, cv2.CV_32F, 1, 0), cv2.Sobel(bulge, cv2.CV_32F, 0, 1)
    lit = -(slope_x * canvas.light[0] + slope_y * canvas.light[1])
    return (1 + rng.uniform(0, 0.5) * lit).astype(np.float32)
