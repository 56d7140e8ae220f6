"""Bad inputs of each kind, and their outcome: fine, told, or BAD.

`fine` means that the result is the intended one. `told` means that the only reaction is a
`UserError` with one line per mistake. Everything else is BAD: a traceback, a hang, or silence.
"""

from __future__ import annotations

import io
import random
import shutil
import tarfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.download.tiny_archives import archive_of, member, voc_bytes
from tests.project.campaign.weights import NOT_WEIGHTS, changed, loaders, save, write_networks
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_image, read_mask, write_mask
from wsss_core.data.score_maps import ScoreReader, ScoreWriter
from wsss_core.data.weights import save_weights
from wsss_core.download.unpack import unpack
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.prepare.inspect import mask_indices, objects_are_at_255, prepare_items
from wsss_core.prepare.place_image import Placing
from wsss_core.runtime.atomic import atomic_dir
from wsss_core.runtime.errors import UserError
from wsss_core.stages.prepare_dataset import prepare_dataset
from wsss_core.stages.summarise import read_scores
from wsss_core.training.loop import write_history

HEADER = "method,seed,stage,split,threshold,miou,background,cat\n"


class Trial(NamedTuple):
    """One input, and what reads it; it returns whether the result is the one that is meant."""

    name: str
    run: Callable[[], bool]


def outcome(trial: Trial) -> str:
    """What becomes of an input: fine, told, or BAD with the reason."""
    try:
        return "fine" if trial.run() else "BAD: something else was read, without a word"
    except UserError as error:
        lines = str(error).splitlines()
        return "told" if lines and all(len(line) < 2000 for line in lines) else "BAD: no one line"
    except Exception as error:  # what a campaign is for
        return f"BAD: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def damage(data: bytes, draw: random.Random) -> bytes:
    """Bytes with some changed, left out, doubled or cut."""
    changed_bytes = bytearray(data)
    way = draw.randrange(5)
    if way == 0:
        return data[: draw.randrange(len(data))]
    if way == 1:
        start = draw.randrange(len(data))
        return data[:start] + data[start + draw.randint(1, 64) :]
    if way == 2:
        start = draw.randrange(len(data))
        return data[:start] + data[start : start + draw.randint(1, 64)] + data[start:]
    for _ in range(1 if way == 3 else draw.randint(2, 20)):
        changed_bytes[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed_bytes)


def pictures(folder: Path, count: int) -> Iterator[Trial]:
    """Photographs of all formats, damaged; whatever can still be decoded has a picture's shape."""
    photo = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    formats = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
    for number in range(count):
        draw, stored = random.Random(number), io.BytesIO()
        kind = formats[number % len(formats)]
        options = {} if kind in ("BMP", "GIF") else {"exif": exif}
        Image.fromarray(photo).save(stored, format=kind, **options)
        path = folder / f"x{number}"
        path.write_bytes(damage(stored.getvalue(), draw))
        yield Trial(f"{kind} {number}", lambda path=path: read_image(path).shape[2:] == (3,))
        path.unlink()


def folders(folder: Path, tiny: Path, count: int) -> Iterator[Trial]:
    """A user's folder of pictures and labels of which one file is damaged."""
    names = sorted(path.relative_to(tiny) for path in tiny.rglob("*.*") if path.is_file())
    for number in range(count):
        draw, root = random.Random(number), folder / f"folder{number}"
        shutil.copytree(tiny, root)
        path = root / draw.choice([*names, *(n for n in names if n.suffix != ".jpg")])
        path.write_bytes(damage(path.read_bytes(), draw))
        yield Trial(f"{path.name} {number}", lambda root=root: _check(root))
        shutil.rmtree(root)


def _check(root: Path) -> bool:
    findings = Findings()
    source = read_folder(root, scored_splits=["train", "val"], findings=findings)
    placing = Placing(None, Path(), mask_indices(source), objects_at_255=objects_are_at_255(source))
    prepare_items(source, placing, workers=1, findings=findings)
    findings.raise_errors()
    return True


