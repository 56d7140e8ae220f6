"""Makes the pictures of README and tutorials from a finished demo. It needs Chromium.

`python -m docs_tools.pictures results/demo` shows the stages of some images, parts of the report,
and masks of `wsss predict`. With `--curves`, after the run of docs/your-method.md, it shows the
loss curves of that run.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, sync_playwright

from wsss_core.cli.predict import main as predict
from wsss_core.data.dataset import open_dataset
from wsss_core.data.mask_files import find_masks
from wsss_core.data.score_maps import ScoreReader
from wsss_core.figures.qualitative_results import write_qualitative_results

IMAGES = Path(__file__).parents[1] / "docs/images"
STAGES = IMAGES.parent / "demo-qualitative-results.jpg"
CHROMIUM = "/usr/bin/chromium"
SHOWN = "val_0029"  # the image whose row of the report is shown, or else the first of the page
EXAMPLES = ("val_0066", "val_0017", "val_0034")  # images whose stages are shown
SEGMENTED = ("val_0017", "val_0029", "val_0066")
KINDS = (("masks", "png"), ("overlays", "jpg"))  # folders of `wsss predict`, and their files
HEIGHT, GAP = 230, 14  # of pictures of masks, in pixels


def main() -> None:
    """Reads a results folder and writes pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="such as results/demo")
    parser.add_argument("--curves", action="store_true", help="only the loss curves")
    args = parser.parse_args()
    with opened(args.results / "report.html") as page:
        if args.curves:
            save(shot(page, *curves(page)), "loss-curves")
            return
        figures = page.locator("#run figure")
        title = page.locator("#run h1")
        save(shot(page, title, *figures.all(), below=40), "report-top")
        save(shot(page, page.locator("#scores table.numbers").first), "report-scores")
        page.locator("#pictures select").nth(1).select_option(label="best first")
        row = page.locator("#pictures article:visible")
        shown = row.filter(has_text=SHOWN)
        row = (shown if shown.count() else row).first
        parts = row.locator("figure, table img, th").all()
        save(shot(page, row.locator("h3"), *parts), "report-image")
    save(masks(args.results), "predicted-masks")
    draw_stages(args.results)


@contextmanager
def opened(report: Path) -> Iterator[Page]:
    """The report in a browser, with a header that stays at the top of the page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1600}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        page.add_style_tag(content="header.top { position: static !important }")
        page.wait_for_timeout(500)
        yield page
        browser.close()


def curves(page: Page) -> list[Locator]:
    """The charts of the two classifiers of docs/your-method.md."""
    charts = page.locator("#training figure, #training .chart")
    return [charts.filter(has_text=name).first for name in ("seam_extra", "entropy")]


def shot(page: Page, *parts: Locator, below: int = 0) -> Image.Image:
    """The part of a page from the first to the last of some elements, with some space below.

    The first is brought to the top of the window, since what is not in view has no layout yet.
    """
    parts[0].evaluate("element => element.scrollIntoView()")
    page.mouse.wheel(0, -2 * GAP)
    page.wait_for_timeout(500)
    found = [box for box in (part.bounding_box() for part in parts) if box]
    left, upper = (max(0, min(box[key] for box in found) - GAP) for key in ("x", "y"))
    right = max(box["x"] + box["width"] for box in found) + GAP
    lower = max(box["y"] + box["height"] for box in found) + GAP + below
    clip = FloatRect(x=left, y=upper, width=right - left, height=lower - upper)
    return Image.open(io.BytesIO(page.screenshot(clip=clip)))


def draw_stages(results: Path) -> None:
    """Writes a figure of images in rows and stages in columns."""
    dataset, run = open_dataset(results / "data"), results / "sb/seed0"
    cams = ScoreReader(sorted((run / "cam").iterdir()), kind="cam", class_names=dataset.class_names)
    folders = {"pseudo label": "random_walk", "segmentation": "segmentation_crf"}
    found = {title: find_masks([run / folder / "eval-0"]) for title, folder in folders.items()}
    with TemporaryDirectory() as folder:
        path = Path(folder, "stages.png")
        write_qualitative_results(path, dataset, EXAMPLES, cams=cams, masks=found, title="")
        with Image.open(path) as picture:
            smaller = picture.convert("RGB")
            smaller.thumbnail((1000, 1000), Image.Resampling.LANCZOS)
            smaller.save(STAGES, quality=85)


def masks(results: Path) -> Image.Image:
    """Some images in columns: the image, its mask, and both together."""
    images = [results / f"data/images/{name}.jpg" for name in SEGMENTED]
    weights = results / "sb/seed0/segmenter/weights.pt"
    with TemporaryDirectory() as folder:
        predict(["--weights", str(weights), "--crf", *map(str, images), folder])
        columns = []
        for image in images:
            files = [image, *(Path(folder, f"{k}/{image.stem}.{e}") for k, e in KINDS)]
            columns.append([resized(file) for file in files])
    width = sum(column[0].width + GAP for column in columns) - GAP
    sheet = Image.new("RGB", (width, 3 * (HEIGHT + GAP) - GAP), "white")
    left = 0
    for column in columns:
        for row, picture in enumerate(column):
            sheet.paste(picture, (left, row * (HEIGHT + GAP)))
        left += column[0].width + GAP
    return sheet


def resized(path: Path) -> Image.Image:
    """A picture at the height of the sheet."""
    with Image.open(path) as picture:
        size = (round(picture.width * HEIGHT / picture.height), HEIGHT)
        return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def save(picture: Image.Image, name: str) -> None:
    """Writes a picture small enough for the repository."""
    IMAGES.mkdir(exist_ok=True)
    picture.convert("RGB").save(IMAGES / f"{name}.webp", quality=80, method=6)


if __name__ == "__main__":
    main()
