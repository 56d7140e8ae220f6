"""Tests of the DAG of the shipped configs by dry runs, and of messages about wrong configs."""

import json
import re
import shutil

import pytest

from tests.conftest import write_tiny_dataset
from tests.prepare.voc.devkit import annotation, write_tiny_voc
from tests.workflow.running import PROJECT, commands, copy_project, job_counts, snakemake
from wsss_core.layouts.cams import CAM_LAYOUTS

DEVKIT = "data/archives/voc_trainval/VOCdevkit/VOC2012"


def dry_run(*arguments, directory):
    return snakemake("--dry-run", *arguments, directory=directory)


def test_plain_config_shows_the_papers_whole_dag_without_its_data(tmp_path):
    shards, train_only = 5, 16
    every = shards + train_only
    assert job_counts(dry_run(directory=tmp_path)) == {
        "download_archive": 1,
        "unpack_archive": 1,
        "obtain_weights": 2,  # of ResNet38d and of the segmenter
        "prepare_dataset": 1,
        "canny": 1,
        "train_classifier": 4,
        "infer_cam": 3 * every + shards,  # cam has no tail
        "evaluate_cam": 4,
        "crf_seeds": 3 * every,
        "train_affinity": 3,
        "random_walk": 3 * every,
        "train_segmenter": 3,
        "segment": every + 2 * shards,  # sb learns from seam's segmentations of all training images
        "segment_crf": every + 2 * shards,
        "semantic_boundary": every,
        "evaluate_masks": 9,
        "summarise": 1,
        "report_page": 1,
        "loss_curves": 1,
        "qualitative_results": 4,
    }


def test_demo_runs_the_baseline_and_ours_to_the_end(tmp_path):
    counts = job_counts(dry_run("--configfile", PROJECT / "configs/demo.yaml", directory=tmp_path))
    assert counts["train_classifier"] == counts["qualitative_results"] == 3
    assert counts["train_segmenter"] == counts["train_affinity"] == 2
    assert counts["segment"] == 2
    assert counts["semantic_boundary"] == 1


def test_voc_animals_has_a_tail_for_three_methods(tmp_path):
    configs = [PROJECT / "configs" / f"{name}.yaml" for name in ("compact", "voc-animals")]
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/voc-animals").symlink_to(PROJECT / "configs/voc-animals")
    counts = job_counts(dry_run("--configfile", *configs, directory=tmp_path))
    assert counts["train_classifier"] == 4
    assert counts["train_segmenter"] == 3
    assert counts["infer_cam"] == 3 * (1 + 3) + 1  # 570 images are scored, 1,430 only trained on


def test_what_a_method_needs_is_run_too(tmp_path):
    """A run of sb alone, twice, as far as its CAM: seam is trained to the end for each seed."""
    runs = "runs=[{method: sb, seeds: [3, 4], until: cam}]"
    run = dry_run("--printshellcmds", "--config", runs, directory=tmp_path)
    counts = job_counts(run)
    assert counts["train_classifier"] == 4
    assert counts["train_segmenter"] == 2
    assert counts["semantic_boundary"] == 2 * (5 + 16)
    assert counts["evaluate_cam"] == 2
    assert "evaluate_masks" not in counts
    branches = [c for c in commands(run, "train_classifier") if c.option("method") == "sb"]
    assert sorted(c.option("seed") for c in branches) == ["3", "4"]
    for command in branches:
        assert f"/seam/seed{command.option('seed')}/" in command.option("init")


def test_weights_from_outside_are_an_input(tmp_path):
    """seam starts from a file, and sb from what seam makes of it."""
    path = tmp_path / "released weights.pth"
    init = f"{{weights: '{path.name}', sha256: '{'0' * 64}'}}"
    (tmp_path / "x.yaml").write_text(
        f"methods: {{seam: {{init: {init}, epochs: 0}}}}\naffinity: {{init: {init}, epochs: 0}}"
    )
    options = ("--printshellcmds", "--configfile", "x.yaml")
    missing = dry_run(*options, directory=tmp_path)
    assert f"warning: {path.name}: weights file not found" in missing.stderr
    path.write_bytes(b"")
    run = dry_run(*options, directory=tmp_path)
    assert path.name not in run.stderr
    assert job_counts(run)["train_classifier"] == 4
    init = {c.option("method"): c.option("init") for c in commands(run, "train_classifier")}
    assert init["seam"] == path.name
    assert "/seam/seed0/" in init["sb"]
    assert init["cam"] is None
    assert {c.option("init") for c in commands(run, "train_affinity")} == {path.name}


