"""What the paper's tables and figures show, and what would have to be run for the rest."""

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
    """Scores of a table's rows: those of the runs, and others that lie in the folder already."""
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
    """What runs a row that was not run, by method."""
    table = published_table(wildcards)
    return commands_of(table.methods, table.stage)


def commands_of(methods, stage):
    """What scores a stage of each of some methods, with the config files that know them all."""
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
    """Options that give methods of half of sb's backbone stages halves that this backbone has."""
    features = METHODS["sb"].config.get("smoothing", {}).get("features")
    if features in (None, [1, 3, 5, 6]):  # as configs/paper-tables.yaml has them
        return []
    halves = {"sbdm_f1_f3": features[:2], "sbdm_f5_f6": features[2:]}
    methods = {name: {"smoothing": {"features": half}} for name, half in halves.items()}
    return ["--config", f"methods={to_json(methods)}"]


def figure_runs(wildcards):
    """The first seed of each method that the figure shows and that goes so far."""
    figure = FIGURES[int(wildcards.figure)]
    found = {}
    for method, seed, until in runs():
        if method in figure.methods.values() and figure.stage in stages_until(until):
            found.setdefault(method, seed)
    return found


def figure_results(wildcards):
    """By method: its score maps or masks of the scored images, and its pixel counts."""
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
    """What the figure is made of, as its program reads it."""
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
    """All tables, and all figures where there are true masks to show."""
    tables = [f"{RESULTS}/paper/table_{table.number}.md" for table in PUBLISHED.tables]
    figures = [f"{RESULTS}/paper/figure_{number}.pdf" for number in FIGURES]
    return [*tables, *(figures if SPLITS else [])]
