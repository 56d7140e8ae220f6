"""What each of the paper's figures shows, and its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

BASELINE, OURS = "seam", "sb"


@dataclass(frozen=True)
class Definition:
    """A figure of the paper.

    Attributes:
        title: what it shows.
        stage: whose results, as in summary.csv.
        methods: of the config, by the title of their column.
        has_truth: whether the true masks are a column.
        count: how many images it shows; 0: it has none.
        rule: how images are chosen where the config names none.
    """

    title: str
    stage: Literal["cam", "random_walk", "segmentation_crf"]
    methods: Mapping[str, str]
    has_truth: bool
    count: int
    rule: str


OTHER_CLASSES = "each of another class where there are enough, images of one class first"
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
        "Failures: class activation maps of classes that lose",
        "cam",
        {"Baseline": BASELINE, "Ours": OURS},
        has_truth=True,
        count=3,
        rule=(
            "the classes whose IoU falls most, or rises least, from seam's CAM to sb's, and of "
            "each the image with the largest loss"
        ),
    ),
    5: Definition(
        "IoU of each class by the share of their images that its objects fill",
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
        rule="sampled so that each class is shown about equally often, not by any result",
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
    """Writes the caption as Markdown: what is shown, of which images, and what was not run.

    Args:
        number: the paper's.
        split: where the images are from.
        image_ids: those shown.
        is_given: whether the config names them.
        commands: by method that was not run, what runs it.
        remarks: further sentences.
    """
    figure = FIGURES[number]
    lines = [f"**Figure {number}.** {figure.title}. Split {split}, first seed of each method."]
    if figure.stage == "cam":
        lines.append("Red is a high score, blue a low one. CAMs are of the image's true classes.")
    if figure.count:
        how = "named by the config, paper.images" if is_given else f"chosen by rule: {figure.rule}"
        shown = f"From above: {', '.join(image_ids)}; " if image_ids else "No images: "
        lines.append(f"{shown}{how}. Which images the paper's own figure shows is not known.")
    lines += remarks
    text = "\n".join(lines) + "\n"
    if commands:
        text += "\nNot run, and what runs it:\n\n"
        text += "".join(f"- {method}: `{command}`\n" for method, command in commands.items())
    return text
