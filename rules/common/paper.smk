"""Inputs of the paper's tables and figures, and commands for missing rows."""

import shlex
from pathlib import Path

from wsss_core.figures.paper.definitions import FIGURES
from wsss_core.figures.paper.published import read_published

PUBLISHED = read_published()


wildcard_constraints:
    table=r"[1-9]",
    figure="|".join(map(str, FIGURES)),


def published_table(wildcards):
    return PUBLISHED.tables[int(wildcards.table) - 1]


def table_scores(wildcards):
    """Lists the scores for a table's rows: those of the runs, and others in the results folder."""
    table = published_table(wildcards)
    name = f"scores/{table.stage}.csv"
    listed = [
        f"{run_of(method, seed)}/{name}"
        for method, seed, until in runs()
        if method in table.methods and table.stage in stages_until(until)
    ]
    found = [
        str(path)
        for method in table.methods
        for path in sorted(Path(RESULTS, method).glob(f"seed*/{name}"))
        if SPLITS and path.with_name(f"{table.stage}_images.csv").is_file()
    ]
    return list(dict.fromkeys(listed + found)) if SPLITS else []


def table_images(wildcards):
    return [path.removesuffix(".csv") + "_images.csv" for path in table_scores(wildcards)]


def table_commands(wildcards):
    """Returns, by method, the command that computes a missing row."""
    table = published_table(wildcards)
    return commands_of(table.methods, table.stage)


def commands_of(methods, stage):
    """Returns, by method, the command that scores a stage, with all necessary config files."""
    tables = Path(workflow.basedir, "configs/paper-tables.yaml")
    given = [Path(path) for path in workflow.config_settings.configfiles]
    if not all(method in EXPERIMENT.methods for method in methods):
        given = [tables, *(path for path in given if path.resolve() != tables)]
    paths = [os.path.relpath(path) for path in given]
    words = ["snakemake", "--cores", "all", *(["--configfile", *paths] if paths else [])]
    if tables in given:
        words += fewer_stages()
    return {
        method: shlex.join([*words, "--", f"{run_of(method, 0)}/scores/{stage}.csv"])
        for method in methods
    }


def table_options(wildcards):
    test_miou = to_json(EXPERIMENT.paper.test_miou)
    return ["--commands", to_json(table_commands(wildcards)), "--test-miou", test_miou]


def fewer_stages():
    """Returns options that adapt the methods with half of sb's features to the backbone in use."""
    features = METHODS["sb"].config.get("smoothing", {}).get("features")
    if features in (None, [1, 3, 5, 6]):  # the features in configs/paper-tables.yaml
        return []
    halves = {"sbdm_f1_f3": features[:2], "sbdm_f5_f6": features[2:]}
    methods = {name: {"smoothing": {"features": half}} for name, half in halves.items()}
    return ["--config", f"methods={to_json(methods)}"]


def figure_runs(wildcards):
    """Returns the first seed of each method in the figure whose run includes the figure's stage."""
    figure = FIGURES[int(wildcards.figure)]
    found = {}
    for method, seed, until in runs():
        if method in figure.methods.values() and figure.stage in stages_until(until):
            found.setdefault(method, seed)
    return found


def figure_results(wildcards):
    """Returns, by method, score maps or masks of the scored images, and pixel counts."""
    stage = FIGURES[int(wildcards.figure)].stage
    suffix = ".npz" if stage == "cam" else ""
    return {
        method: {
            "shards": shards_of(
                f"{run_of(method, seed)}/{stage}/{{part}}-{{shard}}{suffix}", "eval"
            ),
            "counts": f"{run_of(method, seed)}/scores/{stage}_images.csv",
        }
        for method, seed in figure_runs(wildcards).items()
    }


def figure_files(wildcards):
    results = figure_results(wildcards).values()
    return {
        "shards": [path for result in results for path in result["shards"]],
        "counts": [result["counts"] for result in results],
    }


def figure_inputs(wildcards):
    """Returns the inputs of the figure as JSON for its program."""
    number = int(wildcards.figure)
    figure, results = FIGURES[number], figure_results(wildcards)
    missing = [method for method in figure.methods.values() if method not in results]
    return to_json(
        {
            "number": number,
            "data": DATA,
            "split": SHOWN_SPLIT,
            "image_ids": getattr(EXPERIMENT.paper.images, f"figure_{number}", ()),
            "runs": results,
            "commands": commands_of(missing, figure.stage),
        }
    )


def paper_outputs():
    """Lists all tables, and all figures if there are ground-truth masks."""
    tables = [f"{RESULTS}/paper/table_{table.number}.md" for table in PUBLISHED.tables]
    figures = [f"{RESULTS}/paper/figure_{number}.pdf" for number in FIGURES]
    return [*tables, *(figures if SPLITS else [])]
