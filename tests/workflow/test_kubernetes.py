"""Tests of the Kubernetes profile, with a fake kubectl that stores manifests and runs scripts."""

import json
import os
import subprocess

import pytest

from tests.workflow.running import PROJECT, commands, job_counts, snakemake

PROFILE = PROJECT / "profiles/kubernetes"
TINY = PROJECT / "tests/workflow/tiny.yaml"
LABELS = "results/tiny/data/labels.csv"
# A job is run at once; it is never sent a signal, which it would pass on to everybody.
KUBECTL = """\
#!/usr/bin/env python3
import json, pathlib, subprocess, sys
here = pathlib.Path(__file__).parent
if sys.argv[1] == "create":
    job = json.load(sys.stdin)
    name = f"job.batch/{job['metadata']['generateName']}{len(list(here.glob('*.json')))}"
    (here / (name.replace("/", "-") + ".json")).write_text(json.dumps(job))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    ran = subprocess.run(["sh", container["command"][-1]], stdout=sys.stderr)
    (here / name.replace("/", "-")).write_text("Failed" if ran.returncode else "Complete")
    print(name)
if sys.argv[1] == "get":
    print((here / sys.argv[2].replace("/", "-")).read_text())
"""


@pytest.fixture
def cluster(tmp_path):
    """An environment with that kubectl, and its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").write_text(KUBECTL)
    (folder / "kubectl").chmod(0o755)
    settings = {"WSSS_IMAGE": "wsss:1", "WSSS_VOLUME_CLAIM": "wsss", "WSSS_VOLUME_PATH": "/wsss"}
    path = f"{folder}:{os.environ['PATH']}"
    return {**os.environ, **settings, "PATH": path}, folder


def run(*arguments, tmp_path, environment):
    options = ("--workflow-profile", PROFILE, "--configfile", TINY, "--latency-wait", "1")
    return snakemake(*arguments, *options, directory=tmp_path, environment=environment)


def test_dry_run_asks_for_gpus(tmp_path, cluster):
    done = run("--dry-run", "--printshellcmds", tmp_path=tmp_path, environment=cluster[0])
    assert job_counts(done)["train_classifier"] == 4
    for script, num_gpus in (("train_segmenter", 4), ("infer_cam", 1)):
        assert {c.option("gpus") for c in commands(done, script)} == {str(num_gpus)}


def test_a_job_is_described_and_run(tmp_path, cluster):
    environment, folder = cluster
    done = run(LABELS, tmp_path=tmp_path, environment=environment)
    assert job_counts(done) == {"prepare_dataset": 1}
    assert (tmp_path / LABELS).is_file()
    (path,) = folder.glob("*.json")
    job = json.loads(path.read_text())
    assert job["metadata"]["generateName"] == "wsss-prepare-dataset-"
    pod = job["spec"]["template"]["spec"]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "wsss"}
    (container,) = pod["containers"]
    assert container["image"] == "wsss:1"
    assert container["workingDir"] == str(tmp_path)
    assert "nvidia.com/gpu" not in container["resources"]["limits"]
    assert container["volumeMounts"][0] == {"name": "project", "mountPath": "/wsss"}


@pytest.mark.slow
def test_a_job_that_fails_is_sent_again_and_then_given_up(tmp_path, cluster):
    environment, folder = cluster
    arguments = (LABELS, "--retries", "1", "--config", "dataset={source: folder, folder: nowhere}")
    done = run(*arguments, tmp_path=tmp_path, environment=environment)
    assert done.returncode == 1
    assert len(list(folder.glob("*.json"))) == 2


def test_a_setting_that_is_missing_is_named(tmp_path, cluster):
    environment = {**cluster[0], "WSSS_IMAGE": ""}
    (tmp_path / "script.sh").write_text('# properties = {"rule": "canny"}\n')
    submit = [PROFILE / "submit.py", tmp_path / "script.sh"]
    done = subprocess.run(submit, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    line = "error: WSSS_IMAGE is not set; expected the image that jobs run in: docs/cluster.md\n"
    assert done.stderr == line
