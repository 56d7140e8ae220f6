"""The archives and the source of the dataset."""

import hashlib
import os
from pathlib import Path

from wsss_core.download.archive_table import read_archives
from wsss_core.config.dataset import ARCHIVE
from wsss_core.prepare.voc.devkit import devkit_places, sbd_places

ARCHIVES = read_archives()


wildcard_constraints:
    archive="|".join(ARCHIVES),


def archive_content(wildcards):
    """Describes an archive and its unpacked files, without its addresses."""
    return ARCHIVES[wildcards.archive].model_dump_json(exclude={"urls"})


def archive_sources(wildcards):
    return list(getattr(EXPERIMENT.archives, wildcards.archive))


def archives_directory(wildcards):
    return EXPERIMENT.archives.directory


def unpacked(archive):
    """Returns the directory that unpack_archive makes."""
    return f"{EXPERIMENT.archives.directory}/{archive}/{ARCHIVES[archive].root}"


def unpacked_note(archive):
    """Returns the note of unpack_archive: the input of rules that read the unpacked directory."""
    return f"{DATASET}/archives/{archive}.unpacked.json"


def data_dir(wildcards):
    return DATA


def split_files(*splits):
    """Lists the files of image ids in the prepared dataset."""
    return [f"{DATA}/splits/{split}.txt" for split in dict.fromkeys(splits)]


def has_test_part():
    """Tells whether the dataset will have images that are only segmented, not scored."""
    dataset = EXPERIMENT.dataset
    if "test" in SPLITS:
        return False
    if dataset.source == "folder":
        return Path(dataset.folder, "splits", "test.txt").is_file()
    if dataset.source == "voc" and dataset.voc.id_lists:
        return Path(dataset.voc.id_lists, "test.txt").is_file()
    return dataset.source == "voc" and dataset.voc.test is not None


HAS_TEST = has_test_part()
LEARNING_SPLITS = split_files("train_aug", *SPLITS)
ALL_SPLITS = LEARNING_SPLITS + split_files(*(["test"] if HAS_TEST else []))

# Tables of each kind of source, relative to its directories.
SOURCE_TABLES = {
    "folder": ["labels.*", "*.json", "annotations/*.json", "classes.txt", "splits/*.txt"],
    "voc": ["ImageSets/Segmentation/*.txt", "train.txt", "val.txt"],
}
VOC_FOLDERS = ["Annotations", "JPEGImages", "SegmentationClass", "cls"]
VOC_PLACES = {"devkit": devkit_places, "test": devkit_places, "sbd": sbd_places}
VOC_ARCHIVES = {"devkit": "voc_trainval", "test": "voc_test", "sbd": "sbd"}


def voc_archives():
    """Returns the archives to download, by config key."""
    voc = EXPERIMENT.dataset.voc
    return {key: name for key, name in VOC_ARCHIVES.items() if getattr(voc, key) == ARCHIVE}


def source_roots():
    """Lists the user's directories for tables and pictures; some may not exist."""
    dataset = EXPERIMENT.dataset
    if dataset.source == "folder":
        return [Path(dataset.folder)]
    if dataset.source == "demo":
        return []
    given = dataset.voc.model_dump(exclude={*voc_archives(), "id_lists"}, exclude_none=True)
    return [place for key, path in given.items() for place in VOC_PLACES[key](Path(path))]


def source_inputs():
    """Lists the existing tables of the source, and the notes of archives."""
    dataset = EXPERIMENT.dataset
    patterns = SOURCE_TABLES.get(dataset.source)
    tables = [path for root in source_roots() for name in patterns for path in root.glob(name)]
    notes = []
    if dataset.source == "voc":
        notes = [unpacked_note(archive) for archive in voc_archives().values()]
        tables += Path(dataset.voc.id_lists).glob("*.txt") if dataset.voc.id_lists else []
    return notes + [str(path) for path in sorted(tables) if path.is_file()]


def source_places():
    """Lists the files and folders with the user's pictures, each with its root directory."""
    is_voc = EXPERIMENT.dataset.source == "voc"
    return [
        (root, place)
        for root in source_roots()
        for place in ([root / name for name in VOC_FOLDERS] if is_voc else sorted(root.glob("*")))
        if place.exists() and os.path.realpath(place) != os.path.realpath("results")
    ]


def source_pictures(wildcards):
    """Computes a digest of names, sizes and times of the user's pictures.

    There are too many pictures to be inputs of the rule. If the pictures lie outside the project,
    the digest includes their folder: the dataset links to them by absolute path, and these links
    must be made again if the folder moves.
    """
    tables, project = set(source_inputs()), os.path.realpath(".")
    digest = hashlib.sha256()
    for root, place in source_places():
        real = Path(os.path.realpath(place))
        if not real.is_relative_to(project):
            digest.update(os.fsencode(real))
        below = sorted(Path(d, name) for d, _, names in os.walk(place) for name in names)
        for path in below if place.is_dir() else [place]:
            if str(path) not in tables and path.is_file():  # false for a broken link
                status = path.stat()
                words = f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n"
                digest.update(os.fsencode(words))
    return digest.hexdigest()[:16] if source_roots() else None


def source_options(wildcards):
    """Returns the options that describe the source; archives need not be unpacked yet."""
    dataset = EXPERIMENT.dataset
    files = {"folder": dataset.folder} if dataset.source == "folder" else {}
    if dataset.source == "voc":
        files = dataset.voc.model_dump()
        files |= {key: unpacked(archive) for key, archive in voc_archives().items()}
    rest = [] if shards_in("train_only") else ["--all-eval"]
    return ["--source", dataset.source, *cli_options(files, *files), *rest]