def test_segmenter_starts_from_the_methods_own_classifier(tmp_path):
    backbone = "backbone: {name: resnet38d, weights: w.pth}"
    (tmp_path / "x.yaml").write_text(
        f"classifier: {{{backbone}}}\nsegmenter: {{init: classifier, {backbone}}}"
    )
    run = dry_run("--printshellcmds", "--configfile", "x.yaml", directory=tmp_path)
    init = {c.option("output"): c.option("init") for c in commands(run, "train_segmenter")}
    here = [f"results/voc12/{method}/seed0" for method in ("seam", "seam_extra", "sb")]
    assert init == {f"{x}/segmenter/weights.pt": f"{x}/classifier/weights.pt" for x in here}
    plain = commands(dry_run("--printshellcmds", directory=tmp_path), "train_segmenter")
    assert [c.option("init") for c in plain] == [None] * 3


def test_scores_are_told_of_extra_supervision(tmp_path):
    extra = "segmenter={init: coco, head: deeplabv3, extra_supervision: COCO masks}"
    run = dry_run("--printshellcmds", "--config", extra, directory=tmp_path)
    evaluations = commands(run, "evaluate")
    for command in evaluations:
        learnt = command.option("stage").startswith("seg") or command.option("method") == "sb"
        assert command.option("extra-supervision") == ("COCO masks" if learnt else None)
    assert len(evaluations) == 13
    assert [c.option("init") for c in commands(run, "train_segmenter")] == [None] * 3


def classifier_config(run, method):
    """What the training of a method's classifier is told of the config."""
    found = commands(run, "train_classifier")
    (config,) = [c.option("config") for c in found if c.option("method") == method]
    return json.loads(config)


def test_a_preset_lies_between_config_yaml_and_what_the_user_gives(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "preset: released\nmethods: {sb: {smoothing: {lambda_boundary: 0.02}}}"
    )
    options = ("--printshellcmds", "--configfile", "x.yaml")
    changes = "methods={seam: {ecr_top_fraction: 0.5}}"
    run = dry_run(*options, "--config", changes, directory=tmp_path)
    counts = job_counts(run)
    assert counts["train_classifier"] == 4
    assert "canny" not in counts  # edges are those of the network's input
    config = classifier_config(run, "sb")
    method, smoothing = config["method"], config["method"]["smoothing"]
    assert (smoothing["head"], smoothing["lambda_boundary"]) == ("released", 0.02)
    assert (method["background"], method["ecr_top_fraction"]) == (True, 0.5)
    assert config["canny"]["input"] == "normalized_cast"
    paper = dry_run(*options, "--config", "preset=paper", directory=tmp_path)
    assert job_counts(paper)["canny"] == 1
    assert classifier_config(paper, "sb")["method"]["smoothing"]["head"] == "paper"


def test_a_mistake_in_the_choice_of_a_preset_and_beside_it(tmp_path):
    run = dry_run("--config", "preset=realeased", directory=tmp_path)
    line = "error: --config: preset: got 'realeased'; expected 'paper', 'text' or 'released'"
    assert run.returncode == 1 and run.stderr.splitlines()[-1] == line
    (tmp_path / "x.yaml").write_text("methods: {sb: {smoothing: {head: plain}}}")
    run = dry_run("--configfile", "x.yaml", "--config", "preset=released", directory=tmp_path)
    key = "methods.sb.smoothing.head"
    line = f"error: x.yaml: {key}: got 'plain'; expected 'paper' or 'released'"
    assert run.stderr.splitlines()[-1] == line


def test_boundaries_come_after_the_crf_where_there_is_one(tmp_path):
    def taken_from(*options):
        run = dry_run("--printshellcmds", *options, directory=tmp_path)
        made = commands(run, "semantic_boundary")
        folders = {c.option("segmentation").split("/")[-2] for c in made}
        (branch,) = (c for c in commands(run, "train_classifier") if c.option("method") == "sb")
        assert {path.split("/")[-2] for path in branch.options["boundaries"]} == folders
        return folders

    (tmp_path / "plain.yaml").write_text("segment: {crf: null}")
    assert taken_from() == {"segmentation_crf"}
    assert taken_from("--configfile", "plain.yaml") == {"segmentation"}
    network = "methods={sb: {smoothing: {boundaries_stage: segmentation}}}"
    assert taken_from("--config", network) == {"segmentation"}


