"""Segmentation of any pictures with a trained network; one bad picture does not stop the rest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset as TorchDataset

from wsss_core.config.crf import CrfConfig
from wsss_core.config.precision import AskedPrecision, Precision
from wsss_core.config.segment import SegmentConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.image_pyramid import ImagePyramid, image_pyramid, read_ahead
from wsss_core.data.images import read_image
from wsss_core.data.pictures import BadPictureError, read_picture
from wsss_core.models.deeplab import DeepLab
from wsss_core.models.inference import start_inference
from wsss_core.predict.device import choose_device
from wsss_core.predict.enlarge import enlarged_argmax, shrink
from wsss_core.predict.pictures import Picture
from wsss_core.runtime.errors import UserError
from wsss_core.stages.segment import average_logits_of_batch, load_segmenter
from wsss_core.stages.segment_crf import refine_prob

CRF = CrfConfig(  # the values of DeepLab-v2, as in config.yaml
    gaussian_sxy=1.0,
    gaussian_compat=3.0,
    bilateral_sxy=67.0,
    bilateral_srgb=3.0,
    bilateral_compat=4.0,
)
LONGEST_SIDE = 1024
# A GPU processes pictures of one size in batches, up to these numbers of pictures and pixels.
BATCH_SIZE = 8
BATCH_PIXELS = BATCH_SIZE * LONGEST_SIDE**2


class Prediction(NamedTuple):
    """The segmentation of one picture.

    Attributes:
        image: uint8 [H, W, 3], RGB, upright.
        mask: uint8 [H, W], indices of `class_names`; 255 where no class is probable enough.
        scores: float32 [C, h, w], the network's probabilities, which sum to 1, for every fourth
            pixel of the picture or of its shrunk copy. They are always those before a CRF.
        class_names: Background first.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    scores: NDArray[np.float32]
    class_names: tuple[str, ...]


class Failure(NamedTuple):
    """The reason why there is no prediction, in a few words."""

    reason: str


TOO_LARGE = Failure("too large for the GPU's memory; expected a smaller --longest-side")


class _Loaded(NamedTuple):
    image: torch.Tensor  # uint8 [H, W, 3]
    pyramid: ImagePyramid  # of the image or of its shrunk copy


