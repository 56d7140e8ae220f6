"""Finds or downloads pretrained weights and writes notes about them."""


# The weights file is not an output, because it may belong to the user. The output is a note, which
# trainings read. The path and time of the file therefore do not matter. This is a checkpoint for
# the same reason as prepare_dataset: trainings are not rerun if a file was written again with the
# same content.
checkpoint obtain_weights:
    output:
        "results/weights/{weights}.json",
    log:
        "results/weights/{weights}.log",
    benchmark:
        "results/weights/{weights}.tsv"
    # Reports missing files before gigabytes of pictures are downloaded.
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
