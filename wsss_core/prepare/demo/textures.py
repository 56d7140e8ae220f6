"""Textures of materials (for things), and of any pattern in any colours (for backgrounds)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # [H, W] in [0, 1]
Texture = NDArray[np.float32]  # [H, W, 3] RGB in [0, 1]
Pattern = Callable[[np.random.Generator, int, int, float], Field]  # height, width, unit

HUE_SPREAD = 12.0  # standard deviation of a material's hue, in degrees


class Material(NamedTuple):
    """A pattern with colours of similar hue.

    Attributes:
        pattern: The pattern.
        hue: Mean hue in degrees.
    """

    pattern: Pattern
    hue: float


def draw_texture(
    rng: np.random.Generator,
    *,
    height: int,
    width: int,
    unit: float,
    material: Material | None = None,
) -> Texture:
    """Draws a texture: a pattern in two or three colours, uneven light, and grain.

    Args:
        rng: Draws everything.
        height: Height in pixels.
        width: Width in pixels.
        unit: Length in pixels by which patterns scale: the shorter side of the image.
        material: The material to show; None: any pattern in any colours.

    Returns:
        float32 [height, width, 3] RGB in [0, 1].
    """
    if material is None:
        pattern = PATTERNS[rng.choice(len(PATTERNS), p=PATTERN_WEIGHTS)]
        texture = colour(rng, pattern(rng, height, width, unit))
    else:
        field = material.pattern(rng, height, width, unit)
        texture = colour(rng, field, hue=material.hue)
    light = fractal_noise(rng, height, width, unit * 0.6) - 0.5
    grain = rng.normal(0, rng.uniform(0.0, 0.03), (height, width, 1)).astype(np.float32)
    texture = texture * (1 + rng.uniform(0, 0.5) * light[:, :, None]) + grain
    return np.clip(texture, 0, 1)


def colour(rng: np.random.Generator, field: Field, *, hue: float | None = None) -> Texture:
    """Colours a field with a ramp of two or three colours.

    Args:
        rng: Draws the colours.
        field: The field to colour.
        hue: Mean hue of the colours in degrees; None: random similar or contrasting hues.
    """
    if hue is None:
        hue, kinship = rng.uniform(0, 360), rng.choice([12.0, 40.0, 120.0], p=[0.5, 0.3, 0.2])
        saturation = rng.beta(2, 2.5)
    else:
        hue, kinship, saturation = hue + rng.normal(0, HUE_SPREAD), 12.0, rng.uniform(0.35, 0.9)
    middle, spread = rng.uniform(0.4, 0.85), rng.uniform(0.08, 0.3)
    num_colours = int(rng.integers(2, 4))
    ramp = np.empty((1, num_colours, 3), dtype=np.float32)
    ramp[0, :, 0] = (hue + rng.uniform(-kinship, kinship, num_colours)) % 360
    ramp[0, :, 1] = np.clip(saturation + rng.uniform(-0.15, 0.15, num_colours), 0, 1)
    values = middle + spread * np.linspace(-1, 1, num_colours)
    ramp[0, :, 2] = np.clip(rng.permutation(values), 0.05, 1)
    colours = cv2.cvtColor(ramp, cv2.COLOR_HSV2RGB)[0]
    stops = np.linspace(0, 1, num_colours)
    channels = [np.interp(field, stops, colours[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=2).astype(np.float32)


def fractal_noise(rng: np.random.Generator, height: int, width: int, unit: float) -> Field:
    """Draws clouds: smooth noise at several scales, from `unit` downwards."""
    noise = np.zeros((height, width), dtype=np.float32)
    for octave in range(4):
        cell = max(unit / 2 / 2**octave, 1.0)
        rows, columns = int(height / cell) + 2, int(width / cell) + 2
        grid = rng.normal(0, 0.5**octave, (rows, columns)).astype(np.float32)
        noise += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return _stretch(noise)


def gradient(rng: np.random.Generator, height: int, width: int, unit: float) -> Field:
    """Draws a straight ramp with some clouds."""
    clouds = fractal_noise(rng, height, width, unit)
    return _stretch(_along(rng, height, width) / unit + rng.uniform(0.05, 0.4) * clouds)


def stripes(rng: np.random.Generator, height: int, width: int, unit: float) -> Field:
    """Draws parallel stripes, more or less wavy, with hard or soft edges."""
    wave = rng.uniform(0, 0.25) * unit * fractal_noise(rng, height, width, unit)
    period = unit * rng.uniform(0.05, 0.22)
    position = (_along(rng, height, width) + wave) / period
    return _harden(np.sin(2 * np.pi * position), rng)


def checker(rng: np.random.Generator, height: int, width: int, unit: float) -> Field:
    """Draws a chequerboard at a random angle, slightly deformed."""
    wave = rng.uniform(0, 0.12) * unit * fractal_noise(rng, height, width, unit)
    angle, period = rng.uniform(0, np.pi), unit * rng.uniform(0.08, 0.25)
    first = (_along(rng, height, width, angle) + wave) / period
    second = (_along(rng, height, width, angle + np.pi / 2) + wave) / period
    return _harden(2.5 * np.sin(2 * np.pi * first) * np.sin(2 * np.pi * second), rng)


def marble(rng: np.random.Generator, height: int, width: int, unit: float) -> Field:
    """Draws veins: level lines of clouds."""
    clouds = fractal_noise(rng, height, width, unit * rng.uniform(0.5, 1.2))
    return _harden(np.sin(2 * np.pi * rng.uniform(1.5, 4.0) * clouds), rng)


def speckles(rng: np.random.Generator, height: int, width: int, unit: float) -> Field:
    """Draws fine irregular dots, like sand or fur."""
    cell = unit * rng.uniform(0.02, 0.06)
    return _stretch(fractal_noise(rng, height, width, cell * 2) ** rng.uniform(0.7, 2.0))


PATTERNS: tuple[Pattern, ...] = (
    fractal_noise,
    gradient,
    stripes,
    checker,
    marble,
    speckles,
)
PATTERN_WEIGHTS = (0.16, 0.24, 0.18, 0.12, 0.18, 0.12)


def _along(rng: np.random.Generator, height: int, width: int, angle: float | None = None) -> Field:
    """Returns the distance in pixels along a direction, by default a random one."""
    angle = rng.uniform(0, 2 * np.pi) if angle is None else angle
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance: Field = (x * np.cos(angle) + y * np.sin(angle)).astype(np.float32)
    return distance


def _harden(wave: NDArray[np.floating], rng: np.random.Generator) -> Field:
    """Maps a wave in [-1, 1] to [0, 1], with edges between soft and sharp."""
    edges: Field = (0.5 + 0.5 * np.tanh(wave * rng.uniform(0.6, 4.0))).astype(np.float32)
    return edges


def _stretch(field: NDArray[np.floating]) -> Field:
    low, high = field.min(), field.max()
    stretched: Field = ((field - low) / max(high - low, 1e-6)).astype(np.float32)
    return stretched
