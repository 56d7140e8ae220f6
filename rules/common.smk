"""The validated config, paths, and functions that choose inputs and parameters."""

import hashlib
import json
import os
import sys
from pathlib import Path

import yaml

sys.path.insert(0, workflow.basedir)

from wsss_core.archive_table import read_archives
from wsss_core.config.dataset import ARCHIVE
from wsss_core.config.experiment import extra_supervision, load_experiment
from wsss_core.errors import UserError
from wsss_core.method_code import modules_not_run
from wsss_core.provenance import code_digest
from wsss_core.voc.devkit import devkit_places, sbd_places
from wsss_core.why import keep_current_code


def prepend_path(variable, directory):
    """Puts a directory before the others of a PATH-like variable, which jobs inherit."""
    paths = [str(directory), os.environ.get(variable)]
    os.environ[variable] = os.pathsep.join(filter(None, paths))


# This interpreter also where its environment is not activated, and our package from whatever
# directory the workflow is run in.
prepend_path("PATH", Path(sys.executable).parent)
prepend_path("PYTHONPATH", workflow.basedir)
# By default glibc gives each large buffer back to the kernel and asks for it again, zeroed, at
# the next step. Keeping them makes training on CPUs 1.7 times as fast.
os.environ.setdefault("MALLOC_MMAP_MAX_", "0")
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(64 * 2**30))
os.environ.setdefault("MALLOC_TOP_PAD_", str(256 * 2**20))
# Threads of a layer wait for each other in a loop, by default for so long that beside another
# busy program a training takes nine times as long; so, three times.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


# --- config ---


PRESET = Path(workflow.basedir, "configs", "presets", f"{config.get('preset')}.yaml")


# What the user gives is laid over this file again. Of the preset paper there is none.
if PRESET.is_file():

    configfile: str(PRESET)


def config_sources():
    """Name and content of what the config was merged from, later ones win."""
    settings = workflow.config_settings
    preset = [PRESET] if PRESET.is_file() else []
    paths = [Path(workflow.basedir, "config.yaml"), *preset, *map(Path, settings.configfiles)]
    contents = [yaml.safe_load(path.read_text()) or {} for path in paths]
    names = [min(os.path.relpath(path), os.path.abspath(path), key=len) for path in paths]
    return [*zip(names, contents), ("--config", dict(settings.config or {}))]


def read_experiment():
    try:
        return load_experiment(config, sources=config_sources())
    except UserError as error:  # a WorkflowError would bury the line in places of this file
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))


EXPERIMENT = read_experiment()


# --- paths ---

RESULTS = f"results/{EXPERIMENT.dataset.name}"
DATA = f"{RESULTS}/data"
RUN = f"{RESULTS}/{{method}}/seed{{seed}}"
SPLITS = list(EXPERIMENT.evaluation.splits)
# The images that a person looks at: where none are scored, those that are trained on.
SHOWN_PART, SHOWN_SPLIT = ("scored", SPLITS[-1]) if SPLITS else ("extra", "train_aug")


def run_of(method, seed):
    return f"{RESULTS}/{method}/seed{seed}"


def shards_in(part):
    """How many jobs share the images of a part."""
    return 0 if part == "scored" and not SPLITS else getattr(EXPERIMENT.shards, part)


def shards_of(pattern, *parts):
    """Fills {part} and {shard} of a path with all shards of some parts."""
    return [
        path
        for part in parts
        for path in expand(pattern, part=part, shard=range(shards_in(part)), allow_missing=True)
    ]


wildcard_constraints:
    method="|".join(EXPERIMENT.methods),
    seed=r"\d+",
    part="scored|extra|test",
    shard=r"\d+",
    stage="random_walk|segmentation|segmentation_crf",
    layout="seam|irn",


# --- params ---


def section_json(key, exclude=None):
    """A section of the config by its key, with all defaults filled in, for a command line."""
    section = EXPERIMENT
    for name in key.split("."):
        section = getattr(section, name)
    return to_json(section.model_dump(mode="json", exclude=exclude))


def to_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def stage_code(script):
    """Digest of all our code that runs with a script, so that a change of it reruns the stage."""
    return code_digest(f"workflow_scripts/{script}.py")


def code_of_method(script, method):
    """The same, less what jobs of this method never call."""
    without = modules_not_run(EXPERIMENT.methods[method])
    return code_digest(f"workflow_scripts/{script}.py", without=without)


