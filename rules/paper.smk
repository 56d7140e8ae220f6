"""The paper's tables: results/<name>/paper."""


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
        "../envs/wsss.yaml"
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


rule paper:
    input:
        expand(f"{RESULTS}/paper/table_{{table}}.md", table=range(1, len(PUBLISHED.tables) + 1)),
    localrule: True
