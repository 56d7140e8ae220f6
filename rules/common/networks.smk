"""Inputs and options of trainings and inference: initial weights, training data, images."""


def init_options(init, files, *names):
    """Returns the options for initial weights (a file, or another network) and for other files."""
    given = {"init": str(local_file(init.weights))} if isinstance(init, InitFile) else {}
    return cli_options({**files, **given}, "note", "init", *names)


def classifier_inputs(wildcards):
    """Returns the initial weights of a method and the inputs of its smoothing branch."""
    method = METHODS[wildcards.method]
    inputs = {}
    if method.init == "imagenet":
        inputs = note_of(EXPERIMENT.classifier.backbone)
    elif isinstance(method.init, InitFile):
        inputs = note_of(method.init)
    else:
        inputs["init"] = f"{run_of(method.init, wildcards.seed)}/classifier/weights.pt"
    if method.boundaries:
        teacher = run_of(method.boundaries.teacher, wildcards.seed)
        stage = method.boundaries.stage or final_stage()
        inputs["boundaries"] = shards_of(
            f"{teacher}/semantic_boundary/{stage}/{{part}}-{{shard}}", "eval", "train_only"
        )
        if method.boundaries.canny and EXPERIMENT.canny.input == "rgb":
            inputs["canny"] = f"{RESULTS}/canny"
    return inputs


def classifier_options(wildcards, input):
    return init_options(METHODS[wildcards.method].init, input, "boundaries", "canny")


def classifier_config(wildcards):
    """Returns the config of all classifiers and of the method, as JSON."""
    method = METHODS[wildcards.method]
    sections = {
        "classifier": EXPERIMENT.classifier.model_dump(mode="json"),
        "method": method.config,
    }
    if method.boundaries and method.boundaries.canny:
        sections["canny"] = EXPERIMENT.canny.model_dump(mode="json")
    return to_json(sections)


def train_classifier_code(wildcards):
    return code_of_method("train_classifier", wildcards.method)


def method_kind(wildcards):
    return METHODS[wildcards.method].config["kind"]


def infer_cam_code(wildcards):
    return code_of_method("infer_cam", wildcards.method)


def affinity_inputs(wildcards):
    """Returns the note of the initial weights: of an AffinityNet, or else of its backbone."""
    return note_of(EXPERIMENT.affinity.init or EXPERIMENT.affinity.backbone)


def affinity_options(wildcards, input):
    return init_options(EXPERIMENT.affinity.init, input)


def segmenter_inputs(wildcards):
    """Returns the initial weights of the segmenter."""
    init = EXPERIMENT.segmenter.init
    if init == "classifier":
        return {"init": f"{run_of(wildcards.method, wildcards.seed)}/classifier/weights.pt"}
    return note_of(EXPERIMENT.segmenter.backbone if init == "imagenet" else init)


def segmenter_options(wildcards, input):
    return init_options(EXPERIMENT.segmenter.init, input)


def segment_probs():
    """Returns the second output of the rule segment, which only a CRF reads.

    It is not temporary. Otherwise a change of the CRF would rerun segment, and then all stages that
    depend on its masks.
    """
    if EXPERIMENT.segment.crf is None:
        return {}
    return {"probs": f"{RUN}/segmentation/{{part}}-{{shard}}.npz"}


def segmented_images(wildcards):
    """Returns the table of digests of a part's images."""
    return f"{DATA}/{'test' if wildcards.part == 'test' else 'image'}_digests.csv"


def segmented_splits(wildcards):
    return ALL_SPLITS if wildcards.part == "test" else LEARNING_SPLITS


def segment_options(wildcards, output):
    return cli_options(output, "probs")
