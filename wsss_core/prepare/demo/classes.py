"""The classes of the demo dataset: things that differ by their shape and by what they are made of.

A small network learns a material within minutes; for shapes alone it would need far more pictures.
Grounds and clutter have any pattern in any colours, so that no pixel tells its class by itself.
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
    """What makes a class.

    Attributes:
        shape: Draws an outline in the unit disc.
        material: That all of it is made of.
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
