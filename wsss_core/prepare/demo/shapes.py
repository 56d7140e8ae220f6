"""Outlines of the demo dataset's six classes and of its clutter.

An outline is a list of closed contours, float [N, 2], in a unit disc around the origin. A point is
inside the outline if it is inside an odd number of contours. A second contour can thus be a hole.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Contour = NDArray[np.float64]
Outline = list[Contour]
Shape = Callable[[np.random.Generator], Outline]


def arrow(rng: np.random.Generator) -> Outline:
    """Draws an arrow with a straight shaft."""
    shaft, neck = rng.uniform(0.26, 0.34), rng.uniform(-0.15, 0.05)
    head = rng.uniform(0.7, 0.85)
    upper = [(-1.0, shaft), (neck, shaft), (neck, head), (1.0, 0.0)]
    return [_polygon([*upper, *((x, -y) for x, y in reversed(upper[:-1]))])]


def crescent(rng: np.random.Generator) -> Outline:
    """Draws a crescent: a disc minus a smaller, shifted disc."""
    shift, radius = rng.uniform(0.6, 0.75), rng.uniform(0.66, 0.76)
    x = (shift**2 + 1 - radius**2) / (2 * shift)
    y = np.sqrt(1 - x**2)
    outer = np.arctan2(y, x)
    inner = np.arctan2(y, x - shift)
    there = _arc(outer, 2 * np.pi - outer, radius=1.0)
    back = _arc(2 * np.pi - inner, inner, radius=radius) + np.array([shift, 0.0])
    return [np.concatenate([there, back]) + np.array([0.25, 0.0])]


def cross(rng: np.random.Generator) -> Outline:
    """Draws a cross of two equal bars."""
    arm = rng.uniform(0.34, 0.42)
    quarter = np.array([(1.0, -arm), (1.0, arm), (arm, arm)])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    corners = [quarter @ np.linalg.matrix_power(turn, k) for k in range(4)]
    return [_polygon(np.concatenate(corners))]


def heart(rng: np.random.Generator) -> Outline:
    """Draws a heart, by the usual trigonometric curve."""
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return [np.stack([x / 17, -(y + 2.5) / 17 * rng.uniform(0.95, 1.1)], axis=1)]


def ring(rng: np.random.Generator) -> Outline:
    """Draws a ring: a disc with a round hole."""
    hole = rng.uniform(0.3, 0.42)
    return [_arc(0, 2 * np.pi, radius=radius) for radius in (1.0, hole)]


def star(rng: np.random.Generator) -> Outline:
    """Draws a star with five points."""
    return [_spikes(5, inner=rng.uniform(0.5, 0.6))]


def regular_polygon(rng: np.random.Generator, *, corners: int) -> Outline:
    """Draws a regular polygon with slightly moved corners."""
    angles = (np.arange(corners) + rng.uniform(-0.2, 0.2, corners)) * 2 * np.pi / corners
    return [_polygon(np.stack([np.cos(angles), np.sin(angles)], axis=1))]


def ellipse(rng: np.random.Generator) -> Outline:
    """Draws an ellipse, more or less flat."""
    return [_arc(0, 2 * np.pi, radius=1.0) * [1.0, rng.uniform(0.4, 1.0)]]


def half_disc(rng: np.random.Generator) -> Outline:
    """Draws the part of a disc on one side of a straight cut."""
    half_angle = rng.uniform(0.35, 0.65) * np.pi
    return [_arc(-half_angle, half_angle, radius=1.0)]


def blob(rng: np.random.Generator) -> Outline:
    """Draws a round form with a few soft bulges."""
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = 0.75 * np.ones_like(t)
    for waves in (2, 3, 4):
        radius += rng.uniform(0, 0.14) * np.cos(waves * t + rng.uniform(0, 2 * np.pi))
    return [np.stack([radius * np.cos(t), radius * np.sin(t)], axis=1)]


def bar(rng: np.random.Generator) -> Outline:
    """Draws a long thin stripe, straight or bent."""
    x = np.linspace(-1.0, 1.0, 24)
    half_width = rng.uniform(0.03, 0.09)
    middle = rng.uniform(-0.4, 0.4) * x**2
    there = np.stack([x, middle + half_width], axis=1)
    back = np.stack([x, middle - half_width], axis=1)[::-1]
    return [np.concatenate([there, back])]


CLUTTER: tuple[Shape, ...] = (
    partial(regular_polygon, corners=3),
    partial(regular_polygon, corners=4),
    partial(regular_polygon, corners=6),
    ellipse,
    half_disc,
    blob,
    bar,
)


def pose(
    rng: np.random.Generator, outline: Outline, *, centre: tuple[float, float], radius: float
) -> Outline:
    """Places an outline in the image after bending, tilting, shearing, turning and scaling it.

    Args:
        rng: Draws the parameters.
        outline: Contours in the unit disc.
        centre: Position (x, y) in pixels.
        radius: Size in pixels.

    Returns:
        The contours in pixels.
    """
    tilt = rng.uniform(-0.22, 0.22, 2)
    bend_phase, bend = rng.uniform(0, 2 * np.pi, 2), rng.uniform(0, 0.05)
    angle, stretch = rng.uniform(0, 2 * np.pi), np.exp(rng.uniform(-0.16, 0.16))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shear = np.array([[stretch, rng.uniform(-0.2, 0.2)], [0.0, 1 / stretch]])
    placed = []
    for contour in outline:
        bent = contour + bend * np.sin(3.0 * contour[:, ::-1] + bend_phase)
        tilted = bent / (1 + bent @ tilt)[:, None]
        placed.append(tilted @ turn @ shear * radius + centre)
    return placed


def _arc(start: float, end: float, *, radius: float) -> Contour:
    angles = np.linspace(start, end, 48)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _spikes(points: int, *, inner: float) -> Contour:
    angles = np.arange(2 * points) * np.pi / points
    radius = np.where(np.arange(2 * points) % 2 == 0, 1.0, inner)[:, None]
    return _polygon(radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))


def _polygon(corners: NDArray[np.float64] | list[tuple[float, float]]) -> Contour:
    """Returns a polygon with extra points along its edges, so that the edges can be bent."""
    starts = np.asarray(corners, dtype=np.float64)
    ends = np.roll(starts, -1, axis=0)
    steps = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
    return (starts[:, None] * (1 - steps) + ends[:, None] * steps).reshape(-1, 2)
