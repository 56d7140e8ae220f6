"""Tests of the command `wsss check`, called like a user does."""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from tests.prepare.forms.pictures import write_picture
from tests.workflow.running import PROJECT


def check(*arguments, cwd=None):
    command = [sys.executable, "-m", "wsss_core", "check", *map(str, arguments), "--threads", "1"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def test_what_a_good_folder_has(tiny_dataset):
    code, lines = check(tiny_dataset)
    assert code == 0
    assert lines == [
        f"{tiny_dataset}: table of 0 and 1",
        "             train_aug  train  val",
        "pictures             6      4    2",
        "with a mask          6      4    2",
        "disc                 3      2    1",
        "square               4      3    1",
        "longer side in pixels: 48 to 48, median 48",
        "formats: 8 JPEG",
        "0 errors, 0 warnings",
    ]


def test_errors_and_warnings_and_what_is_left_out(tmp_path):
    names = ["a", "b", "c", "d", "spare"]
    for seed, name in enumerate(names):
        write_picture(tmp_path / f"images/{name}.jpg", seed=seed)
    (tmp_path / "images/c.jpg").write_bytes(b"<html>")
    rows = ["a,horse", "b,hosre;Cat", "c,cat", "d,horse;cat", "lost.png,horse"]
    (tmp_path / "labels.csv").write_text("\n".join(["image,tags", *rows]))
    code, lines = check(tmp_path)
    assert code == 1
    table = f"{tmp_path}/labels.csv"
    errors = [line for line in lines if line.startswith("error: ")]
    assert errors == [
        f"error: {table} line 6: no picture 'lost'; expected a JPEG, PNG, WebP, TIFF, BMP, GIF, "
        f"AVIF or HEIC in {tmp_path}/images",
        f"error: 1 bad image file: {tmp_path}/images/c.jpg is no JPEG, PNG, WebP, TIFF, BMP, GIF, "
        "AVIF or HEIC; expected whole JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC files",
    ]
    warnings = "\n".join(line for line in lines if line.startswith("warning: "))
    assert "'Cat' (1 pictures) and 'cat' (2) differ only in case, accents or spaces" in warnings
    assert "'horse' (3 pictures) and 'hosre' (1) differ only in one letter" in warnings
    assert "only one picture has the class Cat, hosre" in warnings
    assert "1 pictures of" in warnings
    assert lines[-2].endswith("that labels.csv does not name: spare.jpg")
    assert lines[-1] == "2 errors, 4 warnings"


def test_a_config_names_the_folder_and_what_is_scored(tiny_dataset, tmp_path):
    shutil.rmtree(tiny_dataset / "masks")
    (tmp_path / "a.yaml").write_text("dataset: {name: x, source: folder, folder: /nowhere}\n")
    (tmp_path / "b.yaml").write_text(f"dataset: {{folder: {tiny_dataset}}}\n")
    assert check(tmp_path / "a.yaml")[0] == 1
    code, lines = check(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert code == 1
    assert sum("without a mask" in line for line in lines) == 2
    (tmp_path / "c.yaml").write_text("evaluation: {splits: []}\n")
    assert check(*(tmp_path / f"{name}.yaml" for name in "abc"))[0] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset: {name: x}\ndataset: {name: y}\n", "line 2: the key 'dataset' is given twice"),
        ("dataset: [\n", "cannot be read as YAML"),
        ("- 1\n", "is not a config file; expected sections"),
        (
            "dataset: {name: x, source: demo}\n",
            "and its pictures are not on disk yet; expected a",
        ),
        ("dataset: {name: x, source: folder}\n", "source is 'folder', but folder is not set"),
        ("clasifier: {epochs: 1}\n", "unknown key 'clasifier'; did you mean classifier?"),
        ("affinity: {epochs: true}\n", "affinity.epochs: got True; expected a number"),
    ],
)
def test_configs_that_cannot_be_checked(tmp_path, content, message):
    (tmp_path / "my.yaml").write_text(content)
    command = [sys.executable, "-m", "wsss_core", "check", tmp_path / "my.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_names_are_told_whatever_the_terminal_writes(tmp_path, encoding):
    write_picture(tmp_path / "犬/a.jpg")
    command = [sys.executable, "-m", "wsss_core", "check", tmp_path, "--threads", "1"]
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    assert "\\u72ac" in done.stdout


def test_a_thousand_pictures_take_seconds(tmp_path):
    for number in range(1000):
        if number < 10:
            write_picture(tmp_path / f"cats/{number}.jpg", seed=number, size=(500, 375))
        else:
            source = (tmp_path / f"cats/{number % 10}.jpg").read_bytes()
            (tmp_path / f"cats/{number}.jpg").write_bytes(source + bytes(str(number), "ascii"))
    started = time.monotonic()
    code, lines = check(tmp_path)
    assert code == 0
    assert "formats: 1000 JPEG" in lines
    assert time.monotonic() - started < 30  # ten on an idle machine


def test_the_example_of_the_documentation(tmp_path):
    page = (PROJECT / "docs/your-data.md").read_text()
    table, printed = (
        re.search(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)[1]
        for language in ("csv", "text")
    )
    sizes = [(1600, 1200), (800, 600), (1024, 768), (1024, 768), (640, 480)]
    names = [line.partition(",")[0] for line in table.splitlines()[1:]]
    for name, size in zip(names, sizes, strict=False):  # the last one is missing
        write_picture(tmp_path / "data/pets/images" / name, size=size)
    (tmp_path / "data/pets/labels.csv").write_text(table)
    code, lines = check("data/pets", cwd=tmp_path)
    assert (code, lines) == (1, printed.splitlines())
