"""Makes a prepared dataset of a folder in the dataset layout, or draws the demo dataset."""

import argparse
import os
from pathlib import Path

from wsss_core.atomic import staging_dir
from wsss_core.config.dataset import DatasetConfig, DemoConfig
from wsss_core.demo.generate import draw_dataset
from wsss_core.errors import run_command
from wsss_core.folder import read_folder
from wsss_core.prepare import prepare_dataset
from wsss_core.source import check_all_scored


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", choices=["folder", "demo"], required=True)
    parser.add_argument("--root", type=Path, help="the folder (for --source folder)")
    parser.add_argument("--output", type=Path, required=True, help="directory to fill")
    parser.add_argument("--scored-splits", nargs="+", default=["train", "val"], metavar="SPLIT")
    parser.add_argument("--all-scored", action="store_true", help="no other images are trained on")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="worker processes")
    parser.add_argument("--config", help="JSON of the config section dataset (for --source demo)")
    arguments = parser.parse_args()
    if arguments.source == "folder" and arguments.root is None:
        parser.error("--source folder needs --root")
    return arguments


def prepare_root(root: Path, args: argparse.Namespace, *, link: bool) -> None:
    """Prepares what is in a folder."""
    source = read_folder(root, scored_splits=args.scored_splits)
    if args.all_scored:
        check_all_scored(source, scored_splits=args.scored_splits)
    prepare_dataset(source, args.output, workers=args.threads, link=link)


def main() -> None:
    """Prepares the dataset."""
    args = parse_arguments()
    if args.source == "folder":
        prepare_root(args.root, args, link=True)
        return
    config = DatasetConfig.model_validate_json(args.config).demo if args.config else DemoConfig()
    with staging_dir(args.output.with_name(f"{args.output.name}_drawn")) as drawn:
        draw_dataset(drawn, config, workers=args.threads)
        prepare_root(drawn, args, link=False)


if __name__ == "__main__":
    run_command(main)
