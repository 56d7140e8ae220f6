"""Prepares the dataset that all stages read, from VOC, a folder, or the demo generator."""


# This is a checkpoint because Snakemake evaluates the DAG again after one. If the job writes a file
# with the same content as before, the stages that read it are then not rerun. The shape of the DAG
# does not depend on the result. Stages have the small tables as inputs, never the folder of images.
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
