"""Types of numbers that several sections share, with the ranges that make sense."""

from typing import Annotated

from pydantic import Field

SMALLEST_SCALE, LARGEST_SCALE = 0.05, 16  # 51 and 16,384 pixels for an image of 1024

Weight = Annotated[float, Field(ge=0, le=10_000)]  # weight of a loss, or of a term of a CRF
Scale = Annotated[float, Field(ge=SMALLEST_SCALE, le=LARGEST_SCALE)]  # on the size of an image
Side = Annotated[int, Field(ge=32, le=8192)]  # side of an image or crop, in pixels
Width = Annotated[float, Field(ge=0.1, le=10_000)]  # of a CRF kernel, in pixels or colour values
Exponent = Annotated[float, Field(gt=0, le=1000)]
Stage = Annotated[int, Field(ge=1, le=64)]  # number of a backbone's feature map
Channels = Annotated[int, Field(ge=1, le=8192)]
Radius = Annotated[int, Field(ge=1, le=256)]  # pixels or cells
Epochs = Annotated[int, Field(ge=0, le=100_000)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Factor = Annotated[float, Field(gt=0, le=10_000)]  # factor on a learning rate
