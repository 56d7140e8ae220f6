"""Makes the pictures of the report: for each image, the results of each method and stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wsss_core.data.dataset import Dataset
from wsss_core.data.images import read_mask
from wsss_core.data.mask_files import find_masks
from wsss_core.data.score_maps import ScoreReader
from wsss_core.figures.report.image_scores import Scores
from wsss_core.figures.report.results import Results, Run
from wsss_core.figures.report.thumbnails import cam_address, mask_address, photo_address
from wsss_core.runtime.errors import UserError
from wsss_core.stages.summarise import STAGE_TITLES

MAX_BYTES = 10_000_000  # size of all pictures together; keeps the page below 15 MB


@dataclass(frozen=True)
class Picture:
    """A mask or CAM that the page shows over the image.

    Attributes:
        stage: The stage of the result, as in summary.csv.
        column: Title of its column.
        address: The data URL; "": the method has not reached this stage.
        alternative: Text that describes the picture, for screen readers.
        score: Mean IoU of the image in percent; None: unknown, or shown at another class.
    """

    stage: str
    column: str
    address: str
    alternative: str
    score: float | None


@dataclass(frozen=True)
class Shot:
    """One image.

    Attributes:
        image_id: Id of the image.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
        classes: Classes of its label.
        photo: Data URL of the image.
        truth: Data URL of its true mask; "": there is none, or it is not used for scores.
        methods: The pictures of each method, all with the same columns.
        note: A remark about the image.
    """

    image_id: str
    width: int
    height: int
    classes: tuple[str, ...]
    photo: str
    truth: str
    methods: Mapping[str, Sequence[Picture]]
    note: str = ""

    @property
    def num_bytes(self) -> int:
        """Size in the page, in bytes."""
        overlays = [picture.address for row in self.methods.values() for picture in row]
        return sum(map(len, [self.photo, self.truth, *overlays]))


class RunPictures:
    """Reads the pictures of one run when they are needed."""

    def __init__(self, results: Results, run: Run, dataset: Dataset) -> None:
        """Opens no files yet."""
        self.results, self.run, self.dataset = results, run, dataset

    @cached_property
    def cams(self) -> ScoreReader:
        """The CAMs of the shown images."""
        paths = self.results.shards(self.run, "cam")
        return ScoreReader(paths, kind="cam", class_names=self.dataset.class_names)

    @cached_property
    def masks(self) -> dict[str, dict[str, Path]]:
        """Path of each mask, by stage and image id."""
        stages = [stage for stage in self.run.stages if stage != "cam"]
        return {stage: find_masks(self.results.shards(self.run, stage)) for stage in stages}

    def row(self, image_id: str, scores: Scores) -> Iterator[Picture]:
        """Yields the pictures of one image, column by column."""
        method = self.run.method
        record = self.cams.read(image_id)
        for number, (class_id, plane) in enumerate(
            zip(record.class_ids, record.scores, strict=True)
        ):
            name = self.dataset.class_names[class_id - 1]
            score = scores.get((method, "cam"), {}).get(image_id) if number == 0 else None
            text = f"{method}: CAM of {name}, image {image_id}"
            yield Picture("cam", f"CAM {name}", cam_address(plane), text, score)
        for stage in self.results.stages:
            if stage == "cam":
                continue
            title = STAGE_TITLES[stage]
            if stage not in self.run.stages:
                yield Picture(stage, title, "", f"{method}: {title} was not run", None)
                continue
            if image_id not in self.masks[stage]:
                raise UserError(f"image {image_id} has no mask of {stage}, {method}")
            score = scores.get((method, stage), {}).get(image_id)
            told = "" if score is None else f", mean IoU {score:.1f} percent"
            text = f"{method}: {title} of image {image_id}{told}"
            address = mask_address(read_mask(self.masks[stage][image_id]))
            yield Picture(stage, title, address, text, score)


def draw_shots(
    results: Results,
    dataset: Dataset,
    image_ids: Sequence[str],
    scores: Scores,
    notes: Mapping[str, str],
) -> list[Shot]:
    """Makes the pictures of images, in order, until MAX_BYTES are used.

    Args:
        results: The results of the experiment.
        dataset: The dataset with images and true masks.
        image_ids: Ids of the images, the most important first.
        scores: Scores of single images.
        notes: Remarks about images, by id.
    """
    runs = [RunPictures(results, results.first_run(name), dataset) for name in results.methods]
    shots: list[Shot] = []
    room = MAX_BYTES
    for image_id in image_ids:
        photo = dataset.read_image(image_id)
        truth = dataset.mask_path(image_id)
        label = dataset.labels[image_id]
        shot = Shot(
            image_id=image_id,
            width=photo.shape[1],
            height=photo.shape[0],
            classes=tuple(
                name for name, has in zip(dataset.class_names, label, strict=True) if has
            ),
            photo=photo_address(photo),
            truth=mask_address(read_mask(truth)) if results.splits and truth.is_file() else "",
            methods={run.run.method: list(run.row(image_id, scores)) for run in runs},
            note=notes.get(image_id, ""),
        )
        room -= shot.num_bytes
        if room < 0:
            break
        shots.append(shot)
    return shots
