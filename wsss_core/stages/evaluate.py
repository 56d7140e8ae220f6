"""Stage evaluate: scores one stage of a method and seed against the masks of each split."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from wsss_core.data.dataset import Dataset
from wsss_core.data.images import read_mask
from wsss_core.data.pixel_counts import Cells, count_pixels
from wsss_core.data.score_maps import ScoreReader
from wsss_core.ops.metrics import (
    ThresholdSweep,
    best_class,
    class_iou,
    confusion_matrix,
    mean_iou,
)
from wsss_core.ops.trimap import near_boundary
from wsss_core.runtime.checked_text import checked_file
from wsss_core.runtime.errors import UserError
from wsss_core.runtime.parallel_map import parallel_map
from wsss_core.runtime.progress import progress

KEY_COLUMNS = ("method", "seed", "stage", "split", "threshold", "miou")
# Optional last columns, after those of the classes. They name supervision beyond image-level
# labels, and networks that did not compute in float32. Other experiments do not have them. Their
# values are text, so that no reader can mistake them for the IoU of a class.
EXTRA_COLUMN = "extra_supervision"
PRECISION_COLUMN = "precision"
REMARKS = (EXTRA_COLUMN, PRECISION_COLUMN)
BACKGROUND = "background"
STAGES = ("cam", "random_walk", "segmentation", "segmentation_crf")  # in the order they run
CHUNK_SIZE = 32  # images that a process scores before it returns their sum

Counts = TypeVar("Counts")


@dataclass(frozen=True)
class SplitScore:
    """The score of a stage on one split.

    Attributes:
        split: Name of the split.
        confusion: int64 [C, C], ground truth by row.
        images: Pixel counts of each image, by image id.
        sweep: The sweep over all background thresholds, if the stage has score maps, not masks.
        threshold: The threshold that `confusion` belongs to.
    """

    split: str
    confusion: NDArray[np.int64]
    images: dict[str, Cells]
    sweep: ThresholdSweep | None = None
    threshold: float | None = None


def evaluate_cams(dataset: Dataset, split: str, cams: ScoreReader, *, processes: int) -> SplitScore:
    """Scores CAMs at the background threshold that is best for this split.

    On every split, the CAMs hold only the classes of the image's true label. The score is therefore
    not that of a network that must find the classes itself. As in the literature, each split has
    its own threshold, chosen by its own masks.

    Args:
        dataset: The ground-truth masks.
        split: The split to score.
        cams: Score maps of at least the split's images, in the size of the masks.
        processes: Number of images that are scored at a time.
    """
    total = ThresholdSweep(len(dataset.class_names) + 1)
    work = partial(_sweep_images, dataset=dataset, cams=cams)
    for sweep in _map_chunks(work, _scored_ids(dataset, split), processes=processes, desc=split):
        total.merge(sweep)
    threshold = float(total.thresholds[total.best_threshold()])
    predict = partial(_mask_of_cam, cams=cams, threshold=threshold)
    return replace(
        _score_masks(dataset, split, predict, processes=processes), sweep=total, threshold=threshold
    )


def evaluate_masks(
    dataset: Dataset, split: str, mask_paths: dict[str, Path], *, processes: int
) -> SplitScore:
    """Scores predicted masks.

    Args:
        dataset: The ground-truth masks.
        split: The split to score.
        mask_paths: Predicted mask by image id, for at least the split's images.
        processes: Number of images that are scored at a time.
    """
    predict = partial(_mask_of_file, mask_paths=mask_paths)
    return _score_masks(dataset, split, predict, processes=processes)


def write_scores(
    path: Path,
    scores: Sequence[SplitScore],
    *,
    method: str,
    seed: int,
    stage: str,
    class_names: Sequence[str],
    remarks: Mapping[str, str | None] | None = None,
) -> None:
    """Writes one row per split, in percent: KEY_COLUMNS, then the IoU of each class.

    `threshold` is empty for masks. The IoU of a class is empty if the class is neither in the
    ground-truth masks nor in the predictions of the split.

    Args:
        path: CSV file to write.
        scores: One score per split.
        method: Name of the method.
        seed: Seed of the method.
        stage: Name of the stage, as in summary.csv.
        class_names: The foreground classes.
        remarks: Texts for the last columns REMARKS, by column; None: no such column.
    """
    extra = {name: text for name, text in (remarks or {}).items() if text is not None}
    with checked_file(path) as partial_path, partial_path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*KEY_COLUMNS, BACKGROUND, *class_names, *extra])
        for score in scores:
            threshold = "" if score.threshold is None else f"{score.threshold:.2f}"
            ious = [mean_iou(score.confusion), *class_iou(score.confusion)]
            percent = ["" if np.isnan(iou) else f"{100 * iou:.4f}" for iou in ious]
            row = [method, seed, stage, score.split, threshold, *percent]
            writer.writerow([*row, *extra.values()])


def write_sweep(path: Path, scores: Sequence[SplitScore]) -> None:
    """Writes the mean IoU in percent at each background threshold: split, threshold, miou.

    Args:
        path: CSV file to write.
        scores: One score per split, each with its sweep.
    """
    with checked_file(path) as partial_path, partial_path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "threshold", "miou"])
        for score in scores:
            assert score.sweep is not None, f"{score.split} was scored on masks"
            curve = zip(score.sweep.thresholds, score.sweep.mean_iou(), strict=True)
            writer.writerows([score.split, f"{t:.2f}", f"{100 * miou:.4f}"] for t, miou in curve)


def available_processes() -> int:
    """Returns the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _scored_ids(dataset: Dataset, split: str) -> list[str]:
    """Lists the images of a split; raises UserError if the split cannot be scored."""
    if not dataset.has_split(split):
        raise UserError(f"{dataset.root}: there is no split {split!r} in splits/, cannot score it")
    image_ids = dataset.split(split)
    missing = [image_id for image_id in image_ids if not dataset.mask_path(image_id).is_file()]
    if missing:
        path = dataset.mask_path(missing[0])
        raise UserError(f"{path}: no such mask, expected one for each image of split {split!r}")
    if not image_ids:
        raise UserError(f"{dataset.root}: split {split!r} has no images, cannot score it")
    return image_ids


