"""Exports the results of a run in the layouts of other tools, on request."""


rule export_voc:
    input:
        unpack(segmentation_of_run),
        pseudo_labels=shards_of(f"{RUN}/random_walk/{{part}}-{{shard}}", "eval", "train_only"),
        classes=f"{DATA}/classes.txt",
        images=f"{DATA}/image_digests.csv",
        masks=f"{DATA}/mask_digests.csv",
        splits=ALL_SPLITS,
    output:
        directory(f"{RUN}/export/voc"),
    log:
        f"{RUN}/logs/export/voc.log",
    benchmark:
        f"{RUN}/benchmarks/export/voc.tsv"
    conda:
        "../envs/masks.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(1000),
        runtime=times_attempt(60),
    params:
        dataset=data_dir,
        options=export_voc_options,
        code=stage_code("export_voc"),
    shell:
        "python -m workflow_scripts.export_voc --dataset {params.dataset}"
        " --pseudo-labels {input.pseudo_labels} {params.options} --output {output} 2>&1"
        " | tee -i {log}"


rule export_cams:
    input:
        cams=shards_of(f"{RUN}/cam/{{part}}-{{shard}}.npz", "eval", "train_only"),
        classes=f"{DATA}/classes.txt",
    output:
        directory(f"{RUN}/export/{{layout}}"),
    log:
        f"{RUN}/logs/export/{{layout}}.log",
    benchmark:
        f"{RUN}/benchmarks/export/{{layout}}.tsv"
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(2000),
        runtime=times_attempt(120),
    params:
        dataset=data_dir,
        code=stage_code("export_cams"),
    shell:
        "python -m workflow_scripts.export_cams --dataset {params.dataset} --cams {input.cams}"
        " --layout {wildcards.layout} --output {output} 2>&1 | tee -i {log}"


rule export_seeds:
    input:
        seeds=shards_of(f"{RUN}/crf_seeds/{{part}}-{{shard}}.npz", "eval", "train_only"),
        classes=f"{DATA}/classes.txt",
    output:
        directory(f"{RUN}/export/seam_crf"),
    log:
        f"{RUN}/logs/export/seam_crf.log",
    benchmark:
        f"{RUN}/benchmarks/export/seam_crf.tsv"
    conda:
        "../envs/masks.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(2000),
        runtime=times_attempt(120),
    params:
        dataset=data_dir,
        code=stage_code("export_seeds"),
    shell:
        "python -m workflow_scripts.export_seeds --dataset {params.dataset} --seeds {input.seeds}"
        " --output {output} 2>&1 | tee -i {log}"
