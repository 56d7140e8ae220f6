"""Published archives: obtained, verified and unpacked, once for all experiments."""

# Archives and unpacked files are not outputs of these rules. Snakemake removes a rule's outputs
# before a job and after a failed job, but a run in another folder may be using these files. The
# outputs are notes beside the results, which say where the files are. If the files exist, a job
# only checks them.
#
# A digest of the code is not among the params, so a change of the code downloads nothing again. The
# checksum shows that an archive is right, and the list of members that nothing is missing.


rule download_archive:
    output:
        f"{DATASET}/archives/{{archive}}.downloaded.json",
    log:
        f"{DATASET}/logs/download_archive/{{archive}}.log",
    benchmark:
        f"{DATASET}/benchmarks/download_archive/{{archive}}.tsv"
    # The program itself repeats requests; this retry is for a killed program.
    retries: 1
    # Compute nodes of a cluster often cannot reach the internet.
    localrule: True
    conda:
        "../envs/dataset.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(500),
        runtime=1440,
    params:
        content=archive_content,
        sources=archive_sources,
        directory=archives_directory,
    shell:
        "python -m workflow_scripts.download_archive --archive {wildcards.archive}"
        " --sources {params.sources:q} --directory {params.directory:q} --output {output}"
        " 2>&1 | tee -i {log}"


rule unpack_archive:
    input:
        # `ancient`, because a newer note (from another source) means the same bytes.
        ancient(f"{DATASET}/archives/{{archive}}.downloaded.json"),
    output:
        f"{DATASET}/archives/{{archive}}.unpacked.json",
    log:
        f"{DATASET}/logs/unpack_archive/{{archive}}.log",
    benchmark:
        f"{DATASET}/benchmarks/unpack_archive/{{archive}}.tsv"
    conda:
        "../envs/dataset.yaml"
    threads: 1
    resources:
        mem_mb=times_attempt(1000),
        runtime=times_attempt(60),
    params:
        content=archive_content,
        directory=archives_directory,
    shell:
        "python -m workflow_scripts.unpack_archive --archive {wildcards.archive}"
        " --downloaded {input} --directory {params.directory:q} --output {output}"
        " 2>&1 | tee -i {log}"
