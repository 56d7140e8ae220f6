"""Figures for Snakemake's report: loss curves, and qualitative results of each method."""


rule loss_curves:
    input:
        history_files,
    output:
        report(
            f"{RESULTS}/report/loss_curves.svg",
            caption="../report/loss_curves.rst",
            category="Training",
            labels={"figure": "loss curves"},
        ),
    log:
        f"{RESULTS}/logs/loss_curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/loss_curves.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(1000),
        runtime=times_attempt(10),
    params:
        histories=labelled_histories,
        code=stage_code("loss_curves"),
    shell:
        "python -m workflow_scripts.loss_curves --histories {params.histories} --output {output}"
        " 2>&1 | tee -i {log}"


rule qualitative_results:
    input:
        unpack(qualitative_results_inputs),
        labels=f"{DATA}/labels.csv",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        masks=f"{DATA}/mask_digests.csv",
        splits=split_files(SHOWN_SPLIT),
    output:
        report(
            f"{RESULTS}/report/qualitative_results/{{method}}.jpg",
            caption="../report/qualitative_results.rst",
            category="Images",
            labels={"method": "{method}"},
        ),
    log:
        f"{RESULTS}/logs/qualitative_results/{{method}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/qualitative_results/{{method}}.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(2000),
        runtime=times_attempt(10),
    params:
        dataset=data_dir,
        seed=qualitative_results_seed,
        split=SHOWN_SPLIT,
        options=qualitative_results_options,
        code=stage_code("qualitative_results"),
    shell:
        "python -m workflow_scripts.qualitative_results --dataset {params.dataset}"
        " --method {wildcards.method} --seed {params.seed} --split {params.split}"
        " {params.options} --output {output} 2>&1 | tee -i {log}"
