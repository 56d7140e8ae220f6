"""Checks a dataset before any training. Prints all errors, all warnings and a summary.

The argument is a folder of pictures and labels, in any form that docs/your-data.md describes. Or
give the config files of an experiment; later files override earlier ones, and all their sections
are checked. The command writes no files. Its exit status is 1 if there are errors.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from wsss_core.config.dataset import ARCHIVE, DatasetConfig
from wsss_core.config.merged import read_experiment
from wsss_core.prepare.findings import Findings, first_lines
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.inspect import mask_indices, objects_are_at_255, prepare_items
from wsss_core.prepare.place_image import Placing
from wsss_core.prepare.source import Source, check_classes_trained, choose_classes
from wsss_core.prepare.summary import summary
from wsss_core.prepare.voc.source import read_voc
from wsss_core.runtime.errors import MistakesError, UserError

USUAL_SPLITS = ("train", "val")  # scored unless the config says otherwise


def main(argv: Sequence[str]) -> None:
    """Checks a dataset and prints the findings."""
    args = parse(argv)
    findings = Findings()
    try:
        source = read_source(args.dataset, findings)
    except MistakesError:
        source = None
    if source is not None:
        if not findings.errors:
            check_classes_trained(source, findings)
        placing = Placing(
            None, Path(), mask_indices(source), objects_at_255=objects_are_at_255(source)
        )
        prepared = prepare_items(source, placing, workers=args.threads, findings=findings)
    lines = [f"error: {text}" for text in first_lines(findings.errors)]
    lines += [f"warning: {text}" for text in first_lines(findings.warnings)]
    if source is not None:
        lines.append(summary(source, prepared))
    sys.stdout.write("\n".join([*lines, f"{counted(findings)}\n"]))
    if findings.errors:
        sys.exit(1)


def counted(findings: Findings) -> str:
    """Counts the errors and warnings, as text: "2 errors, 1 warning"."""
    counts = {"error": len(findings.errors), "warning": len(findings.warnings)}
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items())


def read_source(paths: Sequence[Path], findings: Findings) -> Source:
    """Reads the tables of a dataset: of a folder, or of the dataset that config files name.

    Raises:
        UserError: A file is missing, or the config names a dataset that is not on disk yet.
    """
    if len(paths) == 1 and not paths[0].is_file():
        splits = [name for name in USUAL_SPLITS if (paths[0] / "splits" / f"{name}.txt").is_file()]
        return read_folder(paths[0], scored_splits=splits, findings=findings)
    experiment = read_experiment(paths)
    dataset = experiment.dataset
    source = _of_config(dataset, experiment.evaluation.splits, findings)
    return choose_classes(source, dataset.classes) if dataset.classes else source


def _of_config(dataset: DatasetConfig, splits: Sequence[str], findings: Findings) -> Source:
    if dataset.source == "folder":
        return read_folder(Path(dataset.folder or ""), scored_splits=splits, findings=findings)
    places = dataset.voc.model_dump(exclude_none=True)
    if dataset.source == "demo" or ARCHIVE in places.values():
        raise UserError(
            f"dataset.source is {dataset.source!r}, and its pictures are not on disk yet; expected "
            "a folder, or the paths of an unpacked PASCAL VOC"
        )
    paths = {name: Path(place) for name, place in places.items()}
    return read_voc(paths.pop("devkit"), scored_splits=splits, **paths)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="wsss check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "dataset", type=Path, nargs="+", help="a folder, or one or more config files"
    )
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count(), help="number of processes that read pictures"
    )
    return parser.parse_args(argv)
