"""From VOC or a folder (or the generator of the demo) to the dataset that all stages read."""


# A checkpoint not because the DAG would depend on its result (it is known in full beforehand),
# but because Snakemake looks at the DAG again after one: what reads files that came out as they
# were is then not rerun. Stages read the small tables as inputs, never the pictures' directory.
checkpoint prepare_dataset:
    input:
        source_inputs(),
    output:
        images=directory(f"{DATA}/images"),
        masks=directory(f"{DATA}/masks"),
        labels=f"{DATA}/labels.csv",
        classes=f"{DATA}/classes.txt",
        splits=ALL_SPLITS,
        image_digests=f"{DATA}/image_digests.csv",
        test_digests=f"{DATA}/test_digests.csv",
        mask_digests=f"{DATA}/mask_digests.csv",
    log:
        f"{DATASET}/logs/prepare_dataset.log",
    benchmark:
        f"{DATASET}/benchmarks/prepare_dataset.tsv"
    conda:
        "../envs/dataset.yaml"
    threads: 8
    resources:
        mem_mb=times_attempt(4000),
        runtime=times_attempt(60),
    params:
        source=source_options,
        pictures=source_pictures,
        output=data_dir,
        splits=SPLITS,
        config=section_json("dataset"),
        code=stage_code("prepare_dataset"),
    shell:
        "python -m workflow_scripts.prepare_dataset {params.source:q}"
        " --output {params.output} --scored-splits {params.splits} --threads {threads}"
        " --config {params.config:q} 2>&1 | tee -i {log}"