def test_all_probabilities_that_are_written_are_read(tmp_path):
    """Gigabytes of VOC: of training images only where boundaries are learnt from their CRF."""
    run = dry_run("--printshellcmds", directory=tmp_path)
    written, read = (
        [c.option("probs") for c in commands(run, f"segment{x}")] for x in ("", "_crf")
    )
    assert sorted(written) == sorted(read)
    assert {path.split("/")[2] for path in written if "train_only" in path} == {"seam"}


def test_no_crf_after_segmentation(tmp_path):
    (tmp_path / "plain.yaml").write_text("segment: {crf: null}")
    run = dry_run("--printshellcmds", "--configfile", "plain.yaml", directory=tmp_path)
    assert "segment_crf" not in job_counts(run)
    assert not [c for c in commands(run) if "probs" in c.options]


@pytest.mark.parametrize(("train_only", "is_told"), [(16, False), (1, False), (0, True)])
def test_the_first_stage_is_told_that_there_is_no_rest(tmp_path, train_only, is_told):
    settings = ("--printshellcmds", "--config", f"shards={{train_only: {train_only}}}")
    run = dry_run("results/voc12/data/labels.csv", *settings, directory=tmp_path)
    (command,) = commands(run, "prepare_dataset")
    assert (command.option("source"), command.option("devkit")) == ("voc", DEVKIT)
    assert ("all-eval" in command.options) == is_told


@pytest.mark.parametrize(
    ("limit", "of_training", "of_others"),
    [(0, 0, 0), (1, 1, 1), (2, 2, 1), (9, 4, 1)],
)
def test_gpus_are_used_where_they_are_offered(tmp_path, limit, of_training, of_others):
    """What leases them and what computes on them are told the same number; a training does both."""
    run = dry_run("--printshellcmds", "--resources", f"gpu={limit}", directory=tmp_path)
    jobs = [c for c in commands(run) if c.leased is not None or "gpus" in c.options]
    found = {("train" in job.script, job.leased, int(job.option("gpus"))) for job in jobs}
    assert found == {(True, None, of_training), (False, of_others, of_others)}


def test_every_rule_tells_all_about_itself():
    directives = ("output", "log", "benchmark", "params", "threads")
    for path in PROJECT.glob("rules/**/*.smk"):
        rules = re.split(r"^ *(?:rule|checkpoint) (?=\w+:$)", path.read_text(), flags=re.M)[1:]
        for rule in rules:
            for directive in (*directives, "resources", "conda", "shell"):
                assert re.search(rf"^ +{directive}:", rule, re.M), f"{rule[:20]}: no {directive}"
            reads_nothing = rule.startswith(
                ("download_archive:", "obtain_weights:")
            )  # but the internet
            assert reads_nothing or re.search(r"^ +input:", rule, re.M), rule[:20]
            assert "mem_mb=" in rule
            assert "runtime=" in rule
            assert "lambda" not in rule
            assert "message:" not in rule  # a dry run would show it in place of inputs and outputs


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "clasifier: {crop_size: 64}",
            ["wrong.yaml: clasifier: unknown key 'clasifier'; did you mean classifier?"],
        ),
        (
            "dataset: {voc: {devkit: null}, classes: [cat, dog, cat]}",
            [
                "wrong.yaml: dataset.classes: has 'cat' more than once; expected each class once",
                "wrong.yaml: dataset.voc.devkit: got None; expected a valid string",
            ],
        ),
        (
            "segment: {scales: [-1]}\ncanny: {high: none}",
            [
                "wrong.yaml: canny.high: got 'none'; expected a valid number, unable to parse "
                "string as a number",
                "wrong.yaml: segment.scales.0: got -1; expected greater than or equal to 0.05",
            ],
        ),
        (
            "methods: {seam: {init: seam_extra}}",
            [
                f"{PROJECT}/config.yaml: methods.seam_extra.init: "
                "cycle seam -> seam_extra -> seam; expected a method that does not need seam_extra",
            ],
        ),
    ],
)
def test_wrong_config_is_told_in_one_line_each(tmp_path, text, lines):
    (tmp_path / "wrong.yaml").write_text(text)
    run = dry_run("--configfile", "wrong.yaml", directory=tmp_path)
    assert run.returncode == 1
    told = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert sorted(told) == sorted(f"error: {line}" for line in lines)
    assert run.stderr.splitlines()[-1] in told
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "results").exists()


