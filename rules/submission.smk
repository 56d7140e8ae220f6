"""Masks of VOC's test images; only VOC's evaluation server has the ground truth."""

if HAS_TEST:

    rule submission:
        input:
            masks=shards_of(f"{RUN}/{final_stage()}/{{part}}-{{shard}}", "test"),
            classes=f"{DATA}/classes.txt",
            images=f"{DATA}/test_digests.csv",
            splits=split_files("test"),
        output:
            f"{RUN}/submission.tar",
        log:
            f"{RUN}/logs/submission.log",
        benchmark:
            f"{RUN}/benchmarks/submission.tsv"
        conda:
            "../envs/masks.yaml"
        threads: 8
        resources:
            mem_mb=times_attempt(4000),
            runtime=times_attempt(60),
        params:
            dataset=data_dir,
            code=stage_code("submission"),
        shell:
            "python -m workflow_scripts.submission --dataset {params.dataset}"
            " --masks {input.masks} --threads {threads} --output {output} 2>&1 | tee -i {log}"
