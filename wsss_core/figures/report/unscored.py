"""The parts of the report if there are no true masks: agreement of masks and tags."""

from __future__ import annotations

from typing import Any

from wsss_core.data.dataset import Dataset
from wsss_core.figures.report.choose import choose_shown
from wsss_core.figures.report.coverage import agreements, class_coverage, read_shares
from wsss_core.figures.report.pictures import draw_shots
from wsss_core.figures.report.results import Results

AGREEMENT = "tags"  # replaces the stage in the scores by which the page sorts images


def unscored_parts(results: Results, dataset: Dataset) -> dict[str, Any]:
    """Returns the template variables by name. Common ones have the names of scored_parts."""
    shares = read_shares(results)
    found = {
        method: agreements(table, dataset.labels, dataset.class_names)
        for method, table in shares.items()
    }
    method = next(reversed(found), results.methods[-1])
    of_images = {image: one.score for image, one in found.get(method, {}).items()}
    image_ids = dataset.split(results.shown_split)
    of_split = {image: of_images[image] for image in image_ids if image in of_images}
    chosen = choose_shown(dataset.labels, image_ids, of_split, [])
    notes = {image: one.note for image, one in found.get(method, {}).items()}
    shots = draw_shots(results, dataset, chosen, {}, notes=notes)
    mean = sum(of_split.values()) / len(of_split) if of_split else None
    return {
        "scored": False,
        "classes": dataset.class_names,
        "coverage": {
            name: class_coverage(table, dataset.labels, dataset.class_names)
            for name, table in shares.items()
        },
        "precision": None,
        "head_method": method,
        "head_stage": results.first_run(method).stages[-1],
        "head_score": mean,
        "head_image": shots[len(shots) // 2].image_id if shots else None,
        "shots": shots,
        "num_images": len(image_ids),
        "image_scores": {
            shot.image_id: {
                f"{name} {AGREEMENT}": round(one[shot.image_id].score, 1)
                for name, one in found.items()
                if shot.image_id in one
            }
            for shot in shots
        },
    }
