"""Tests of dataset cards and model cards."""

import pytest
import torch

from tests.figures.report.small_experiment import write_experiment
from tests.models.tiny_backbone import tiny_backbone
from wsss_core.config.backbone import BackboneConfig
from wsss_core.config.segmenter import SegmenterConfig
from wsss_core.data.dataset_digest import dataset_digest
from wsss_core.data.weights import save_weights
from wsss_core.figures.report.cards import write_cards
from wsss_core.training.model_card import model_card


@pytest.fixture(params=[True, False], ids=["with masks", "without"])
def results(request, tiny_dataset, tmp_path):
    results = write_experiment(tmp_path / "results/tiny", tiny_dataset, scored=request.param)
    config = SegmenterConfig(backbone=BackboneConfig(name="resnet18"), epochs=2)
    for run in results.runs:
        card = model_card(
            tiny_backbone(),
            seed=run.seed,
            code="c0de",
            precision="float32",
            device=torch.device("cpu"),
            dataset=tiny_dataset,
        )
        path = results.directory(run) / "segmenter/weights.pt"
        save_weights(
            path, {"w": torch.zeros(1)}, {"config": config.model_dump(mode="json"), **card}
        )
    write_cards(results)
    return results


def test_a_network_s_card_tells_what_it_learnt_from_and_what_it_scored(results, tiny_dataset):
    run = results.runs[1]
    text = (results.directory(run) / "segmenter/MODEL_CARD.md").read_text()
    for fact in (
        "aspp on resnet18, output stride 8",
        "| classes | background, disc, square |",
        "| trained on | 6 images of",
        f"| dataset digest | `{dataset_digest(tiny_dataset)}` |",
        f"torch {torch.__version__}, timm ",
        "| device, precision | cpu, float32 |",
        "## Intended use",
        "## Limits",
    ):
        assert fact in text
    rows = [line for line in text.splitlines() if line.startswith("| segmentation ")]
    assert [row.split(" | ")[1] for row in rows] == list(results.splits)
    if results.splits:
        cells = [cell.strip() for cell in rows[0].strip("|").split("|")]
        score = (results.directory(run) / "scores/segmentation.csv").read_text().splitlines()[1]
        assert cells[2] == f"{float(score.split(',')[5]):.1f}"
        header = next(line for line in text.splitlines() if line.startswith("| stage "))
        assert header.count("|") == rows[0].count("|")
    else:
        assert "There are no true masks, so nothing was scored." in text


def test_a_classifier_has_no_card(results):
    assert not (results.directory(results.runs[0]) / "segmenter/MODEL_CARD.md").exists()


def test_the_dataset_s_card_counts_images_and_labels(results):
    text = (results.folder / "DATASET_CARD.md").read_text()
    scored = ", 4 in train, 2 in val" if results.splits else ""
    assert f"| images | 6 in train_aug{scored} |" in text
    assert "| disc | 4 |\n| square | 5 |\n" in text
    assert "**Source and licence of the images**" in text
