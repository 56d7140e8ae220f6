"""Pseudo labels from CAMs: CRF seeds, affinities trained on them, random walk."""


rule crf_seeds:
    input:
        cams=f"{RUN}/cam/{{part}}-{{shard}}.npz",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        splits=split_files("train_aug"),
    output:
        f"{RUN}/crf_seeds/{{part}}-{{shard}}.npz",
    log:
        f"{RUN}/logs/crf_seeds/{{part}}-{{shard}}.log",
    benchmark:
        f"{RUN}/benchmarks/crf_seeds/{{part}}-{{shard}}.tsv"
    conda:
        "../envs/masks.yaml"
    threads: 8
    resources:
        mem_mb=times_attempt(4000),
        runtime=times_attempt(240),
    params:
        dataset=data_dir,
        config=section_json("crf_seeds"),
        code=stage_code("crf_seeds"),
    shell:
        "python -m workflow_scripts.crf_seeds --dataset {params.dataset} --cams {input.cams}"
        " --threads {threads} --output {output} --config {params.config:q} 2>&1 | tee -i {log}"


rule train_affinity:
    input:
        unpack(affinity_inputs),
        seeds=shards_of(f"{RUN}/crf_seeds/{{part}}-{{shard}}.npz", "eval", "train_only"),
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        splits=split_files("train_aug"),
    output:
        weights=f"{RUN}/affinity/weights.pt",
        history=f"{RUN}/affinity/history.csv",
    log:
        f"{RUN}/logs/train_affinity.log",
    benchmark:
        f"{RUN}/benchmarks/train_affinity.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 8
    resources:
        gpu=1,
        checkpoint_minutes=EXPERIMENT.checkpoint_minutes,
        log_every=EXPERIMENT.log_every,
        mem_mb=times_attempt(16000),
        runtime=1440,
    params:
        dataset=data_dir,
        store=STORE,
        options=affinity_options,
        config=section_json("affinity"),
        precision=EXPERIMENT.precision.training,
        code=stage_code("train_affinity"),
    shell:
        "python -m workflow_scripts.train_affinity --dataset {params.dataset}"
        " --seeds {input.seeds} --seed {wildcards.seed} {params.options:q}"
        " --store {params.store} --precision {params.precision}"
        " --checkpoint-minutes {resources.checkpoint_minutes} --log-every {resources.log_every}"
        " --gpus {resources.gpu} --threads {threads} --code {params.code} --output {output.weights}"
        " --history {output.history} --config {params.config:q} 2>&1 | tee -i {log}"


rule random_walk:
    input:
        weights=f"{RUN}/affinity/weights.pt",
        cams=f"{RUN}/cam/{{part}}-{{shard}}.npz",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
    output:
        directory(f"{RUN}/random_walk/{{part}}-{{shard}}"),
    log:
        f"{RUN}/logs/random_walk/{{part}}-{{shard}}.log",
    benchmark:
        f"{RUN}/benchmarks/random_walk/{{part}}-{{shard}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=times_attempt(8000),
        runtime=times_attempt(240),
    params:
        dataset=data_dir,
        config=section_json("random_walk"),
        precision=EXPERIMENT.precision.inference,
        code=stage_code("random_walk"),
    shell:
        "python -m wsss_core.workflow.gpu_lease {resources.gpu}"
        " python -m workflow_scripts.random_walk --dataset {params.dataset}"
        " --weights {input.weights} --cams {input.cams} --precision {params.precision}"
        " --gpus {resources.gpu}"
        " --threads {threads} --output {output} --config {params.config:q} 2>&1 | tee -i {log}"