def options(files, *names):
    """Those of some named files that a job has, as options of a command line."""
    words = []
    for name in names:
        paths = files.get(name, [])
        if paths:
            words += [f"--{name.replace('_', '-')}"]
            words += [paths] if isinstance(paths, str) else paths
    return words


def num_shards(wildcards):
    return shards_in(wildcards.part)


# --- archives ---


ARCHIVES = read_archives()


wildcard_constraints:
    archive="|".join(ARCHIVES),


def archive_content(wildcards):
    """What an archive is and what is unpacked of it, without where it comes from."""
    return ARCHIVES[wildcards.archive].model_dump_json(exclude={"urls"})


def archive_sources(wildcards):
    return list(getattr(EXPERIMENT.archives, wildcards.archive))


def archives_directory(wildcards):
    return EXPERIMENT.archives.directory


def unpacked(archive):
    """The directory that unpack_archive makes."""
    return f"{EXPERIMENT.archives.directory}/{archive}/{ARCHIVES[archive].root}"


def unpacked_note(archive):
    """The input of whatever reads that directory."""
    return f"{RESULTS}/archives/{archive}.unpacked.json"


# --- dataset ---


def data_dir(wildcards):
    return DATA


def split_files(*splits):
    """Files of the prepared dataset that list image ids."""
    return [f"{DATA}/splits/{split}.txt" for split in dict.fromkeys(splits)]


def has_test_part():
    """Whether the dataset will have images that are only segmented."""
    dataset = EXPERIMENT.dataset
    if "test" in SPLITS:
        return False
    if dataset.source == "folder":
        return Path(dataset.root, "splits", "test.txt").is_file()
    if dataset.source == "voc" and dataset.voc.id_lists:
        return Path(dataset.voc.id_lists, "test.txt").is_file()
    return dataset.source == "voc" and dataset.voc.test is not None


HAS_TEST = has_test_part()
LEARNING_SPLITS = split_files("train_aug", *SPLITS)
ALL_SPLITS = LEARNING_SPLITS + split_files(*(["test"] if HAS_TEST else []))

# What a source has, below its directories.
SOURCE_TABLES = {
    "folder": ["labels.csv", "classes.txt", "splits/*.txt"],
    "voc": ["ImageSets/Segmentation/*.txt", "train.txt", "val.txt"],
}
SOURCE_PICTURES = {
    "folder": ["images", "masks"],
    "voc": ["Annotations", "JPEGImages", "SegmentationClass", "cls"],
}
VOC_PLACES = {"devkit": devkit_places, "test": devkit_places, "sbd": sbd_places}
VOC_ARCHIVES = {"devkit": "voc_trainval", "test": "voc_test", "sbd": "sbd"}


def voc_archives():
    """The archives that are to be obtained, by the key that asks for each."""
    voc = EXPERIMENT.dataset.voc
    return {key: name for key, name in VOC_ARCHIVES.items() if getattr(voc, key) == ARCHIVE}


def source_roots():
    """Directories of the user in which the source's tables and pictures are, or would be."""
    dataset = EXPERIMENT.dataset
    if dataset.source == "folder":
        return [Path(dataset.root)]
    if dataset.source == "demo":
        return []
    given = dataset.voc.model_dump(exclude={*voc_archives(), "id_lists"}, exclude_none=True)
    return [place for key, path in given.items() for place in VOC_PLACES[key](Path(path))]


def source_inputs():
    """Tables that the dataset is made from, as far as they are there, and notes of archives."""
    dataset = EXPERIMENT.dataset
    patterns = SOURCE_TABLES.get(dataset.source)
    tables = [path for root in source_roots() for name in patterns for path in root.glob(name)]
    notes = []
    if dataset.source == "voc":
        notes = [unpacked_note(archive) for archive in voc_archives().values()]
        tables += Path(dataset.voc.id_lists).glob("*.txt") if dataset.voc.id_lists else []
    return notes + [str(path) for path in sorted(tables) if path.is_file()]


def source_pictures(wildcards):
    """Digest of names, sizes and times of the user's pictures: far too many to be inputs."""
    roots = source_roots()
    if not roots:
        return None
    digest = hashlib.sha256()
    for directory in SOURCE_PICTURES[EXPERIMENT.dataset.source]:
        for path in sorted(path for root in roots for path in (root / directory).glob("*")):
            status = path.stat()
            digest.update(
                f"{directory}/{path.name} {status.st_size} {status.st_mtime_ns}\n".encode()
            )
    return digest.hexdigest()[:16]


