"""Inputs of the smoothing branch: Canny edges, and semantic boundaries of another method."""


rule canny:
    input:
        images=f"{DATA}/image_digests.csv",
        splits=split_files("train_aug"),
    output:
        directory(f"{RESULTS}/canny"),
    log:
        f"{RESULTS}/logs/canny.log",
    benchmark:
        f"{RESULTS}/benchmarks/canny.tsv"
    conda:
        "../envs/masks.yaml"
    threads: 8
    resources:
        mem_mb=times_attempt(4000),
        runtime=times_attempt(60),
    params:
        dataset=data_dir,
        config=section_json("canny", exclude={"input", "edge_value"}),
        code=stage_code("canny"),
    shell:
        "python -m workflow_scripts.canny --dataset {params.dataset} --output {output}"
        " --threads {threads} --config {params.config:q} 2>&1 | tee -i {log}"


rule semantic_boundary:
    input:
        segmentation=f"{RUN}/{{stage}}/{{part}}-{{shard}}",
        labels=f"{DATA}/labels.csv",
        splits=split_files("train_aug"),
    output:
        directory(f"{RUN}/semantic_boundary/{{stage}}/{{part}}-{{shard}}"),
    log:
        f"{RUN}/logs/semantic_boundary/{{stage}}/{{part}}-{{shard}}.log",
    benchmark:
        f"{RUN}/benchmarks/semantic_boundary/{{stage}}/{{part}}-{{shard}}.tsv"
    conda:
        "../envs/masks.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(2000),
        runtime=times_attempt(60),
    params:
        dataset=data_dir,
        code=stage_code("semantic_boundary"),
    shell:
        "python -m workflow_scripts.semantic_boundary --dataset {params.dataset}"
        " --segmentation {input.segmentation} --output {output} 2>&1 | tee -i {log}"
