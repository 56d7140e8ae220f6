"""Definitions and captions of the paper's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

BASELINE, OURS = "seam", "sb"


@dataclass(frozen=True)
class Definition:
    """A figure of the paper.

    Attributes:
        title: Title of the figure.
        stage: The stage whose results are shown, as in summary.csv.
        methods: Methods of the config, by title of their column.
        has_truth: Whether the true masks are a column.
        count: Number of images; 0: the figure has no images.
        rule: How images are chosen if the config names none.
    """

    title: str
    stage: Literal["cam", "random_walk", "segmentation_crf"]
    methods: Mapping[str, str]
    has_truth: bool
    count: int
    rule: str


OTHER_CLASSES = "images of different classes if there are enough, images with one class first"
FIGURES = {
    1: Definition(
        "Class activation maps of the basic CAM method, of SEAM and of the paper's method",
        "cam",
        {"CAM": "cam", "SEAM": BASELINE, "Ours": OURS},
        has_truth=False,
        count=2,
        rule=f"the largest gains in mean IoU of sb's CAM over cam's, {OTHER_CLASSES}",
    ),
    3: Definition(
        "Class activation maps of the baseline and of the paper's method",
        "cam",
        {"Baseline": BASELINE, "Ours": OURS},
        has_truth=True,
        count=5,
        rule=f"the largest gains in mean IoU of sb's CAM over seam's, {OTHER_CLASSES}",
    ),
    4: Definition(
        "Failures: class activation maps of classes that get worse",
        "cam",
        {"Baseline": BASELINE, "Ours": OURS},
        has_truth=True,
        count=3,
        rule=(
            "the classes whose IoU falls most, or rises least, from seam's CAM to sb's, and for "
            "each class the image with the largest loss"
        ),
    ),
    5: Definition(
        "IoU of each class by the mean share of its images that its objects fill",
        "random_walk",
        {"Ours": OURS},
        has_truth=False,
        count=0,
        rule="",
    ),
    6: Definition(
        "Segmentations of the paper's method",
        "segmentation_crf",
        {"Ours": OURS},
        has_truth=True,
        count=6,
        rule="sampled so that each class is shown about equally often, whatever the results",
    ),
}


def caption(
    number: int,
    *,
    split: str,
    image_ids: Sequence[str],
    is_given: bool,
    commands: Mapping[str, str],
    remarks: Sequence[str] = (),
) -> str:
    """Writes the caption as Markdown: what is shown, which images, and which methods are missing.

    Args:
        number: Number of the figure in the paper.
        split: The split of the images.
        image_ids: Ids of the shown images.
        is_given: Whether the config names them.
        commands: For each method that was not run: the command that runs it.
        remarks: More sentences.
    """
    figure = FIGURES[number]
    lines = [f"**Figure {number}.** {figure.title}. Split {split}, first seed of each method."]
    if figure.stage == "cam":
        lines.append(
            "Red is a high score, blue a low one. CAMs are those of the image's true classes."
        )
    if figure.count:
        how = "named in the config, paper.images" if is_given else f"chosen by rule: {figure.rule}"
        shown = f"From top to bottom: {', '.join(image_ids)}; " if image_ids else "No images: "
        lines.append(f"{shown}{how}. The paper does not say which images it shows.")
    lines += remarks
    text = "\n".join(lines) + "\n"
    if commands:
        text += "\nMethods that were not run, and the commands that run them:\n\n"
        text += "".join(f"- {method}: `{command}`\n" for method, command in commands.items())
    return text