def source_options():
    """Where the source is, or will be once its archives are unpacked, and what is wanted of it."""
    dataset = EXPERIMENT.dataset
    files = {"root": dataset.root} if dataset.source == "folder" else {}
    if dataset.source == "voc":
        files = dataset.voc.model_dump()
        files |= {key: unpacked(archive) for key, archive in voc_archives().items()}
    files["classes"] = dataset.classes
    rest = [] if EXPERIMENT.shards.extra else ["--all-scored"]
    return ["--source", dataset.source, *options(files, *files), *rest]


# --- classifier ---


def backbone_weights(backbone):
    """The file that a network's ImageNet weights are in, if it is there.

    Where it is not, the job says so in words.
    """
    file = backbone.weights_file
    return {"backbone": str(file)} if file and file.is_file() else {}


def classifier_inputs(wildcards):
    """What a method starts from, and what its smoothing branch learns from."""
    method = EXPERIMENT.methods[wildcards.method]
    inputs = {}
    if method.init == "imagenet":
        inputs = backbone_weights(EXPERIMENT.classifier.backbone)
    elif not isinstance(method.init, str):
        inputs["init"] = method.init.weights
    else:
        inputs["init"] = f"{run_of(method.init, wildcards.seed)}/classifier/weights.pt"
    if method.smoothing:
        teacher = run_of(method.smoothing.boundaries_from, wildcards.seed)
        inputs["boundaries"] = shards_of(
            f"{teacher}/semantic_boundary/{{part}}-{{shard}}", "scored", "extra"
        )
        if method.smoothing.canny and EXPERIMENT.canny.input == "rgb":
            inputs["canny"] = f"{RESULTS}/canny"
    return inputs


def classifier_options(wildcards, input):
    return options(input, "init", "boundaries", "canny")


def classifier_config(wildcards):
    """The part of the config that all methods share, and the method's own."""
    method = EXPERIMENT.methods[wildcards.method]
    unused = {"seam"} if method.classifier == "cam" else None
    sections = {
        "classifier": EXPERIMENT.classifier.model_dump(mode="json", exclude=unused),
        "method": method.model_dump(mode="json"),
    }
    if method.smoothing and method.smoothing.canny:
        sections["canny"] = EXPERIMENT.canny.model_dump(mode="json")
    return to_json(sections)


def train_classifier_code(wildcards):
    return code_of_method("train_classifier", wildcards.method)


def infer_cam_code(wildcards):
    return code_of_method("infer_cam", wildcards.method)


# --- affinity ---


def affinity_inputs(wildcards):
    """A trained AffinityNet, where the config names one, or the weights of its backbone."""
    init = EXPERIMENT.affinity.init
    return {"init": init.weights} if init else backbone_weights(EXPERIMENT.affinity.backbone)


def affinity_options(wildcards, input):
    return options(input, "init")


# --- segmentation ---


def segmenter_inputs(wildcards):
    """The weights that the segmenter starts from, unless they are published ones, by name."""
    init = EXPERIMENT.segmenter.init
    if init == "imagenet":
        return backbone_weights(EXPERIMENT.segmenter.backbone)
    if init == "coco":
        return {}
    if init == "classifier":
        return {"init": f"{run_of(wildcards.method, wildcards.seed)}/classifier/weights.pt"}
    return {"init": init.weights}


def segmenter_options(wildcards, input):
    return options(input, "init")


def segment_probs():
    """The second output of segment, which only a CRF reads.

    It is kept: were it temporary, another CRF would run segment again, and with it all that
    learns from the masks.
    """
    if EXPERIMENT.segment.crf is None:
        return {}
    return {"probs": f"{RUN}/segmentation/{{part}}-{{shard}}.npz"}


def segmented_images(wildcards):
    """Digests of the images of a part."""
    return f"{DATA}/{'test' if wildcards.part == 'test' else 'image'}_digests.csv"


def segmented_splits(wildcards):
    return ALL_SPLITS if wildcards.part == "test" else LEARNING_SPLITS


def segment_options(wildcards, output):
    return options(output, "probs")


# --- evaluation ---


def supervision_options(wildcards):
    """The mark of scores that have learnt from more than image-level labels."""
    extra = extra_supervision(EXPERIMENT, wildcards.method, wildcards.get("stage", "cam"))
    return ["--extra-supervision", extra] if extra else []


