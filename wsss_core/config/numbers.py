"""Ranges that numbers of several sections share: what somebody may try, and a machine can do."""

from typing import Annotated

from pydantic import Field

SMALLEST_SCALE, LARGEST_SCALE = 0.05, 16  # of a picture of 1024 pixels, that is 51 and 16,384

Weight = Annotated[float, Field(ge=0, le=10_000)]  # of a loss, or of a term of a CRF
Scale = Annotated[float, Field(ge=SMALLEST_SCALE, le=LARGEST_SCALE)]  # of an image's sides
Side = Annotated[int, Field(ge=32, le=8192)]  # of an image or a crop, in pixels
Width = Annotated[float, Field(ge=0.1, le=10_000)]  # of a CRF's kernel: pixels, or steps of 255
Exponent = Annotated[float, Field(gt=0, le=1000)]
Stage = Annotated[int, Field(ge=1, le=64)]  # number of a backbone's feature map
Channels = Annotated[int, Field(ge=1, le=8192)]
Radius = Annotated[int, Field(ge=1, le=256)]  # pixels or cells
Epochs = Annotated[int, Field(ge=0, le=100_000)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Factor = Annotated[float, Field(gt=0, le=10_000)]  # by which a learning rate is multiplied
