"""Inputs of the report page."""

# Config keys that change neither a result nor the page.
WITHOUT_RESULT = ("archives", "checkpoint_minutes", "log_every")


def first_runs():
    """Lists method, seed and last stage of each method's first run, whose pictures are shown."""
    return list({run[0]: run for run in reversed(runs())}.values())


def report_page_inputs(wildcards):
    """Returns all scores, the loss curves of all trainings, and the masks to show."""
    scored = [
        f"{run_of(method, seed)}/scores/{stage}{suffix}.csv"
        for method, seed, until in runs()
        for stage in stages_until(until)
        for suffix in (["", "_images"] if stage != "cam" else ["", "_images", "_sweep"])
    ]
    shown = [
        path
        for method, seed, until in first_runs()
        for stage in stages_until(until)
        for path in shards_of(
            f"{run_of(method, seed)}/{stage}/{{part}}-{{shard}}{'.npz' if stage == 'cam' else ''}",
            SHOWN_PART,
        )
    ]
    covered = [
        f"{run_of(method, seed)}/class_coverage.csv"
        for method, seed, until in first_runs()
        if until != "cam"
    ]
    return {
        "scores": [f"{RESULTS}/summary.csv", *scored] if SPLITS else covered,
        "shown": shown,
        "histories": history_files(wildcards),
        "networks": [str(Path(card).with_name("weights.pt")) for card in model_cards()],
    }


def model_cards():
    """Lists the model cards, one beside the weights of each segmentation network."""
    return [
        f"{run_of(method, seed)}/segmenter/MODEL_CARD.md"
        for method, seed, until in runs()
        if until == "segmentation"
    ]


def report_page_results(wildcards):
    """Describes all runs as JSON for the program of the report."""
    return to_json(
        {
            "folder": RESULTS,
            "data": DATA,
            "splits": SPLITS,
            "shown_split": SHOWN_SPLIT,
            "shown_part": SHOWN_PART,
            "num_shards": shards_in(SHOWN_PART),
            "runs": [
                {"method": method, "seed": seed, "stages": stages_until(until)}
                for method, seed, until in runs()
            ],
        }
    )


def report_page_config(wildcards):
    return to_json({key: value for key, value in config.items() if key not in WITHOUT_RESULT})
