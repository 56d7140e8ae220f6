"""Paths of results, and the division of images into jobs."""

from wsss_core.layouts.cams import CAM_LAYOUTS
from wsss_core.prepare.part_sizes import jobs_by_part

RESULTS = f"results/{EXPERIMENT.folder}"
DATASET = f"results/{EXPERIMENT.dataset.name}"  # shared by all experiments on it
DATA = f"{DATASET}/data"
STORE = "results/store"  # finished trainings of all experiments
RUN = f"{RESULTS}/{{method}}/seed{{seed}}"
SPLITS = list(EXPERIMENT.evaluation.splits)
# Images for pictures and reports: scored ones, or training images if none are scored.
SHOWN_PART, SHOWN_SPLIT = ("eval", SPLITS[-1]) if SPLITS else ("train_only", "train_aug")


def run_of(method, seed):
    return f"{RESULTS}/{method}/seed{seed}"


JOBS = jobs_by_part(EXPERIMENT.dataset, scored_splits=SPLITS)


def shards_in(part):
    """Returns the number of jobs for the images of a part."""
    if part == "eval" and not SPLITS:
        return 0
    given = getattr(EXPERIMENT.shards, part)
    return JOBS[part] if given is None else given


def shards_of(pattern, *parts):
    """Fills {part} and {shard} of a path with all shards of the given parts."""
    return [
        path
        for part in parts
        for path in expand(pattern, part=part, shard=range(shards_in(part)), allow_missing=True)
    ]


wildcard_constraints:
    method="|".join(EXPERIMENT.methods),
    seed=r"\d+",
    part="eval|train_only|test",
    shard=r"\d+",
    stage="random_walk|segmentation|segmentation_crf",
    layout="|".join(CAM_LAYOUTS),
