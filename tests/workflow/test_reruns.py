"""Tests of what reruns after a change of a finished run: the jobs of a table, and no others.

Code is changed in a copy of the project. Data is changed in its tables, as the first stage would
write them. A row of the table names, for each method, the first stages that run again; the stages
that depend on them follow.
"""

import os
import re
import shutil

import pytest

from tests.workflow.conftest import tiny
from tests.workflow.running import copy_project

DATA = "results/tiny/data"
pytestmark = pytest.mark.slow

# --- what reads what ---

READ_BY = {
    "train_classifier": ["infer_cam"],
    "infer_cam": ["evaluate", "crf_seeds", "random_walk", "qualitative_results"],
    "crf_seeds": ["train_affinity"],
    "train_affinity": ["random_walk"],
    "random_walk": ["train_segmenter", "evaluate", "qualitative_results"],
    "train_segmenter": ["segment"],
    "segment": ["segment_crf", "evaluate"],
    "segment_crf": ["semantic_boundary", "evaluate", "qualitative_results"],
}
TO_CAM = {"train_classifier", "infer_cam", "evaluate", "qualitative_results"}
TO_WALK = TO_CAM | {"crf_seeds", "train_affinity", "random_walk"}
PAGE = ("report_page", "all")  # shows all results, and the config
STAGES = {
    "cam": TO_CAM,
    "seam": TO_WALK | {"train_segmenter", "segment", "segment_crf", "semantic_boundary"},
    "seam_extra": TO_CAM,
    "sb": TO_WALK,
}


def jobs_after(first):
    """All jobs, as (stage, method), that follow from the first ones of each method."""
    jobs = set()
    waiting = [(stage, method) for method, stages in first.items() for stage in stages.split()]
    while waiting:
        stage, method = waiting.pop()
        if (stage, method) in jobs or stage not in STAGES[method]:
            continue
        jobs.add((stage, method))
        waiting += [(reader, method) for reader in READ_BY.get(stage, [])]
        if (stage, method) == ("train_classifier", "seam"):  # which these start from
            waiting += [("train_classifier", other) for other in ("seam_extra", "sb")]
        if stage == "semantic_boundary":
            waiting.append(("train_classifier", "sb"))
    stages = {stage for stage, _ in jobs}
    if any(stage.startswith("train_") for stage in stages):
        jobs.add(("loss_curves", "all"))
    if "evaluate" in stages:
        jobs.add(("summarise", "all"))
    return jobs | ({PAGE} if jobs else set())


def all_methods(stages):
    return dict.fromkeys(STAGES, stages)


# --- the table ---

EVERYTHING = all_methods("train_classifier")
BRANCH = {"sb": "train_classifier"}
WALKS = {"seam": "random_walk", "sb": "random_walk"}

CODE = {
    "losses/classification.py": EVERYTHING,
    "losses/seam.py": {"seam": "train_classifier"},
    "losses/smoothness.py": BRANCH,
    "models/boundary_head.py": BRANCH,
    "training/loop.py": EVERYTHING,
    "stages/infer_cam.py": all_methods("infer_cam"),
    "stages/crf_seeds.py": {"seam": "crf_seeds", "sb": "crf_seeds"},
    "ops/crf.py": {"seam": "crf_seeds segment_crf", "sb": "crf_seeds"},
    "losses/affinity.py": {"seam": "train_affinity", "sb": "train_affinity"},
    "stages/random_walk.py": WALKS,
    "models/deeplab.py": {"seam": "train_segmenter"},
    "losses/segmentation.py": {"seam": "train_segmenter"},
    "stages/segment.py": {"seam": "segment"},
    "stages/segment_crf.py": {"seam": "segment_crf"},
    "stages/semantic_boundary.py": {"seam": "semantic_boundary"},
    "stages/evaluate.py": all_methods("evaluate"),
    "ops/metrics.py": all_methods("evaluate"),
    "figures/qualitative_results.py": all_methods("qualitative_results"),
    "runtime/errors.py": {},
    "runtime/progress.py": {},
    "training/signals.py": {},
    "training/store.py": {},
    "training/inputs.py": {},
    "pretrained/obtain.py": {},
    "training/loss_monitor.py": EVERYTHING,
    "workflow/gpu_lease.py": {},
    "cli/predict.py": {},
}

CONFIG = {
    "methods: {sb: {smoothing: {edge_alpha: 5}}}": BRANCH,
    "methods: {seam_extra: {epochs: 2}}": {"seam_extra": "train_classifier"},
    "methods: {seam: {ecr_top_fraction: 0.5}}": {"seam": "train_classifier"},
    "classifier: {dropout: 0.25}": EVERYTHING,
    "canny: {high: 50}": BRANCH,
    "cam: {flip: true}": all_methods("infer_cam"),
    "crf_seeds: {low_alpha: 1}": {"seam": "crf_seeds", "sb": "crf_seeds"},
    "affinity: {radius: 2}": {"seam": "train_affinity", "sb": "train_affinity"},
    "random_walk: {alpha: 2}": WALKS,
    "segmenter: {scale: [0.5, 1.0]}": {"seam": "train_segmenter"},
    "segment: {crf: {iterations: 2}}": {"seam": "segment_crf"},
    "precision: {training: float32}": EVERYTHING,
    "precision: {inference: bfloat16}": all_methods("infer_cam"),
    "checkpoint_minutes: 1": {},
    "log_every: 1": {},
    "shards: {eval: 3}": all_methods("infer_cam"),
    "archives: {directory: elsewhere}": {},
    "methods: {new: {kind: cam, init: imagenet, epochs: 1}}": {},  # and no run of it
}

