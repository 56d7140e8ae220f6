"""Stage prepare_dataset: makes a prepared dataset from any source.

Every image is checked and placed upright and in RGB. Digests of all files are written.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsss_core.prepare.findings import Findings, first_lines
from wsss_core.prepare.inspect import mask_indices, objects_are_at_255, prepare_items
from wsss_core.prepare.place_image import Placing, Prepared
from wsss_core.prepare.source import Source, check_classes_trained
from wsss_core.prepare.summary import summary
from wsss_core.runtime.atomic import move_into_place, staging_dir, writing_errors
from wsss_core.runtime.checked_text import checked_file
from wsss_core.runtime.errors import UserError


def prepare_dataset(
    source: Source,
    output: Path,
    *,
    findings: Findings | None = None,
    workers: int = 1,
    link: bool = True,
    longest_side: int | None = None,
) -> None:
    """Makes a prepared dataset from a source.

    Args:
        source: The tables and files.
        output: Directory to fill with images/, masks/, splits/, labels.csv, classes.txt,
            image_digests.csv, test_digests.csv and mask_digests.csv. Nothing is written if there
            is any error.
        findings: Problems of the tables, found before; they are reported together with the others.
        workers: Number of processes that decode images.
        link: Whether to link unchanged files of the source; otherwise they are moved.
        longest_side: Images with a longer side are shrunk to this; None: never.

    Raises:
        UserError: There is any error; the message lists all errors.
    """
    findings = findings or Findings()
    check_output(source, output)
    if not findings.errors:  # otherwise the same mistakes would be reported twice
        check_classes_trained(source, findings)
    with writing_errors(output), staging_dir(output) as staging:
        for folder in ("images", "masks"):
            (staging / folder).mkdir()
        placing = Placing(
            staging,
            output,
            mask_indices(source),
            objects_at_255=objects_are_at_255(source),
            link=link,
            longest_side=longest_side,
        )
        prepared = prepare_items(source, placing, workers=workers, findings=findings)
        findings.raise_errors()
        write_tables(source, prepared, staging)
        output.mkdir(parents=True, exist_ok=True)
        for path in sorted(staging.iterdir()):
            move_into_place(path, output / path.name)
    sys.stderr.write("".join(f"warning: {text}\n" for text in first_lines(findings.warnings)))
    sys.stdout.write(f"{summary(source, prepared)}\n")


def check_output(source: Source, output: Path) -> None:
    """Refuses to replace files that `prepare_dataset` has not made.

    Raises:
        UserError: The output is the source, or it has images but no image_digests.csv.
    """
    if output.resolve() == source.root.resolve():
        raise UserError(f"the output {output} is the source itself; expected another directory")
    has_files = any(any((output / name).glob("*")) for name in ("images", "masks"))
    if has_files and not (output / "image_digests.csv").is_file():
        raise UserError(f"{output} holds images that were not prepared; expected a new directory")


def write_tables(source: Source, prepared: Sequence[Prepared], output: Path) -> None:
    """Writes classes, labels, splits and digests, sorted: equal content gives equal bytes."""
    _write_lines(output / "classes.txt", source.class_names)
    (output / "splits").mkdir()
    for split, image_ids in source.splits.items():
        _write_lines(output / "splits" / f"{split}.txt", image_ids)
    labels = ([image_id, *label] for image_id, label in sorted(source.labels.items()))
    _write_csv(output / "labels.csv", ["image", *source.class_names], labels)
    # Unlabelled images, which are only segmented, have a file of their own. If they change, nothing
    # that depends on the other images has to run again.
    for name, labelled in (("image_digests.csv", True), ("test_digests.csv", False)):
        images = (
            [p.image_id, p.image_digest]
            for p in prepared
            if (p.image_id in source.labels) == labelled
        )
        _write_csv(output / name, ["image", "sha256"], images)
    masks = ([p.image_id, p.mask_digest] for p in prepared if p.mask_digest)
    _write_csv(output / "mask_digests.csv", ["image", "sha256"], masks)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with checked_file(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (
        checked_file(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
