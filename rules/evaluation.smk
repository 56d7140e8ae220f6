"""Scores each stage against ground-truth masks; computes class shares if there are no masks."""


rule evaluate_cam:
    input:
        cams=shards_of(f"{RUN}/cam/{{part}}-{{shard}}.npz", "eval"),
        classes=f"{DATA}/classes.txt",
        masks=f"{DATA}/mask_digests.csv",
        splits=split_files(*SPLITS),
    output:
        scores=f"{RUN}/scores/cam.csv",
        images=f"{RUN}/scores/cam_images.csv",
        sweep=f"{RUN}/scores/cam_sweep.csv",
    log:
        f"{RUN}/logs/evaluate/cam.log",
    benchmark:
        f"{RUN}/benchmarks/evaluate/cam.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1  # It is short. Other jobs can use the other cores.
    resources:
        mem_mb=times_attempt(4000),
        runtime=times_attempt(60),
    params:
        dataset=data_dir,
        splits=SPLITS,
        options=supervision_options,
        code=stage_code("evaluate"),
    shell:
        "python -m workflow_scripts.evaluate --dataset {params.dataset}"
        " --method {wildcards.method} --seed {wildcards.seed} --stage cam"
        " --splits {params.splits} --cams {input.cams} --threads {threads}"
        " {params.options:q} --output {output.scores} --images {output.images} --sweep {output.sweep} 2>&1 | tee -i {log}"


rule evaluate_masks:
    input:
        masks=shards_of(f"{RUN}/{{stage}}/{{part}}-{{shard}}", "eval"),
        classes=f"{DATA}/classes.txt",
        true_masks=f"{DATA}/mask_digests.csv",
        splits=split_files(*SPLITS),
    output:
        scores=f"{RUN}/scores/{{stage}}.csv",
        images=f"{RUN}/scores/{{stage}}_images.csv",
    log:
        f"{RUN}/logs/evaluate/{{stage}}.log",
    benchmark:
        f"{RUN}/benchmarks/evaluate/{{stage}}.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1  # It is short. Other jobs can use the other cores.
    resources:
        mem_mb=times_attempt(4000),
        runtime=times_attempt(60),
    params:
        dataset=data_dir,
        splits=SPLITS,
        options=supervision_options,
        code=stage_code("evaluate"),
    shell:
        "python -m workflow_scripts.evaluate --dataset {params.dataset}"
        " --method {wildcards.method} --seed {wildcards.seed} --stage {wildcards.stage}"
        " --splits {params.splits} --masks {input.masks} --threads {threads}"
        " {params.options:q} --output {output.scores} --images {output.images} 2>&1 | tee -i {log}"


rule summarise:
    input:
        all_scores,
    output:
        f"{RESULTS}/summary.csv",
    log:
        f"{RESULTS}/logs/summarise.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarise.tsv"
    conda:
        "../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(1000),
        runtime=times_attempt(10),
    params:
        code=stage_code("summarise"),
    shell:
        "python -m workflow_scripts.summarise --scores {input} --output {output} 2>&1 | tee -i {log}"


if not SPLITS:

    rule class_shares:
        input:
            unpack(results_of_run),
            classes=f"{DATA}/classes.txt",
        output:
            f"{RUN}/class_coverage.csv",
        log:
            f"{RUN}/logs/class_shares.log",
        benchmark:
            f"{RUN}/benchmarks/class_shares.tsv"
        conda:
            "../envs/figures.yaml"
        threads: 1
        resources:
            mem_mb=times_attempt(2000),
            runtime=times_attempt(60),
        params:
            dataset=data_dir,
            options=class_shares_options,
            code=stage_code("class_shares"),
        shell:
            "python -m workflow_scripts.class_shares --dataset {params.dataset}"
            " --method {wildcards.method} --seed {wildcards.seed} {params.options}"
            " --output {output} 2>&1 | tee -i {log}"