def test_option_of_the_command_line_overrides_one_key(tmp_path):
    option = "dataset={source: folder, folder: my photos}"
    run = dry_run("--printshellcmds", "--config", option, directory=tmp_path)
    (command,) = commands(run, "prepare_dataset")
    assert (command.option("source"), command.option("folder")) == ("folder", "my photos")
    assert command.option("output") == "results/voc12/data"


def test_missing_dataset_is_named_and_leaves_nothing(tmp_path):
    devkit = "dataset={voc: {devkit: data/VOCdevkit}}"
    target = "results/voc12/data/labels.csv"
    run = snakemake(target, "--cores", "1", "--config", devkit, directory=tmp_path)
    assert run.returncode == 1
    expected = (
        "error: data/VOCdevkit has no unpacked VOC 2012 (trainval); expected a directory with"
    )
    assert expected in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert [path for path in tmp_path.rglob("results/voc12/data/**/*") if path.is_file()] == []


def test_change_of_the_source_is_seen_and_nothing_else(tmp_path, tiny_dataset):
    """Tables are inputs; pictures, far too many for that, are told by a digest."""
    root = f"dataset={{name: mine, source: folder, folder: '{tiny_dataset}'}}"
    target = "results/mine/data/labels.csv"

    def jobs():
        return job_counts(dry_run(target, "--config", root, directory=tmp_path))

    made = snakemake(target, "--cores", "1", "--config", root, directory=tmp_path)
    assert job_counts(made) == {"prepare_dataset": 1}
    assert jobs() == {}
    labels = tiny_dataset / "labels.csv"
    text = labels.read_text()
    labels.write_text(text)  # the same again
    assert jobs() == {}
    labels.write_text(text.replace("train_1,0", "train_1,1"))
    assert jobs() == {"prepare_dataset": 1}
    labels.write_text(text)
    mask = next((tiny_dataset / "masks").iterdir())
    mask.write_bytes(mask.read_bytes() + b"0")
    assert jobs() == {"prepare_dataset": 1}


def test_without_masks_each_run_ends_in_what_its_own_show(tmp_path):
    runs = "[{method: cam, seeds: [0], until: cam}, {method: seam, seeds: [1, 2]}"
    runs += ", {method: seam, seeds: [0], until: random_walk}]"
    option = ("--config", "evaluation={splits: []}", f"runs={runs}", "shards={train_only: 2}")
    run = dry_run("--printshellcmds", *option, directory=tmp_path)
    counts = job_counts(run)
    assert counts["class_shares"] == 3
    assert counts["infer_cam"] == 2 * 4
    assert not {"evaluate_cam", "evaluate_masks", "summarise"} & {*counts}
    here = "results/voc12/seam"
    shares = {c.option("output"): c for c in commands(run, "class_shares")}
    for seed, stage in ((0, "random_walk"), (1, "segmentation_crf"), (2, "segmentation_crf")):
        command = shares[f"{here}/seed{seed}/class_coverage.csv"]
        masks = [f"{here}/seed{seed}/{stage}/train_only-{shard}" for shard in range(2)]
        assert command.options["masks"] == masks
        weights = f"{here}/seed{seed}/segmenter/weights.pt" if seed else None
        assert command.option("weights") == weights
        sheet = "results/voc12/report/qualitative_results/seam.jpg"
        assert command.option("qualitative-results") == sheet


def test_test_images_of_voc_are_segmented_and_packed(tmp_path):
    """They are another part, which only stages after all training see."""
    without = job_counts(dry_run(directory=tmp_path))
    test = ("--config", "dataset={voc: {test: data/test}}", "shards={test: 3}")
    run = dry_run("--printshellcmds", *test, directory=tmp_path)
    counts = job_counts(run)
    more = {rule: n - without.get(rule, 0) for rule, n in counts.items() if n != without.get(rule)}
    assert more == {"segment": 3 * 3, "segment_crf": 3 * 3, "submission": 3}
    (prepared,) = commands(run, "prepare_dataset")
    assert (prepared.option("devkit"), prepared.option("test")) == (DEVKIT, "data/test")
    tests = [c for c in commands(run, "segment") if c.option("part") == "test"]
    shards = sorted((c.option("shard"), c.option("num-shards")) for c in tests)
    assert shards == [(shard, "3") for shard in "000111222"]  # of three methods
    masks = [f"results/voc12/sb/seed0/segmentation_crf/test-{i}" for i in range(3)]
    assert masks in [c.options["masks"] for c in commands(run, "submission")]