def archives(folder: Path, count: int) -> Iterator[Trial]:
    """Tar files that are damaged, or whose members would leave their folder."""
    names = ("../out.txt", "/tmp/out.txt", "VOCdevkit/VOC2012/../../../out.txt")
    links = ("/etc/passwd", "../../../out.txt")
    escapes = [
        *(member(name, size=0) for name in names),
        *(member("VOCdevkit/VOC2012/x", type=tarfile.SYMTYPE, linkname=link) for link in links),
    ]
    for number in range(count):
        draw, place = random.Random(number), folder / f"archive{number}"
        place.mkdir()
        if number < 2 * len(escapes):
            stored = io.BytesIO()
            with tarfile.open(fileobj=stored, mode="w") as tar:
                tar.addfile(escapes[number // 2])
            content = stored.getvalue()
        else:
            content = damage(voc_bytes(), draw)
        path = place / "x.tar"
        path.write_bytes(content)

        def run(content: bytes = content, path: Path = path, place: Path = place) -> bool:
            unpack(archive_of(content), path, directory=place / "in")
            return not (folder / "out.txt").exists() and not Path("/tmp/out.txt").exists()

        yield Trial(f"archive {number}", run)
        shutil.rmtree(place)


def weights(folder: Path, count: int) -> Iterator[Trial]:
    """Weights files of each network: damaged, or with content that is none. None is fine."""
    networks = write_networks(folder)
    load = loaders()
    cases = [(network, case) for network in networks for case in NOT_WEIGHTS]
    for number in range(count):
        path = folder / "bad.pt"
        if number < len(cases):
            network, case = cases[number]
            save(path, changed(networks[network], case))
            name = f"{network} {case.name}"
        else:
            network = sorted(networks)[number % len(networks)]
            path.write_bytes(damage(networks[network].read_bytes(), random.Random(number)))
            name = f"{network} damaged {number}"
        # What is padding between the parts of a file may change; then the numbers are the same.
        yield Trial(name, partial(_same, load[network], networks[network], path))


def _same(load: Callable[[Path], object], one: Path, other: Path) -> bool:
    """Whether two files give networks of the same numbers."""
    states = [getattr(net, "network", net).state_dict() for net in (load(other), load(one))]
    return all((states[0][name] == states[1][name]).all() for name in states[0])


def results(folder: Path, tiny: Path, count: int) -> Iterator[Trial]:
    """Files that stages have written, damaged or gone, as the next stage reads them."""
    data = folder / "data"
    findings = Findings()
    source = read_folder(tiny, scored_splits=["train", "val"], findings=findings)
    prepare_dataset(source, data, link=False, findings=findings)
    mask = np.zeros((48, 40), dtype=np.uint8)
    write_mask(folder / "mask.png", mask)
    with ScoreWriter(folder / "cam.npz", kind="cam", class_names=("cat",)) as writer:
        writer.write("x", [1], np.ones((1, 8, 9), dtype=np.float32))
    row = "sb,0,cam,val,0.40,50.0000,50.0000,50.0000\n"
    (folder / "scores.csv").write_text(HEADER + row)
    table = read_scores(folder / "scores.csv")

    def dataset() -> bool:
        opened = open_dataset(data)
        for split in ("train_aug", "train", "val"):
            for image_id in opened.split(split):
                opened.read_image(image_id)
                opened.read_mask(image_id)
        return False  # a damaged file has passed

    def cam() -> bool:
        scores = ScoreReader([folder / "cam.npz"], kind="cam", class_names=("cat",)).read("x")
        return bool((scores.scores.round() == 1).all())

    readers: dict[Path, Callable[[], bool]] = {
        **{path: dataset for path in sorted(data.rglob("[a-z]*.*")) if path.is_file()},
        folder / "mask.png": lambda: (read_mask(folder / "mask.png") == mask).all() and False,
        folder / "cam.npz": cam,
        folder / "scores.csv": lambda: read_scores(folder / "scores.csv").shape == table.shape,
    }
    paths = list(readers)
    for number in range(count):
        draw, path = random.Random(number), paths[number % len(paths)]
        if path.parent.name == "images" and path.stem not in open_dataset(data).labels:
            continue
        whole = path.read_bytes()
        if draw.random() < 0.2:
            path.unlink()
        else:
            path.write_bytes(draw.choice([damage(whole, draw), b"", bytes(len(whole)), b"<html>"]))
        if not path.is_file() or path.read_bytes() != whole:
            yield Trial(f"{path.name} {number}", readers[path])
        path.write_bytes(whole)


def full_disks(  # noqa: C901 - a writer each
    place: Path, tiny: Path, remount: Callable[[str], None], pages: int
) -> Iterator[Trial]:
    """Each writer on a disk that is full after so many pages: all is written, or nothing."""

    def leaves_nothing(write: Callable[[], None]) -> bool:
        try:
            write()
        except UserError:
            assert not [path for path in place.iterdir() if not path.name.startswith(".")]
            raise
        return True

    generator = np.random.default_rng(0)
    noise = generator.integers(0, 3, (100, 100), dtype=np.uint8)
    scores = generator.random((1, 100, 100), dtype=np.float32)
    networks = write_networks(place.parent)

    def masks() -> None:
        with atomic_dir(place / "masks") as directory:
            for number in range(4):
                write_mask(directory / f"{number}.png", noise)

    def maps() -> None:
        with ScoreWriter(place / "cam.npz", kind="cam", class_names=("cat",)) as writer:
            writer.write("x", [1], scores)

    def network() -> None:
        content = changed(networks["deeplab"], NOT_WEIGHTS[-1])
        save_weights(place / "weights.pt", content["state_dict"], content["metadata"])

    def history() -> None:
        write_history(place / "history.csv", [{"step": k, "loss": 1 / 3} for k in range(1000)])

    def prepared() -> None:
        findings = Findings()
        source = read_folder(tiny, scored_splits=["train", "val"], findings=findings)
        prepare_dataset(source, place / "data", longest_side=32, findings=findings)

    for room in range(1, pages + 1):
        for write in (masks, maps, network, history, prepared):
            remount(f"size={4 * room}k")
            yield Trial(f"{write.__name__}, {room} pages", partial(leaves_nothing, write))
            for path in place.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