OPTIONS = {
    "threads": ["--max-threads", "2"],
    "workers": ["--cores", "8"],
    "GPUs": ["--resources", "gpu=2"],
    "memory": ["--set-resources", "train_classifier:mem_mb=1"],
}

DATA_FILES = {
    "a changed photograph": (["image_digests.csv"], EVERYTHING),
    "a changed label": (["labels.csv"], EVERYTHING),
    "a changed mask": (["mask_digests.csv"], all_methods("evaluate qualitative_results")),
    "a new image": (["image_digests.csv", "labels.csv", "splits/train_aug.txt"], EVERYTHING),
    "a new test image": (["test_digests.csv"], {}),
}

# --- tests ---


def jobs_wanted(*options, directory, project, changes=()):
    """Jobs of a dry run, as (stage, method), a method of all being that of no single one."""
    options = ("--dry-run", "--printshellcmds", *options)
    run = tiny(*options, directory=directory, project=project, changes=changes)
    assert run.returncode == 0, run.stdout + run.stderr
    commands = re.findall(r"python -m workflow_scripts\.(\w+) (.*)", run.stdout)
    method = re.compile(
        r"--output results/tiny/(?:report/qualitative_results/)?(cam|seam|seam_extra|sb)\b"
    )
    return {
        (script, found[1] if (found := method.search(rest)) else "all") for script, rest in commands
    }


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project, for tests to change and to restore."""
    return copy_project(tmp_path_factory.mktemp("copy") / "project")


def test_nothing_reruns_after_a_checkout(finished, copy):
    """Every file of the project is new by its time, and has another place."""
    for path in copy.rglob("*"):
        os.utime(path)
    assert jobs_wanted(directory=finished, project=copy) == set()


def test_nothing_reruns_by_documentation_and_layout(finished, copy):
    for path in [*copy.rglob("wsss_core/**/*.py"), *copy.rglob("workflow_scripts/*.py")]:
        text = path.read_text()
        assert text.startswith(('"""', "#!")) or not text, path
        head = text.replace('"""', '"""Another text. ', 1)
        path.write_text(f"# A comment\n\n{head}\n\n# And one more.\n")
    wanted = jobs_wanted(directory=finished, project=copy)
    shutil.rmtree(copy)
    copy_project(copy)
    assert wanted == set()


@pytest.mark.parametrize("module", CODE)
def test_code_reruns_the_stages_that_run_it(finished, copy, module):
    path = copy / "wsss_core" / module
    text = path.read_text()
    path.write_text(f"{text}\nANOTHER = 1\n")
    try:
        wanted = jobs_wanted(directory=finished, project=copy)
    finally:
        path.write_text(text)
    assert wanted == jobs_after(CODE[module])


def test_a_template_draws_its_page_anew_alone(finished, copy):
    path = copy / "wsss_core/figures/report/templates/run.html"
    text = path.read_text()
    path.write_text(text.replace("<h1>", "<h1>Another: "))
    try:
        wanted = jobs_wanted(directory=finished, project=copy)
    finally:
        path.write_text(text)
    assert wanted == {PAGE}


@pytest.mark.parametrize("changes", CONFIG)
def test_config_reruns_the_stages_that_read_it(finished, copy, changes):
    (finished / "changes.yaml").write_text(changes)
    wanted = jobs_wanted(directory=finished, project=copy, changes=["changes.yaml"])
    shared = {("canny", "all")} if changes.startswith("canny: ") else set()
    if not changes.startswith(("archives", "checkpoint_minutes", "log_every")):
        shared.add(PAGE)
    assert wanted == jobs_after(CONFIG[changes]) | shared


@pytest.mark.parametrize("what", OPTIONS)
def test_machines_rerun_nothing(finished, copy, what):
    assert jobs_wanted(*OPTIONS[what], directory=finished, project=copy) == set()


@pytest.mark.parametrize("what", DATA_FILES)
def test_data_rerun_the_stages_that_read_it(finished, copy, what):
    names, first = DATA_FILES[what]
    paths = [finished / DATA / name for name in names]
    old = {path: (path.read_bytes(), path.stat()) for path in paths}
    for path in paths:
        path.write_bytes(path.read_bytes() + b"new\n")
    try:
        wanted = jobs_wanted(directory=finished, project=copy)
    finally:
        for path, (content, status) in old.items():
            path.write_bytes(content)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    reads_images = any(name in ("image_digests.csv", "splits/train_aug.txt") for name in names)
    assert wanted == jobs_after(first) | ({("canny", "all")} if reads_images else set())


def test_one_more_seed_runs_it_alone(finished, copy):
    (finished / "changes.yaml").write_text("runs: [{method: cam, seeds: [0, 1], until: cam}]")
    wanted = jobs_wanted(directory=finished, project=copy, changes=["changes.yaml"])
    shared = {("loss_curves", "all"), ("summarise", "all"), PAGE}
    new = {("train_classifier", "cam"), ("infer_cam", "cam"), ("evaluate", "cam")}
    assert wanted == new | shared