def test_nothing_is_packed_of_a_choice_of_classes(tmp_path):
    option = "dataset={classes: [cat, dog], voc: {test: data/test}}"
    run = dry_run("--printshellcmds", "--config", option, directory=tmp_path)
    counts = job_counts(run)
    assert "submission" not in counts
    assert counts["segment_crf"] == 21 + 2 * 5 + 3 * 3
    (prepared,) = commands(run, "prepare_dataset")
    assert prepared.option("test") == "data/test"
    assert json.loads(prepared.option("config"))["classes"] == ["cat", "dog"]


def test_a_split_test_of_a_folder_is_segmented(tmp_path, tiny_dataset):
    (tiny_dataset / "splits/test.txt").write_text("new_0\n")
    shutil.copy(tiny_dataset / "images/val_0.jpg", tiny_dataset / "images/new_0.jpg")
    root = f"dataset={{name: mine, source: folder, folder: '{tiny_dataset}'}}"
    counts = job_counts(dry_run("--config", root, directory=tmp_path))
    assert counts["segment_crf"] == 2 + 2 * 1 + 3 * 1  # the first also for the boundaries of sb
    data = "results/mine/data/test_digests.csv"
    made = snakemake(data, "--cores", "1", "--config", root, directory=tmp_path)
    assert job_counts(made) == {"prepare_dataset": 1}
    assert (tmp_path / "results/mine/data/splits/test.txt").read_text() == "new_0\n"


def test_what_a_folder_does_not_list_stops_no_plan(tmp_path, tiny_dataset):
    (tiny_dataset / "images/caf\udce9.jpg").touch()  # Latin-1 from an old archive
    (tiny_dataset / "images/{x}.jpg").touch()
    (tiny_dataset / "images/dead.jpg").symlink_to("nowhere")
    root = f"dataset={{name: mine, source: folder, folder: '{tiny_dataset}'}}"
    assert "prepare_dataset" in job_counts(dry_run("--config", root, directory=tmp_path))


@pytest.mark.slow
def test_pictures_that_have_moved_are_linked_again_once(tmp_path, tiny_dataset):
    project = tmp_path / "project"
    project.mkdir()
    (project / "mine").symlink_to(tiny_dataset)
    labels = "results/mine/data/labels.csv"
    root = "dataset={name: mine, source: folder, folder: mine}"
    picture = project / "results/mine/data/images/val_0.jpg"
    for place in ("tiny", "elsewhere"):
        if place != "tiny":
            tiny_dataset.rename(tmp_path / place)
            (project / "mine").unlink()
            (project / "mine").symlink_to(tmp_path / place)
        for jobs in ({"prepare_dataset": 1}, {}):
            done = snakemake(labels, "--cores", "1", "--config", root, directory=project)
            assert job_counts(done) == jobs
        assert picture.resolve() == tmp_path / place / "images/val_0.jpg"


def test_change_of_voc_is_seen(tmp_path):
    write_tiny_voc(tmp_path)
    voc = "voc: {devkit: trainval, sbd: sbd}"
    options = ("results/voc12/data/labels.csv", "--config", f"dataset={{{voc}}}")
    made = snakemake(*options, "--cores", "1", directory=tmp_path)
    assert job_counts(made) == {"prepare_dataset": 1}
    assert job_counts(dry_run(*options, directory=tmp_path)) == {}
    path = tmp_path / "trainval/VOCdevkit/VOC2012/Annotations/2008_000001.xml"
    path.write_text(annotation("2008_000001", ["dog", "cat"]))
    assert job_counts(dry_run(*options, directory=tmp_path)) == {"prepare_dataset": 1}


def test_exports_are_made_where_they_are_asked_for(tmp_path):
    """Not by default; those of all runs by one name, and each by its path."""
    demo = ("--configfile", PROJECT / "configs/demo.yaml")  # of few shards
    everything = job_counts(dry_run(*demo, directory=tmp_path))
    assert not [rule for rule in everything if rule.startswith("export")]
    counts = job_counts(dry_run("exports", *demo, directory=tmp_path))
    # Of three methods, two of which go all the way.
    exports = {
        "export_cams": 3 * len(CAM_LAYOUTS),
        "export_seeds": 2,
        "export_voc": 2,
        "exports": 1,
    }
    assert {rule: n for rule, n in counts.items() if rule.startswith("export")} == exports
    trainings = {rule: n for rule, n in everything.items() if rule.startswith("train_")}
    assert {rule: n for rule, n in counts.items() if rule.startswith("train_")} == trainings


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("voc", {"export_voc", "random_walk", "segment", "segment_crf"}),
        ("seam", {"export_cams", "infer_cam"}),
    ],
)
def test_an_export_needs_what_it_shows(tmp_path, name, rules):
    run = dry_run(f"results/voc12/seam/seed0/export/{name}", directory=tmp_path)
    trainings = {"train_classifier", "train_affinity", "train_segmenter"}
    before = {"download_archive", "unpack_archive", "obtain_weights", "prepare_dataset"}
    before |= {"infer_cam", "crf_seeds"}
    assert rules <= set(job_counts(run)) <= rules | before | trainings