# --- runs ---


def runs():
    """Method, seed and last stage of each run, in the order of the config."""
    return [(run.method, seed, run.until) for run in EXPERIMENT.runs for seed in run.seeds]


def methods_run():
    return list(dict.fromkeys(run.method for run in EXPERIMENT.runs))


def stages_until(until):
    """Stages that are scored in a run."""
    stages = ["cam", "random_walk", "segmentation"]
    stages = stages[: stages.index(until) + 1]
    if until == "segmentation" and EXPERIMENT.segment.crf:
        stages.append("segmentation_crf")
    return stages


def final_stage():
    """The stage whose masks a run ends with that goes all the way."""
    return stages_until("segmentation")[-1]


def test_outputs():
    """What each run makes of the test images: an archive for VOC's server, or else masks."""
    if not HAS_TEST:
        return []
    dataset = EXPERIMENT.dataset
    is_for_server = dataset.source == "voc" and not dataset.classes
    masks = shards_of(f"{final_stage()}/{{part}}-{{shard}}", "test")
    return [
        f"{run_of(method, seed)}/{name}"
        for method, seed, until in runs()
        if until == "segmentation"
        for name in (["submission.tar"] if is_for_server else masks)
    ]


def masks_to_look_at():
    """Where nothing is scored, what each run ends with: maps or masks of all images."""
    pattern_of = {"cam": "cam/{part}-{shard}.npz", "random_walk": "random_walk/{part}-{shard}"}
    pattern_of["segmentation"] = f"{final_stage()}/{{part}}-{{shard}}"
    return [
        path
        for method, seed, until in runs()
        for path in shards_of(f"{run_of(method, seed)}/{pattern_of[until]}", "extra")
    ]


def scores_and_table():
    return [f"{RESULTS}/summary.csv", f"{RESULTS}/report/table.html"]


def all_scores(wildcards):
    return [
        f"{RESULTS}/{method}/seed{seed}/scores/{stage}.csv"
        for method, seed, until in runs()
        for stage in stages_until(until)
    ]


# --- exports ---


def segmentation_of_run(wildcards):
    """The masks a run ends with, if it goes that far."""
    if (wildcards.method, int(wildcards.seed), "segmentation") not in runs():
        return {}
    run = run_of(wildcards.method, wildcards.seed)
    masks = shards_of(f"{run}/{final_stage()}/{{part}}-{{shard}}", "scored", "extra")
    return {"segmentation": masks}


def export_voc_options(wildcards, input):
    return options(input, "segmentation")


def all_exports():
    """Exports of each run; nothing more is trained for them."""
    return [
        f"{run_of(method, seed)}/export/{name}"
        for method, seed, until in runs()
        for name in ("seam", "irn", *(("seam_crf", "voc") if until != "cam" else ()))
    ]


# --- report ---


def all_histories():
    """Network, method and history of each training of the runs."""
    network_of = {"cam": "classifier", "random_walk": "affinity", "segmentation": "segmenter"}
    return [
        (network_of[stage], method, f"{run_of(method, seed)}/{network_of[stage]}/history.csv")
        for method, seed, until in runs()
        for stage in stages_until(until)
        if stage in network_of
    ]


def history_files(wildcards):
    return [path for _, _, path in all_histories()]


def labelled_histories(wildcards):
    return [f"{network}/{method}={path}" for network, method, path in all_histories()]


def sheet_run(wildcards):
    """The run that a method's sheet is drawn of: its first."""
    return next((seed, until) for method, seed, until in runs() if method == wildcards.method)


def sheet_seed(wildcards):
    return sheet_run(wildcards)[0]


def sheet_inputs(wildcards):
    seed, until = sheet_run(wildcards)
    run = run_of(wildcards.method, seed)
    stages = stages_until(until)
    inputs = {"cams": shards_of(f"{run}/cam/{{part}}-{{shard}}.npz", SHOWN_PART)}
    if "random_walk" in stages:
        inputs["pseudo_labels"] = shards_of(f"{run}/random_walk/{{part}}-{{shard}}", SHOWN_PART)
    if "segmentation" in stages:
        inputs["segmentation"] = shards_of(f"{run}/{stages[-1]}/{{part}}-{{shard}}", SHOWN_PART)
    return inputs


def sheet_options(wildcards, input):
    return options(input, "cams", "pseudo_labels", "segmentation")
