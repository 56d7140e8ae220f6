"""Which scores the paper's tables show, and what would have to be run for the rest."""

import shlex
from pathlib import Path

from wsss_core.figures.paper.published import read_published

PUBLISHED = read_published()


wildcard_constraints:
    table=r"[1-9]",


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
    tables = Path(workflow.basedir, "configs/paper-tables.yaml")
    given = [Path(path) for path in workflow.config_settings.configfiles]
    if not all(method in EXPERIMENT.methods for method in table.methods):
        given = [tables, *(path for path in given if path.resolve() != tables)]
    paths = [os.path.relpath(path) for path in given]
    words = ["snakemake", "--cores", "all", *(["--configfile", *paths] if paths else [])]
    return {
        method: shlex.join([*words, "--", f"{run_of(method, 0)}/scores/{table.stage}.csv"])
        for method in table.methods
    }


def table_options(wildcards):
    test_miou = to_json(EXPERIMENT.paper.test_miou)
    return ["--commands", to_json(table_commands(wildcards)), "--test-miou", test_miou]
