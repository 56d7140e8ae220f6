"""The paper's tables and figures: results/<name>/paper."""


rule paper_table:
    input:
        scores=table_scores,
        images=table_images,
    output:
        csv=f"{RESULTS}/paper/table_{{table}}.csv",
        markdown=f"{RESULTS}/paper/table_{{table}}.md",
        latex=f"{RESULTS}/paper/table_{{table}}.tex",
    log:
        f"{RESULTS}/logs/paper/table_{{table}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/paper/table_{{table}}.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(2000),
        runtime=times_attempt(10),
    params:
        options=table_options,
        code=stage_code("paper_table"),
        published=figure_file_digest("paper/published.yaml"),
    shell:
        "python -m workflow_scripts.paper_table --number {wildcards.table} --scores {input.scores}"
        " {params.options:q} --output {output.csv} 2>&1 | tee -i {log}"


for number in range(1, len(PUBLISHED.tables) + 1):

    rule:
        name:
            f"paper_table_{number}"
        input:
            f"{RESULTS}/paper/table_{number}.md",
        localrule: True


rule paper_figure:
    input:
        unpack(figure_files),
        labels=f"{DATA}/labels.csv",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        masks=f"{DATA}/mask_digests.csv",
        splits=split_files(SHOWN_SPLIT),
    output:
        pdf=f"{RESULTS}/paper/figure_{{figure}}.pdf",
        png=f"{RESULTS}/paper/figure_{{figure}}.png",
        caption=f"{RESULTS}/paper/figure_{{figure}}.md",
    log:
        f"{RESULTS}/logs/paper/figure_{{figure}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/paper/figure_{{figure}}.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(2000),
        runtime=times_attempt(10),
    params:
        inputs=figure_inputs,
        code=stage_code("paper_figure"),
    shell:
        "python -m workflow_scripts.paper_figure --inputs {params.inputs:q} --output {output.pdf}"
        " 2>&1 | tee -i {log}"


for number in FIGURES if SPLITS else ():

    rule:
        name:
            f"paper_figure_{number}"
        input:
            f"{RESULTS}/paper/figure_{number}.pdf",
        localrule: True
