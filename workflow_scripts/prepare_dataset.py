"""Makes a prepared dataset from PASCAL VOC, from a folder, or from the generated demo images."""

import argparse
import os
from pathlib import Path

from wsss_core.config.dataset import DatasetConfig
from wsss_core.prepare.demo.generate import draw_dataset
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.source import Source, check_all_eval, choose_classes
from wsss_core.prepare.voc.source import read_voc
from wsss_core.runtime.atomic import staging_dir, writing_errors
from wsss_core.runtime.errors import run_command
from wsss_core.stages.prepare_dataset import prepare_dataset


def parse_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=["voc", "folder", "demo"], required=True)
    parser.add_argument("--folder", type=Path, help="the folder (for --source folder)")
    parser.add_argument("--devkit", type=Path, help="unpacked VOC 2012 (for --source voc)")
    parser.add_argument("--test", type=Path, help="unpacked VOC 2012 with the test images")
    parser.add_argument("--sbd", type=Path, help="unpacked SBD, whose masks are added")
    parser.add_argument("--id-lists", type=Path, help="<split>.txt to replace VOC's own lists")
    parser.add_argument("--output", type=Path, required=True, help="directory to fill")
    parser.add_argument("--scored-splits", nargs="*", default=["train", "val"], metavar="SPLIT")
    parser.add_argument("--all-eval", action="store_true", help="all training images are scored")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="worker processes")
    parser.add_argument("--config", help="config section 'dataset' as JSON")
    arguments = parser.parse_args()
    if arguments.source == "folder" and arguments.folder is None:
        parser.error("--source folder needs --folder")
    if arguments.source == "voc" and arguments.devkit is None:
        parser.error("--source voc needs --devkit")
    return arguments


def prepare(
    source: Source, args: argparse.Namespace, findings: Findings, *, link: bool = True
) -> None:
    """Prepares the dataset from a source with the options of the command line."""
    section = dataset_section(args)
    if section.classes:
        source = choose_classes(source, section.classes)
    if args.all_eval:
        check_all_eval(source, scored_splits=args.scored_splits)
    prepare_dataset(
        source,
        args.output,
        findings=findings,
        workers=args.threads,
        link=link,
        longest_side=section.longest_side,
    )


def dataset_section(args: argparse.Namespace) -> DatasetConfig:
    """Returns the config section, or default values without --config."""
    if args.config:
        return DatasetConfig.model_validate_json(args.config)
    return DatasetConfig(name="dataset", source="demo")


def main() -> None:
    """Prepares the dataset."""
    args = parse_arguments()
    findings = Findings()
    scored = args.scored_splits
    if args.source == "folder":
        source = read_folder(args.folder, scored_splits=scored, findings=findings)
        prepare(source, args, findings)
    elif args.source == "voc":
        others = {"test": args.test, "sbd": args.sbd, "id_lists": args.id_lists}
        prepare(read_voc(args.devkit, scored_splits=scored, **others), args, findings)
    else:
        place = args.output.with_name(f"{args.output.name}_drawn")
        with writing_errors(place), staging_dir(place) as drawn:
            draw_dataset(drawn, dataset_section(args).demo, workers=args.threads)
            source = read_folder(drawn, scored_splits=scored, findings=findings)
            prepare(source, args, findings, link=False)


if __name__ == "__main__":
    run_command(main)