def test_an_export_does_not_lengthen_a_run(tmp_path):
    """A network is shown by runs that have one."""
    runs = ("--config", "runs=[{method: seam, seeds: [0], until: random_walk}]")
    counts = job_counts(dry_run("results/voc12/seam/seed0/export/voc", *runs, directory=tmp_path))
    assert counts["export_voc"] == 1
    assert "train_segmenter" not in counts


def test_experiments_lie_side_by_side_on_one_dataset(tmp_path):
    """Each has a folder of its own; that of the dataset is shared, and so are trainings."""

    def trained(*config):
        run = dry_run("--printshellcmds", "--config", *config, directory=tmp_path)
        (data,) = {c.option("output") for c in commands(run, "prepare_dataset")}
        found = commands(run, "train_classifier")
        assert {c.option("dataset") for c in found} == {data}
        assert {c.option("store") for c in found} == {"results/store"}
        return data, {c.option("output").split("/")[1] for c in found}

    data = "results/voc12/data"
    assert trained("preset=paper") == (data, {"voc12"})
    assert trained("name=mine") == (data, {"mine"})
    assert trained("preset=released") == (data, {"voc12-released"})
    assert trained("preset=released", "name=mine") == (data, {"mine"})
    assert trained("dataset={name: pets}") == ("results/pets/data", {"pets"})


@pytest.mark.parametrize("option", ["name=store", "dataset={name: weights}"])
def test_folders_that_experiments_share_are_no_names(tmp_path, option):
    run = dry_run("--config", option, directory=tmp_path)
    assert run.returncode == 1
    assert "is taken; expected another name for a folder of results" in run.stderr


def test_another_checkout_as_the_working_directory_runs_no_code(tmp_path):
    """`python -m` would look there first."""
    other = copy_project(tmp_path / "other")
    for program in (other / "workflow_scripts").glob("*.py"):
        program.write_text("raise SystemExit('the other checkout')\n")
    demo = "dataset={name: tiny, source: demo, demo: {num_train: 6, num_val: 1, size: 64}}"
    target = "results/tiny/data/labels.csv"
    run = snakemake(target, "--cores", "1", "--config", demo, directory=other)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (other / target).is_file()


def test_texts_of_the_config_reach_programs_as_they_are(tmp_path):
    """Snakemake fills in no wildcards in them, and no program takes one for an option."""
    write_tiny_dataset(tmp_path / "-pets")
    told = "-{method} of {x}"
    (tmp_path / "x.yaml").write_text(
        "dataset: {name: pets, source: folder, folder: -pets}\n"
        f"segmenter: {{extra_supervision: '{told}'}}\n"
    )
    run = dry_run(
        "--configfile", PROJECT / "configs/demo.yaml", "x.yaml", "--printshellcmds", "--forceall",
        directory=tmp_path,
    )  # fmt: skip
    assert commands(run, "prepare_dataset")[0].option("folder") == "./-pets"
    configs = [json.loads(c.option("config")) for c in commands(run, "train_segmenter")]
    assert {config["extra_supervision"] for config in configs} == {told}
    assert any(f"extra-supervision={told}" in c.options for c in commands(run, "evaluate"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("__use_yte__: true\nname: x\n", "x.yaml: __use_yte__: Snakemake would run code"),
        ("name: a\nname: b\n", "x.yaml line 2: the key 'name' is given twice"),
        ("methods: [a]\n", "x.yaml: methods: got ['a']; expected a valid dictionary"),
        ("methods: {sb: null}\n", "x.yaml: methods.sb"),
    ],
)
def test_odd_config_files_are_told_in_one_line(tmp_path, content, words):
    (tmp_path / "x.yaml").write_text(content)
    run = dry_run("--configfile", "x.yaml", directory=tmp_path)
    assert run.returncode != 0
    assert words in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
