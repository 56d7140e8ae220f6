"""Tests of docs/your-data.md: its steps, followed literally with a few drawn pictures."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml

from tests.workflow.running import PROJECT, job_counts, snakemake
from wsss_core.config.dataset import DemoConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import read_mask
from wsss_core.prepare.demo.generate import draw_dataset
from wsss_core.stages.class_shares import ClassShares

PAGE = (PROJECT / "docs/your-data.md").read_text()
SMALL = PROJECT / "tests/workflow/tiny.yaml"  # in place of configs/compact.yaml
ODD_NAMES = ["my cat (2)", "Garten süd"]
RESULTS = "results/pets"
RUN = f"{RESULTS}/sb/seed0"
pytestmark = pytest.mark.slow


def commands(program):
    """Arguments of the page's commands, in their order."""
    lines = re.findall(rf"^    \.venv/bin/{program} ((?:.*\\\n)*.*)$", PAGE, re.M)
    return [shlex.split(line.replace("\\\n", "")) for line in lines]


def own_config(directory):
    """The page's config file, and less jobs than the page says."""
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    (directory / "pets.yaml").write_text(text)
    (directory / "jobs.yaml").write_text("shards: {train_only: 1}")
    return {
        "configs/compact.yaml": [SMALL],
        "configs/pets.yaml": ["pets.yaml", "jobs.yaml"],
    }


def run(words, files, directory):
    arguments = [path for word in words for path in files.get(word, [word])]
    done = snakemake(*arguments, "--max-threads", "1", directory=directory)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A directory in which the page's commands were given."""
    directory = tmp_path_factory.mktemp("own")
    pets = directory / "data/pets"
    (directory / "drawn").mkdir()
    draw_dataset(directory / "drawn", DemoConfig(num_train=18, num_val=1, size=64), workers=1)
    drawn = open_dataset(directory / "drawn")
    (pets / "images").mkdir(parents=True)
    table = ["image,tags"]
    for number, image_id in enumerate(drawn.split("train_aug")):
        path = drawn.image_path(image_id)
        name = f"{(ODD_NAMES[number : number + 1] or [image_id])[0]}{path.suffix}"
        path.rename(pets / "images" / name)
        classes = zip(drawn.class_names, drawn.labels[image_id], strict=True)
        table.append(f"{name},{';'.join(tag for tag, shown in classes if shown)}")
    (pets / "labels.csv").write_text("\n".join(table), encoding="utf-8")
    files = own_config(directory)
    look, everything, export = commands("snakemake")
    assert "train_segmenter" in job_counts(run(look, files, directory))
    for words in (everything, export):
        run(words, files, directory)
    check, predict = commands("wsss")
    for words in (check, [*predict, "--device", "cpu"]):
        program = [sys.executable, "-m", "wsss_core", *words]
        done = subprocess.run(program, cwd=directory, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return directory


def test_what_the_page_names_is_there(finished):
    (block,) = re.findall(r"## 4\..*?\n\n((?:    .*\n)+)", PAGE)
    paths = [line.split()[0] for line in block.splitlines()]
    assert len(paths) == 6
    assert [path for path in paths if not (finished / path).exists()] == []


def test_nothing_is_scored(finished):
    assert not (finished / RESULTS / "summary.csv").exists()
    assert not (finished / RUN / "scores").exists()
    assert not list((finished / RESULTS / "report").glob("table*"))


def test_the_run_ends_by_saying_what_is_in_the_masks_and_where(finished):
    told = (finished / RUN / "logs/class_shares.log").read_text()
    dataset = open_dataset(finished / RESULTS / "data")
    shares = ClassShares(dataset.class_names)
    masks = [finished / RUN / f"segmentation_crf/train_only-0/{i}.png" for i in dataset.labels]
    for path in masks:
        shares.add(path.stem, read_mask(path))
    labels = dataset.labels.values()
    tagged = {n: sum(int(x[k]) for x in labels) for k, n in enumerate(dataset.class_names)}
    assert f"sb, seed 0: {len(masks)} pictures\n{shares.table(tagged)}\n" in told
    places = [line.split(None, 1)[1] for line in told.splitlines()[-4:]]
    assert places == [
        f"{RUN}/segmentation_crf",
        f"{RUN}/class_coverage.csv",
        f"{RUN}/segmenter/weights.pt",
        f"{RESULTS}/report/qualitative_results/sb.jpg",
    ]
    rows = (finished / RUN / "class_coverage.csv").read_text().splitlines()
    assert {row.split(",")[0] for row in rows[1:]} == set(dataset.labels)


@pytest.mark.parametrize(
    "folder",
    ["export/voc/SegmentationClassPseudo", "export/voc/SegmentationClassPredicted", "predicted"],
)
def test_every_picture_has_its_mask(finished, folder):
    masks = finished / ("predicted/masks" if folder == "predicted" else f"{RUN}/{folder}")
    dataset = open_dataset(finished / RESULTS / "data")
    assert {path.stem for path in masks.glob("*.png")} == set(dataset.split("train_aug"))
    assert set(ODD_NAMES) <= set(dataset.split("train_aug"))
    for image_id in dataset.split("train_aug"):
        mask = read_mask(masks / f"{image_id}.png")
        assert mask.shape == dataset.read_image(image_id).shape[:2]


def test_the_config_of_the_page_does_with_the_one_it_is_laid_over(finished):
    words = commands("snakemake")[0]
    files = own_config(finished) | {"configs/compact.yaml": [PROJECT / "configs/compact.yaml"]}
    config = yaml.safe_load((finished / "pets.yaml").read_text())
    assert config["evaluation"] == {"splits": []}
    jobs = job_counts(run(words, files, finished))
    assert "evaluate_cam" not in jobs
    assert "train_classifier" in jobs
