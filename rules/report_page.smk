"""The report page of an experiment, and the cards of its dataset and networks."""


rule report_page:
    input:
        unpack(report_page_inputs),
        labels=f"{DATA}/labels.csv",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        masks=f"{DATA}/mask_digests.csv",
        splits=split_files(SHOWN_SPLIT),
    output:
        page=f"{RESULTS}/report.html",
        dataset_card=f"{RESULTS}/DATASET_CARD.md",
        model_cards=model_cards(),
    log:
        f"{RESULTS}/logs/report_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/report_page.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(3000),
        runtime=times_attempt(30),
    params:
        results=report_page_results,
        config=report_page_config,
        shipped=file_digest(workflow.basedir, "config.yaml"),
        code=stage_code("report_page"),
        templates=figure_folder_digest("report/templates"),
        published=figure_file_digest("paper/published.yaml"),
    shell:
        "python -m workflow_scripts.report_page --results {params.results:q}"
        " --config {params.config:q} --output {output.page} 2>&1 | tee -i {log}"
