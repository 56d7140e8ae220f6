"""Builds very small archives in the layouts of the official ones."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

from wsss_core.download.archive_table import Archive

VOC, SBD = "VOCdevkit/VOC2012", "benchmark_RELEASE/dataset"
VOC_MEMBERS = {
    "ImageSets/Segmentation/*.txt": 3,
    "Annotations/*.xml": 2,
    "JPEGImages/*.jpg": 2,
    "SegmentationClass/*.png": 1,
}
SBD_MEMBERS = {"train.txt": 1, "val.txt": 1, "cls/*.mat": 2}
VOC_NAMES = [
    "Annotations/2007_000027.xml",
    "Annotations/2007_000032.xml",
    "ImageSets/Action/jumping_train.txt",
    "ImageSets/Main/train.txt",
    "ImageSets/Segmentation/train.txt",
    "ImageSets/Segmentation/trainval.txt",
    "ImageSets/Segmentation/val.txt",
    "JPEGImages/2007_000027.jpg",
    "JPEGImages/2007_000032.jpg",
    "SegmentationClass/2007_000032.png",
    "SegmentationObject/2007_000032.png",
]
SBD_NAMES = [
    "cls/2008_000002.mat",
    "cls/2008_000003.mat",
    "img/2008_000002.jpg",
    "inst/2008_000002.mat",
    "train.txt",
    "val.txt",
]


def content_of(name: str) -> bytes:
    """Content of a file: some bytes that compress badly, by its name."""
    return b"".join(hashlib.sha512(f"{name} {i}".encode()).digest() for i in range(64))


def member(name: str, **attributes) -> tarfile.TarInfo:
    """A member with attributes of TarInfo."""
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def tar_bytes(root: str, names: list[str], *extra: tarfile.TarInfo) -> bytes:
    """A tar of directories, files, and further members, which come first."""
    buffer = io.BytesIO()
    parents = {parent for name in names for parent in Path(root, name).parents} - {Path()}
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info in extra:
            tar.addfile(info, io.BytesIO(bytes(info.size)))
        for parent in sorted(parents):
            tar.addfile(member(str(parent), type=tarfile.DIRTYPE))
        for name in names:
            content = content_of(name)
            tar.addfile(member(f"{root}/{name}", size=len(content)), io.BytesIO(content))
    return buffer.getvalue()


def voc_bytes(*extra: tarfile.TarInfo, names=VOC_NAMES) -> bytes:
    return tar_bytes(VOC, names, *extra)


def sbd_bytes(*extra: tarfile.TarInfo, names=SBD_NAMES) -> bytes:
    return gzip.compress(tar_bytes(SBD, names, *extra), mtime=0)  # the same bytes at any time


def archive_of(content: bytes, *urls: str, name="voc_trainval", **changes) -> Archive:
    """A row of the table for such a tar or tgz."""
    is_voc = name != "sbd"
    row = {
        "name": name,
        "file": f"{name}.tar" if is_voc else "benchmark.tgz",
        "size": len(content),
        "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
        "urls": urls,
        "root": VOC if is_voc else SBD,
        "members": VOC_MEMBERS if is_voc else SBD_MEMBERS,
    }
    return Archive(**{**row, **changes})