class Segmenter:
    """Segments pictures.

        segmenter = Segmenter.load("results/pets/sb/seed0/segmenter/weights.pt")
        prediction = segmenter("photo.jpg")
        prediction.class_names[prediction.mask[10, 20]]

    Attributes:
        class_names: Background first; masks hold indices of these.
        config: Scales, flip and CRF.
        longest_side: Pictures with a longer side are shrunk to this for the network and the CRF,
            and the scores are enlarged again; 0: never. Other pictures are segmented as in the
            stage `segment`.
        confidence: A pixel is marked as ignored if the probability of its class is lower than this.
        precision: The precision in which the network computes.
    """

    def __init__(
        self,
        network: DeepLab,
        class_names: Sequence[str],
        *,
        config: SegmentConfig,
        longest_side: int = LONGEST_SIDE,
        confidence: float = 0.0,
        precision: Precision = "float32",
    ) -> None:
        """Takes the attributes; `network` is in evaluation mode, on the device that computes."""
        self.network = network
        self.class_names = tuple(class_names)
        self.config = config
        self.longest_side = longest_side
        self.confidence = confidence
        self.precision = precision

    @classmethod
    def load(  # noqa: PLR0913 - the options of `wsss predict`, by their names
        cls,
        weights: str | Path,
        *,
        scales: Sequence[float] | None = None,
        flip: bool = False,
        crf: bool = False,
        longest_side: int = LONGEST_SIDE,
        confidence: float = 0.0,
        device: str = "auto",
        precision: AskedPrecision = "float32",
    ) -> Self:
        """Builds a segmenter from the weights of a trained network.

        Args:
            weights: The file segmenter/weights.pt of a run.
            scales: Factors on the picture's size; the logits of all are averaged. None: the middle
                of the range of factors in training.
            flip: Whether to average with the mirrored picture.
            crf: Whether to refine masks by a dense CRF, which takes seconds per picture.
            longest_side: See the class.
            confidence: See the class.
            device: For example cpu, cuda, cuda:1 or mps. auto: the first GPU, or the CPU without
                one.
            precision: auto: bfloat16 if the device has units for it, otherwise float32.

        Raises:
            UserError: The file holds no such network, or this machine has no such device.
        """
        network, class_names, trained = load_segmenter(Path(weights))
        place = choose_device(device)
        config = SegmentConfig(
            scales=tuple(scales or (usual_scale(trained),)), flip=flip, crf=CRF if crf else None
        )
        return cls(
            network,
            ("background", *class_names),
            config=config,
            longest_side=longest_side,
            confidence=confidence,
            precision=start_inference(network, precision, place),
        )

    def __call__(self, picture: str | Path | Image.Image | NDArray[np.uint8]) -> Prediction:
        """Segments one picture.

        Args:
            picture: A file, a PIL image, or an array, uint8 [H, W, 3], RGB.

        Raises:
            UserError: The picture cannot be read, or the array has another shape or type.
        """
        image = _to_array(picture)
        loaded = _load("", image, config=self.config, longest_side=self.longest_side)
        return self._segment([loaded])[0]

    def each(self, pictures: Sequence[Picture]) -> Iterator[tuple[Picture, Prediction | Failure]]:
        """Segments pictures in order, while the next ones are read.

        A GPU processes successive pictures of one size as a batch.
        """
        items = _Pictures(pictures, config=self.config, longest_side=self.longest_side)
        loaded = read_ahead(items, self.network.backbone.mean.device)
        for size, alike in groupby(zip(pictures, loaded, strict=True), key=_size_for_network):
            if size is None:
                yield from ((picture, item) for picture, item in alike if isinstance(item, Failure))
            while batch := list(islice(alike, self._batch_size(size))):
                names = [picture for picture, _ in batch]
                readable = [item for _, item in batch if isinstance(item, _Loaded)]
                yield from zip(names, self._segment_or_fail(readable), strict=True)

    def _batch_size(self, size: tuple[int, int] | None) -> int:
        if size is None or self.network.backbone.mean.device.type == "cpu":
            return 1  # one picture keeps all cores busy
        return min(BATCH_SIZE, max(1, BATCH_PIXELS // math.prod(size)))

    def _segment_or_fail(self, batch: Sequence[_Loaded]) -> Sequence[Prediction | Failure]:
        try:
            return self._segment(batch)
        except torch.OutOfMemoryError:
            if len(batch) == 1:
                return [TOO_LARGE]
        # Not inside `except`: there, the traceback still holds the memory.
        return [result for one in batch for result in self._segment_or_fail([one])]

    def _segment(self, batch: Sequence[_Loaded]) -> list[Prediction]:
        pyramids = [loaded.pyramid for loaded in batch]
        logits = average_logits_of_batch(self.network, pyramids, precision=self.precision)
        images = [loaded.image.numpy() for loaded in batch]
        return [self._predict(*each) for each in zip(images, logits, strict=True)]

    def _predict(self, image: NDArray[np.uint8], logits: torch.Tensor) -> Prediction:
        size = image.shape[:2]
        prob = logits.softmax(dim=0).cpu().numpy()
        if self.config.crf is None:
            mask = enlarged_argmax(logits, size, confidence=self.confidence)
        else:
            small = shrink(image, self.longest_side)
            classes, refined = refine_prob(small, prob, config=self.config.crf)
            chosen = enlarged_argmax(
                torch.from_numpy(refined), size, confidence=self.confidence, are_logits=False
            )
            names = np.arange(256, dtype=np.uint8)  # 255, for ignored pixels, stays 255
            names[: len(classes)] = classes
            mask = names[chosen]
        return Prediction(image, mask, prob, self.class_names)


def usual_scale(trained: SegmenterConfig) -> float:
    """Returns the middle of the range of factors by which training images were resized."""
    return sum(trained.scale) / 2


def _to_array(picture: str | Path | Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if isinstance(picture, str | Path):
        return read_image(Path(picture))
    if isinstance(picture, Image.Image):
        return np.array(picture.convert("RGB"))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise UserError(
            f"an array of {picture.dtype} {list(picture.shape)}; expected uint8 [height, width, 3]"
        )
    return picture


def _size_for_network(pair: tuple[Picture, _Loaded | Failure]) -> tuple[int, int] | None:
    """Returns the height and width of the network's input for a picture; None if it failed."""
    item = pair[1]
    return None if isinstance(item, Failure) else (item.pyramid.size[0], item.pyramid.size[1])


def _load(
    name: str, image: NDArray[np.uint8], *, config: SegmentConfig, longest_side: int
) -> _Loaded:
    small = shrink(image, longest_side)
    pyramid = image_pyramid(name, small, scales=config.scales, flip=config.flip)
    return _Loaded(torch.from_numpy(image), pyramid)


class _Pictures(TorchDataset[_Loaded | Failure]):
    def __init__(
        self, pictures: Sequence[Picture], *, config: SegmentConfig, longest_side: int
    ) -> None:
        self.pictures = pictures
        self.config = config
        self.longest_side = longest_side

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> _Loaded | Failure:
        name, path = self.pictures[index]
        try:
            image = np.array(read_picture(path).rgb())
        except BadPictureError as error:
            return Failure(str(error))
        return _load(name, image, config=self.config, longest_side=self.longest_side)
