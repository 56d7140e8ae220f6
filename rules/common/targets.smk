"""The files that are computed, scored, exported and shown."""

from wsss_core.config.experiment import extra_supervision


def supervision_options(wildcards):
    """Returns the option that marks scores with supervision beyond image-level labels."""
    extra = extra_supervision(EXPERIMENT, METHODS, wildcards.method, wildcards.get("stage", "cam"))
    return cli_options({"extra_supervision": extra}, "extra_supervision")


def runs():
    """Lists method, seed and last stage of each run, in the order of the config."""
    return [(run.method, seed, run.until) for run in EXPERIMENT.runs for seed in run.seeds]


def methods_run():
    return list(dict.fromkeys(run.method for run in EXPERIMENT.runs))


def stages_until(until):
    """Lists the stages that are scored in a run with the last stage `until`."""
    stages = ["cam", "random_walk", "segmentation"]
    stages = stages[: stages.index(until) + 1]
    if until == "segmentation" and EXPERIMENT.segment.crf:
        stages.append("segmentation_crf")
    return stages


def final_stage():
    """Returns the stage of the final masks of a complete run."""
    return stages_until("segmentation")[-1]


def test_outputs():
    """Lists each run's output for the test images: an archive for VOC's server, or else masks."""
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


def maps_or_shares():
    """Lists the final outputs of runs without scores: CAMs, or the class shares of all masks."""
    return [
        path
        for method, seed, until in runs()
        for path in (
            shards_of(f"{run_of(method, seed)}/cam/{{part}}-{{shard}}.npz", "train_only")
            if until == "cam"
            else [f"{run_of(method, seed)}/class_coverage.csv"]
        )
    ]


def results_of_run(wildcards):
    """Returns the final masks of a run without scores, the network, and a picture of some."""
    method, seed = wildcards.method, int(wildcards.seed)
    run, walk = run_of(method, seed), (method, seed, "random_walk")
    stage = "random_walk" if walk in runs() else final_stage()
    results = {"masks": shards_of(f"{run}/{stage}/{{part}}-{{shard}}", "train_only")}
    if stage != "random_walk":
        results["weights"] = f"{run}/segmenter/weights.pt"
    results["qualitative_results"] = f"{RESULTS}/report/qualitative_results/{method}.jpg"
    return results


def class_shares_options(wildcards, input):
    return cli_options(input, "masks", "weights", "qualitative_results")


def all_scores(wildcards):
    return [
        f"{RESULTS}/{method}/seed{seed}/scores/{stage}.csv"
        for method, seed, until in runs()
        for stage in stages_until(until)
    ]


def segmentation_of_run(wildcards):
    """Returns the final masks of a run, if it includes the segmentation."""
    if (wildcards.method, int(wildcards.seed), "segmentation") not in runs():
        return {}
    run = run_of(wildcards.method, wildcards.seed)
    masks = shards_of(f"{run}/{final_stage()}/{{part}}-{{shard}}", "eval", "train_only")
    return {"segmentation": masks}


def export_voc_options(wildcards, input):
    return cli_options(input, "segmentation")


def all_exports():
    """Lists the exports of each run; they need no further training."""
    return [
        f"{run_of(method, seed)}/export/{name}"
        for method, seed, until in runs()
        for name in (*CAM_LAYOUTS, *(("seam_crf", "voc") if until != "cam" else ()))
    ]


def all_histories():
    """Lists network, method and loss curve of each training of the runs."""
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


def qualitative_results_run(wildcards):
    """Returns seed and last stage of a method's first run, which the qualitative results show."""
    return next((seed, until) for method, seed, until in runs() if method == wildcards.method)


def qualitative_results_seed(wildcards):
    return qualitative_results_run(wildcards)[0]


def qualitative_results_inputs(wildcards):
    seed, until = qualitative_results_run(wildcards)
    run = run_of(wildcards.method, seed)
    stages = stages_until(until)
    inputs = {"cams": shards_of(f"{run}/cam/{{part}}-{{shard}}.npz", SHOWN_PART)}
    if "random_walk" in stages:
        inputs["pseudo_labels"] = shards_of(f"{run}/random_walk/{{part}}-{{shard}}", SHOWN_PART)
    if "segmentation" in stages:
        inputs["segmentation"] = shards_of(f"{run}/{stages[-1]}/{{part}}-{{shard}}", SHOWN_PART)
    return inputs


def qualitative_results_options(wildcards, input):
    return cli_options(input, "cams", "pseudo_labels", "segmentation")
