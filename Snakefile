"""Workflow from photographs with image-level labels to masks and a scored segmentation network."""

import atexit
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")
if Path(str(workflow.current_basedir)).resolve() != Path(workflow.basedir).resolve():
    sys.exit(
        "error: this workflow cannot be part of another Snakefile; docs/experiments.md says why"
    )


configfile: f"{workflow.basedir}/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/download.smk"
include: "rules/dataset.smk"
include: "rules/weights.smk"
include: "rules/classifier.smk"
include: "rules/pseudo_labels.smk"
include: "rules/segmenter.smk"
include: "rules/boundary.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"
include: "rules/report_page.smk"
include: "rules/paper.smk"
include: "rules/submission.smk"
include: "rules/export.smk"


onstart:
    record_code_digests(Path(RESULTS))


onerror:  # printed at exit, since Snakemake writes more messages after this
    atexit.register(sys.stderr.write, last_words(log[0]))


localrules:
    all,
    exports,
    paper,


rule all:
    default_target: True
    input:
        f"{RESULTS}/summary.csv" if SPLITS else maps_or_shares(),
        rules.report_page.output,
        rules.loss_curves.output,
        expand(rules.qualitative_results.output, method=methods_run()),
        test_outputs(),
        ends_of_runs(),


rule exports:
    input:
        all_exports(),


rule paper:
    input:
        paper_outputs(),
