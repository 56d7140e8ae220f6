"""The classes of the demo dataset: things that differ in shape and material.

A small network learns a material within minutes. To learn shapes alone, it would need far more
pictures. Backgrounds and clutter have any pattern in any colours, so that a single pixel does not
reveal its class.
"""

from typing import NamedTuple

from wsss_core.prepare.demo.shapes import Shape, arrow, crescent, cross, heart, ring, star
from wsss_core.prepare.demo.textures import (
    Material,
    checker,
    fractal_noise,
    gradient,
    marble,
    speckles,
    stripes,
)


class Thing(NamedTuple):
    """The properties of a class.

    Attributes:
        shape: Draws an outline in the unit disc.
        material: The material of the whole thing.
    """

    shape: Shape
    material: Material


CLASSES = {
    "arrow": Thing(arrow, Material(stripes, hue=30)),
    "crescent": Thing(crescent, Material(marble, hue=210)),
    "cross": Thing(cross, Material(checker, hue=0)),
    "heart": Thing(heart, Material(speckles, hue=320)),
    "ring": Thing(ring, Material(gradient, hue=90)),
    "star": Thing(star, Material(fractal_noise, hue=55)),
}
