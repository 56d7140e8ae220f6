"""Trains a segmentation network on the pseudo labels, and segments images with it."""


rule train_segmenter:
    input:
        unpack(segmenter_inputs),
        pseudo_labels=shards_of(f"{RUN}/random_walk/{{part}}-{{shard}}", "eval", "train_only"),
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        splits=split_files("train_aug"),
    output:
        weights=f"{RUN}/segmenter/weights.pt",
        history=f"{RUN}/segmenter/history.csv",
    log:
        f"{RUN}/logs/train_segmenter.log",
    benchmark:
        f"{RUN}/benchmarks/train_segmenter.tsv"
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
        options=segmenter_options,
        config=section_json("segmenter"),
        precision=EXPERIMENT.precision.training,
        code=stage_code("train_segmenter"),
    shell:
        "python -m workflow_scripts.train_segmenter --dataset {params.dataset}"
        " --pseudo-labels {input.pseudo_labels} --seed {wildcards.seed} {params.options:q}"
        " --store {params.store} --precision {params.precision}"
        " --checkpoint-minutes {resources.checkpoint_minutes} --log-every {resources.log_every}"
        " --gpus {resources.gpu} --threads {threads} --code {params.code} --output {output.weights}"
        " --history {output.history} --config {params.config:q} 2>&1 | tee -i {log}"


rule segment:
    input:
        weights=f"{RUN}/segmenter/weights.pt",
        classes=f"{DATA}/classes.txt",
        images=segmented_images,
        splits=segmented_splits,
    output:
        **segment_probs(),
        masks=directory(f"{RUN}/segmentation/{{part}}-{{shard}}"),
    log:
        f"{RUN}/logs/segment/{{part}}-{{shard}}.log",
    benchmark:
        f"{RUN}/benchmarks/segment/{{part}}-{{shard}}.tsv"
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
        options=segment_options,
        config=section_json("segment", exclude={"crf"}),
        precision=EXPERIMENT.precision.inference,
        code=stage_code("segment"),
    shell:
        "python -m wsss_core.workflow.gpu_lease {resources.gpu}"
        " python -m workflow_scripts.segment --dataset {params.dataset}"
        " --weights {input.weights} --part {wildcards.part} --shard {wildcards.shard}"
        " --num-shards {params.num_shards} --scored-splits {params.splits}"
        " --precision {params.precision}"
        " --gpus {resources.gpu} --threads {threads} --output {output.masks} {params.options}"
        " --config {params.config:q} 2>&1 | tee -i {log}"


if EXPERIMENT.segment.crf:

    rule segment_crf:
        input:
            probs=f"{RUN}/segmentation/{{part}}-{{shard}}.npz",
            classes=f"{DATA}/classes.txt",
            images=segmented_images,
        output:
            directory(f"{RUN}/segmentation_crf/{{part}}-{{shard}}"),
        log:
            f"{RUN}/logs/segment_crf/{{part}}-{{shard}}.log",
        benchmark:
            f"{RUN}/benchmarks/segment_crf/{{part}}-{{shard}}.tsv"
        conda:
            "../envs/masks.yaml"
        threads: 8
        resources:
            mem_mb=times_attempt(4000),
            runtime=times_attempt(240),
        params:
            dataset=data_dir,
            config=section_json("segment.crf"),
            code=stage_code("segment_crf"),
        shell:
            "python -m workflow_scripts.segment_crf --dataset {params.dataset}"
            " --probs {input.probs} --threads {threads} --output {output}"
            " --config {params.config:q} 2>&1 | tee -i {log}"