def _map_chunks(
    work: Callable[[list[str]], Counts], image_ids: list[str], *, processes: int, desc: str
) -> Iterator[Counts]:
    """Yields the result of `work` for each chunk of images, computed by several processes."""
    chunks = [
        image_ids[start : start + CHUNK_SIZE] for start in range(0, len(image_ids), CHUNK_SIZE)
    ]
    with progress(None, total=len(image_ids), desc=f"scoring {desc}") as bar:
        results: Iterable[Counts]
        if min(processes, len(chunks)) > 1:
            results = parallel_map(work, chunks, processes=min(processes, len(chunks)))
        else:  # scoring a few images is faster than starting a process
            results = map(work, chunks)
        for chunk, result in zip(chunks, results, strict=True):
            yield result
            bar.update(len(chunk))


def _sweep_images(image_ids: list[str], *, dataset: Dataset, cams: ScoreReader) -> ThresholdSweep:
    sweep = ThresholdSweep(len(dataset.class_names) + 1)
    for image_id in image_ids:
        record = cams.read(image_id)
        try:
            sweep.add(dataset.read_mask(image_id), record.class_ids, record.scores)
        except ValueError as error:
            raise UserError(f"image {image_id}: cam and mask do not fit: {error}") from error
    return sweep


def _score_masks(
    dataset: Dataset, split: str, predict: Callable[[str], NDArray[np.uint8]], *, processes: int
) -> SplitScore:
    """Compares the mask that `predict` gives for each image of a split with the true one."""
    num_classes = len(dataset.class_names) + 1
    total = np.zeros((num_classes, num_classes), dtype=np.int64)
    images: dict[str, Cells] = {}
    work = partial(_compare_images, dataset=dataset, predict=predict)
    for confusion, cells in _map_chunks(
        work, _scored_ids(dataset, split), processes=processes, desc=split
    ):
        total += confusion
        images |= cells
    return SplitScore(split=split, confusion=total, images=images)


def _compare_images(
    image_ids: list[str], *, dataset: Dataset, predict: Callable[[str], NDArray[np.uint8]]
) -> tuple[NDArray[np.int64], dict[str, Cells]]:
    num_classes = len(dataset.class_names) + 1
    total = np.zeros((num_classes, num_classes), dtype=np.int64)
    images: dict[str, Cells] = {}
    for image_id in image_ids:
        truth, mask = dataset.read_mask(image_id), predict(image_id)
        try:
            total += confusion_matrix(truth, mask, num_classes)
        except ValueError as error:
            raise UserError(
                f"image {image_id}: its mask does not fit the true one: {error}"
            ) from error
        images[image_id] = count_pixels(truth, mask, near_boundary(truth))
    return total, images


def _mask_of_cam(image_id: str, *, cams: ScoreReader, threshold: float) -> NDArray[np.uint8]:
    """Computes the mask of a CAM at a background threshold, by the rule of ThresholdSweep."""
    record = cams.read(image_id)
    best, score = best_class(record.class_ids, record.scores)
    return np.where(score > np.asarray(threshold, dtype=score.dtype), best, 0).astype(np.uint8)


def _mask_of_file(image_id: str, *, mask_paths: dict[str, Path]) -> NDArray[np.uint8]:
    if image_id not in mask_paths:
        raise UserError(f"image {image_id} has no predicted mask, expected {image_id}.png")
    path = mask_paths[image_id]
    try:
        return read_mask(path)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a mask: {error}") from error
