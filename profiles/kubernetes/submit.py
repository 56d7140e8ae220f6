#!/usr/bin/env python3
"""Submits a job script of Snakemake to Kubernetes, and prints the name of the job.

    submit.py SCRIPT

The script contains the job's threads and resources. Environment variables describe the cluster:
WSSS_IMAGE, WSSS_VOLUME_CLAIM and WSSS_VOLUME_PATH.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROPERTIES = "# properties = "
SETTINGS = {
    "WSSS_IMAGE": "the image that jobs run in",
    "WSSS_VOLUME_CLAIM": "the volume claim that holds the project's folder",
    "WSSS_VOLUME_PATH": "where that volume is mounted, here and in jobs",
}
# When a pod must end, only its first process receives SIGTERM. It passes the signal on to all other
# processes, so that a training saves its state, and waits for them.
PASS_SIGTERM_ON = "trap 'kill -TERM -1' TERM; sh \"$0\" & wait $! || wait $!"
SECONDS_TO_END = 60


def main() -> None:
    """Runs the program."""
    script = Path(sys.argv[1]).absolute()
    for name, meaning in SETTINGS.items():
        if not os.environ.get(name):
            sys.exit(f"error: {name} is not set; expected {meaning}: docs/cluster.md")
    lines = script.read_text().splitlines()
    (properties,) = (line for line in lines if line.startswith(PROPERTIES))
    job = manifest(json.loads(properties.removeprefix(PROPERTIES)), script)
    create = ["kubectl", "create", "--output=name", "--filename=-"]
    sys.exit(subprocess.run(create, input=json.dumps(job), text=True, check=False).returncode)


def manifest(properties: dict[str, Any], script: Path) -> dict[str, Any]:
    """Builds the manifest of a job.

    Args:
        properties: Rule, threads and resources, by Snakemake's names.
        script: The script that the job runs.

    Returns:
        The manifest, to be written as JSON.
    """
    resources = properties["resources"]
    memory = f"{resources['mem_mb']}M"
    gpus = {"nvidia.com/gpu": resources["gpu"]} if resources["gpu"] else {}
    container = {
        "name": "job",
        "image": os.environ["WSSS_IMAGE"],
        "workingDir": str(Path.cwd()),
        "command": ["sh", "-c", PASS_SIGTERM_ON, str(script)],
        "resources": {
            "requests": {"cpu": properties["threads"], "memory": memory, **gpus},
            "limits": {"memory": memory, **gpus},
        },
        "volumeMounts": [
            {"name": "project", "mountPath": os.environ["WSSS_VOLUME_PATH"]},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": SECONDS_TO_END,
        "containers": [container],
        "volumes": [
            {
                "name": "project",
                "persistentVolumeClaim": {"claimName": os.environ["WSSS_VOLUME_CLAIM"]},
            },
            # Reader processes pass images on in it. A pod's default one is too small.
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "generateName": f"wsss-{properties['rule'].replace('_', '-')}-",
            "labels": {"app": "wsss"},
        },
        "spec": {
            "backoffLimit": 0,  # Snakemake submits it again, with more time and memory
            "activeDeadlineSeconds": 60 * resources["runtime"],
            "ttlSecondsAfterFinished": 86400,
            "template": {"spec": pod},
        },
    }


if __name__ == "__main__":
    main()
