"""Tests of CRF seeds: both backgrounds by hand, and the program with several processes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsss_core.config.crf_seeds import CrfSeedsConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.data.score_maps import ScoreReader, ScoreRecord, ScoreWriter
from wsss_core.stages.crf_seeds import crf_seed, crf_seeds, seed_ids

REPOSITORY = Path(__file__).parents[2]
CLASSES = ("cat", "dog", "cow")
CAM_CLASSES = {"a": (1, 3), "b": (2,), "empty": (), "scored_only": (1,)}
SIZE = (20, 30)
NO_PAIRWISE = CrfSeedsConfig.model_validate(
    {"crf": {"gaussian_compat": 0, "bilateral_compat": 0, "iterations": 1}}
)


def blob_cams(num_classes, rng):
    """Scores [n, H, W] with a maximum of 1, each a blob at a random place."""
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]]
    centres = rng.uniform((0, 0), SIZE, (num_classes, 2))
    squared = [((ys - y) ** 2 + (xs - x) ** 2) / 30 for y, x in centres]
    scores = np.exp(-np.array(squared)).reshape(num_classes, *SIZE)
    return (scores / scores.max(axis=(1, 2), keepdims=True)).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    """A prepared dataset and a file of CAMs: (dataset root, CAM file)."""
    rng = np.random.default_rng(0)
    root = tmp_path / "data"
    (root / "images").mkdir(parents=True)
    (root / "splits").mkdir()
    (root / "classes.txt").write_text("\n".join(CLASSES))
    (root / "splits/train_aug.txt").write_text("b\na\nempty\n")
    rows = [["image", *CLASSES]]
    with ScoreWriter(tmp_path / "cams.npz", kind="cam", class_names=CLASSES) as writer:
        for image_id, class_ids in CAM_CLASSES.items():
            image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / f"images/{image_id}.png")
            rows.append([image_id, *(str(int(k in class_ids)) for k in (1, 2, 3))])
            writer.write(image_id, class_ids, blob_cams(len(class_ids), rng))
    (root / "labels.csv").write_text("\n".join(",".join(row) for row in rows))
    return root, tmp_path / "cams.npz"


def test_backgrounds_by_hand():
    scores = np.zeros((2, 1, 2), dtype=np.float32)
    scores[:, 0, 0], scores[:, 0, 1] = (0.5, 0.25), (0.0, 0.1)
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    seed = crf_seed(image, ScoreRecord((1, 3), scores), NO_PAIRWISE)
    assert seed.shape == (2, 3, 1, 2)
    strong, weak = 0.5**4, 0.5**24
    np.testing.assert_allclose(seed[0, :, 0, 0], np.array([strong, 0.5, 0.25]) / (strong + 0.75))
    np.testing.assert_allclose(seed[1, 1:, 0, 0], np.array([0.5, 0.25]) / (weak + 0.75), atol=2e-5)
    np.testing.assert_allclose(seed[0, 0, 0, 1], 0.9**4 / (0.9**4 + 0.1), atol=2e-5)
    np.testing.assert_allclose(seed[1, 0, 0, 1], 0.9**24 / (0.9**24 + 0.1), atol=2e-4)


def test_weak_background_never_beats_the_strong_one():
    cam = ScoreRecord((2,), blob_cams(1, np.random.default_rng(1)))
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    seed = crf_seed(image, cam, NO_PAIRWISE)
    assert (seed[0, 0] >= seed[1, 0] - 1e-6).all()


def test_without_classes_all_is_background():
    seed = crf_seed(
        np.zeros((*SIZE, 3), np.uint8),
        ScoreRecord((), np.zeros((0, *SIZE), np.float32)),
        CrfSeedsConfig(),
    )
    assert seed.shape == (2, 1, *SIZE)
    assert (seed == 1).all()


def test_processes_give_what_one_gives_in_order(files):
    root, cams_path = files
    dataset = open_dataset(root)
    cams = ScoreReader([cams_path], kind="cam", class_names=CLASSES)
    image_ids = seed_ids(dataset, cams)
    assert image_ids == ["a", "b", "empty"]
    seeds = list(crf_seeds(dataset, cams, image_ids, config=CrfSeedsConfig(), processes=2))
    assert [image_id for image_id, _ in seeds] == image_ids
    for image_id, seed in seeds:
        assert seed.class_ids == (0, *CAM_CLASSES[image_id])
        expected = crf_seed(dataset.read_image(image_id), cams.read(image_id), CrfSeedsConfig())
        np.testing.assert_array_equal(seed.scores, expected)


def run(root, cams_path, *options):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "workflow_scripts.crf_seeds",
            "--dataset",
            root,
            "--cams",
            cams_path,
            *options,
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def test_program(files, tmp_path):
    root, cams_path = files
    output = tmp_path / "out" / "seeds.npz"
    config = '{"low_alpha": 2, "crf": {"iterations": 3}}'
    done = run(root, cams_path, "--threads", "2", "--output", output, "--config", config)
    assert done.returncode == 0, done.stderr
    assert "3/3" in done.stderr
    seeds = ScoreReader([output], kind="seed", class_names=CLASSES)
    assert seeds.image_ids == ["a", "b", "empty"]
    assert seeds.read("a").scores.shape == (2, 3, *SIZE)


def test_program_stops_at_a_damaged_image(files, tmp_path):
    root, cams_path = files
    (root / "images/b.png").write_bytes(b"")
    done = run(root, cams_path, "--output", tmp_path / "seeds.npz")
    assert done.returncode != 0
    assert not list(tmp_path.glob("*seeds*"))


def test_program_refuses_alphas_in_the_wrong_order(files, tmp_path):
    root, cams_path = files
    config = '{"low_alpha": 24, "high_alpha": 4}'
    done = run(root, cams_path, "--output", tmp_path / "seeds.npz", "--config", config)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "low_alpha is 24.0 and high_alpha 4.0" in done.stderr
    assert "expected low_alpha < high_alpha" in done.stderr


def test_the_program_runs_without_torch():
    code = "import sys, workflow_scripts.crf_seeds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
