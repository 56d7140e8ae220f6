import hashlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsss_core.config.dataset import DemoConfig
from wsss_core.data.dataset import open_dataset
from wsss_core.prepare.demo.classes import CLASSES
from wsss_core.prepare.demo.generate import draw_dataset
from wsss_core.prepare.demo.painting import coverage
from wsss_core.prepare.demo.scene import draw_scene, scene_mask
from wsss_core.prepare.demo.shapes import CLUTTER, pose
from wsss_core.prepare.demo.textures import PATTERNS, draw_texture
from wsss_core.prepare.findings import Findings
from wsss_core.prepare.folder import read_folder
from wsss_core.stages.prepare_dataset import prepare_dataset


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    content = [path.relative_to(root).as_posix().encode() + path.read_bytes() for path in files]
    return hashlib.sha256(b"".join(content)).hexdigest()


SHAPES = {name: thing.shape for name, thing in CLASSES.items()}


@pytest.mark.parametrize("shape", [*SHAPES.values(), *CLUTTER])
def test_outlines_fit_the_unit_disc(shape):
    for seed in range(20):
        for contour in shape(np.random.default_rng(seed)):
            assert contour.ndim == 2
            assert contour.shape[1] == 2
            assert np.linalg.norm(contour, axis=1).max() < 1.35


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_classes_cover_a_fair_share_of_their_disc(shape):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        outline = pose(rng, shape(rng), centre=(50, 50), radius=30)
        area = coverage(outline, height=100, width=100).sum()
        assert 0.15 < area / (np.pi * 30**2) < 1.1


def test_coverage_of_a_square_is_exact():
    square = np.array([[1.0, 1.0], [3.0, 1.0], [3.0, 2.5], [1.0, 2.5]])
    alpha = coverage([square], height=4, width=5)
    assert alpha[1, 1:3].tolist() == [1, 1]
    np.testing.assert_allclose(alpha[2, 1:3], 0.5, atol=0.26)  # OpenCV fills its edges too
    assert alpha[:, 4].tolist() == [0, 0, 0, 0]


def test_second_contour_is_a_hole():
    outer = np.array([[1.0, 1.0], [19.0, 1.0], [19.0, 19.0], [1.0, 19.0]])
    inner = (outer - 10) / 2 + 10
    alpha = coverage([outer, inner], height=20, width=20)
    assert alpha[10, 10] == 0
    assert alpha[3, 3] == 1


@given(seed=st.integers(0, 2**32 - 1))
def test_textures_stay_in_range(seed):
    texture = draw_texture(np.random.default_rng(seed), height=23, width=31, unit=20.0)
    assert texture.shape == (23, 31, 3)
    assert texture.dtype == np.float32
    assert 0 <= texture.min() <= texture.max() <= 1


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_stay_in_range(pattern):
    for seed in range(10):
        field = pattern(np.random.default_rng(seed), 17, 9, 12.0)
        assert field.shape == (17, 9)
        assert 0 <= field.min() <= field.max() <= 1


def test_scene_mask_by_hand():
    instances = np.zeros((20, 20), dtype=np.int32)
    instances[2:12, 2:12] = 1  # 100 of 100 pixels visible
    instances[15:17, 2:12] = 2  # 20 of 100: too little
    mask = scene_mask(instances, class_ids=[4, 5], areas=[100, 100])
    assert mask[6, 6] == 4
    assert mask[2, 6] == mask[1, 6] == 255  # one pixel at either side of the outline
    assert mask[0, 6] == 0
    assert mask[3, 6] == 4
    assert not (mask == 5).any()
    assert (mask[15:17, 2:12] == 255).all()


@pytest.mark.parametrize("class_id", range(1, len(CLASSES) + 1))
def test_scenes_show_their_class_and_label_what_the_mask_has(class_id):
    for seed in range(4):
        scene = draw_scene(np.random.default_rng(seed), size=96, class_id=class_id)
        assert scene.image.dtype == np.uint8
        assert scene.image.shape[:2] == scene.mask.shape
        assert max(scene.mask.shape) == 96
        assert scene.label[class_id - 1]
        visible = set(np.unique(scene.mask)) - {0, 255}
        assert visible == set(np.flatnonzero(scene.label) + 1)
        assert (scene.mask == 255).any()


def test_demo_dataset_is_valid_and_the_same_for_the_same_seed(tmp_path):
    config = DemoConfig(seed=3, num_train=12, num_val=6, size=64)
    for name, workers in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        draw_dataset(tmp_path / name, config, workers=workers)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    source = read_folder(tmp_path / "one", scored_splits=["train", "val"], findings=Findings())
    prepare_dataset(source, tmp_path / "data")
    dataset = open_dataset(tmp_path / "data")
    assert dataset.class_names == tuple(CLASSES)
    assert len(dataset.split("train_aug")) == len(dataset.split("train")) == 12
    assert len(dataset.split("val")) == 6
    for image_id, label in dataset.labels.items():
        visible = set(np.unique(dataset.read_mask(image_id))) - {0, 255}
        assert visible == set(np.flatnonzero(label) + 1)


def test_another_seed_draws_other_images(tmp_path):
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        draw_dataset(tmp_path / str(seed), DemoConfig(seed=seed, num_train=6, num_val=1, size=64))
    first, second = (
        (tmp_path / seed / "images" / "train_0000.jpg").read_bytes() for seed in ("0", "1")
    )
    assert first != second


def test_a_longer_dataset_begins_with_the_same_images(tmp_path):
    for num_train in (6, 8):
        (tmp_path / str(num_train)).mkdir()
        config = DemoConfig(num_train=num_train, num_val=1, size=64)
        draw_dataset(tmp_path / str(num_train), config)
    shorter, longer = ((tmp_path / n / "images" / "train_0005.jpg").read_bytes() for n in "68")
    assert shorter == longer


def test_things_of_a_class_have_its_hue_and_grounds_have_any():
    """The mean hue is the material's up to its spread; that of grounds is all around the circle."""
    for class_id, thing in enumerate(CLASSES.values(), start=1):
        scenes = [
            draw_scene(np.random.default_rng(seed), size=64, class_id=class_id)
            for seed in range(12)
        ]
        own = [mean_direction(scene.image[scene.mask == class_id]) for scene in scenes]
        apart = np.angle(np.mean(own) / np.exp(1j * np.radians(thing.material.hue)))
        assert abs(np.degrees(apart)) < 30
        grounds = [mean_direction(scene.image[scene.mask == 0]) for scene in scenes]
        assert abs(np.mean(grounds)) < 0.6 < abs(np.mean(own))


def mean_direction(pixels):
    """The mean hue as a point on the unit circle."""
    hues = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)[0, :, 0]
    mean = np.exp(1j * np.radians(hues)).mean()
    return mean / abs(mean)
