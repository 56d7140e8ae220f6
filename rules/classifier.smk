"""Classifiers trained on image-level labels, and their class activation maps."""


rule train_classifier:
    input:
        unpack(classifier_inputs),
        labels=f"{DATA}/labels.csv",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        splits=split_files("train_aug"),
    output:
        weights=f"{RUN}/classifier/weights.pt",
        history=f"{RUN}/classifier/history.csv",
    log:
        f"{RUN}/logs/train_classifier.log",
    benchmark:
        f"{RUN}/benchmarks/train_classifier.tsv"
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
        options=classifier_options,
        config=classifier_config,
        precision=EXPERIMENT.precision.training,
        code=train_classifier_code,
    shell:
        "python -m workflow_scripts.train_classifier --dataset {params.dataset}"
        " --method {wildcards.method} --seed {wildcards.seed} {params.options:q}"
        " --store {params.store} --precision {params.precision}"
        " --checkpoint-minutes {resources.checkpoint_minutes} --log-every {resources.log_every}"
        " --gpus {resources.gpu} --threads {threads} --code {params.code}"
        " --output {output.weights} --history {output.history}"
        " --config {params.config:q} 2>&1 | tee -i {log}"


rule infer_cam:
    input:
        weights=f"{RUN}/classifier/weights.pt",
        labels=f"{DATA}/labels.csv",
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        splits=LEARNING_SPLITS,
    output:
        f"{RUN}/cam/{{part}}-{{shard}}.npz",
    log:
        f"{RUN}/logs/infer_cam/{{part}}-{{shard}}.log",
    benchmark:
        f"{RUN}/benchmarks/infer_cam/{{part}}-{{shard}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=times_attempt(8000),
        runtime=times_attempt(360),
    params:
        dataset=data_dir,
        splits=SPLITS,
        num_shards=num_shards,
        kind=method_kind,
        config=section_json("cam"),
        precision=EXPERIMENT.precision.inference,
        code=infer_cam_code,
    shell:
        "python -m wsss_core.workflow.gpu_lease {resources.gpu}"
        " python -m workflow_scripts.infer_cam --dataset {params.dataset}"
        " --weights {input.weights} --kind {params.kind} --part {wildcards.part} --shard {wildcards.shard}"
        " --num-shards {params.num_shards} --scored-splits {params.splits}"
        " --precision {params.precision}"
        " --gpus {resources.gpu} --threads {threads} --output {output}"
        " --config {params.config:q} 2>&1 | tee -i {log}"
