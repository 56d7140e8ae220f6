"""Weights that others have trained: found or downloaded, verified, and noted."""


# The file is no output, as it may be the user's. The note is, and trainings read the note: where
# the file lies, and when it was written, then means nothing to them. A checkpoint, so that they are
# not rerun where a file was written again with the same content, as for prepare_dataset.
checkpoint obtain_weights:
    output:
        "results/weights/{weights}.json",
    log:
        "results/weights/{weights}.log",
    benchmark:
        "results/weights/{weights}.tsv"
    # Before gigabytes of pictures are downloaded, what is missing is told.
    priority: 1
    # Compute nodes of a cluster often cannot reach the internet.
    localrule: True
    conda:
        "../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(1000),
        runtime=1440,
    params:
        options=weights_options,
        seen=weights_seen,
    shell:
        "python -m workflow_scripts.obtain_weights {params.options:q} --output {output}"
        " 2>&1 | tee -i {log}"
