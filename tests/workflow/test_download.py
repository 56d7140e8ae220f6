"""Tests of the workflow's rules from an address or file to an unpacked archive."""

import json
import tarfile

import pytest
import yaml

from tests.download import archive_server as answers
from tests.download.archive_server import serving
from tests.download.tiny_archives import VOC, archive_of, sbd_bytes, voc_bytes
from tests.prepare.voc.devkit import LABELS, TRAIN, VAL, write_lines, write_trainval
from tests.runtime.small_disk import small_disk
from tests.workflow.running import copy_project, job_counts, snakemake

UNPACKED = "results/voc12/archives/{}.unpacked.json"


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def project(tmp_path, server):
    """A copy of the project whose table has tiny archives at a server of ours."""
    root = copy_project(tmp_path / "project")
    archives = [
        archive_of(voc_bytes(), server.offer("/voc.tar", voc_bytes())),
        archive_of(voc_bytes(), server.offer("/test.tar", voc_bytes()), name="voc_test"),
        archive_of(sbd_bytes(), server.offer("/sbd.tgz", sbd_bytes()), name="sbd"),
    ]
    rows = {row.name: row.model_dump(mode="json", exclude={"name"}) for row in archives}
    (root / "wsss_core/download/archives.yaml").write_text(yaml.safe_dump(rows))
    return root


def run(project, directory, *arguments):
    directory.mkdir(exist_ok=True)
    targets = [UNPACKED.format(name) for name in ("voc_trainval", "sbd")]
    return snakemake("--cores", "2", *targets, *arguments, directory=directory, project=project)


def test_from_nothing_and_again(project, tmp_path, server):
    here, there = tmp_path / "here", tmp_path / "there"
    done = run(project, here)
    assert job_counts(done) == {"download_archive": 2, "unpack_archive": 2}
    root = here / "data/archives/voc_trainval" / VOC
    assert len(list((root / "JPEGImages").iterdir())) == 2
    notes = here / UNPACKED.format("voc_trainval")
    assert json.loads(notes.read_text())["directory"] == f"data/archives/voc_trainval/{VOC}"
    assert not (here / "data/archives/voc_test").exists()

    # Other code is no reason to look again; another address is, but nothing more.
    requests = len(server.requests)
    script = project / "workflow_scripts/download_archive.py"
    script.write_text(script.read_text() + "\nother_code = 1\n")
    again = run(project, here, "--config", "archives={voc_trainval: 'http://127.0.0.1:1/x.tar'}")
    assert job_counts(again) == {"download_archive": 1}
    assert len(server.requests) == requests

    # Another experiment finds what is unpacked, even if the archives are gone.
    for archive in ("voc_trainval.tar", "benchmark.tgz"):
        (here / "data/archives" / archive).unlink()
    shared = f"archives={{directory: {here / 'data/archives'}}}"
    assert run(project, there, "--config", shared).returncode == 0
    assert len(server.requests) == requests


def test_failure_is_one_line_and_the_next_run_goes_on(project, tmp_path, server):
    server.plans["/voc.tar"] = [answers.cut_after(9000), answers.status(404)]
    failed = run(project, tmp_path / "here")
    assert failed.returncode != 0
    lines = [line for line in failed.stdout.splitlines() if line.startswith("error: ")]
    assert set(lines) == {
        "error: voc_trainval.tar could not be obtained: "
        f"http://127.0.0.1:{server.server_port}/voc.tar 404 Not Found; expected the file, or an "
        "address that has it, as archives.voc_trainval in the config"
    }
    mine = tmp_path / "mine.tar"
    mine.write_bytes(voc_bytes())
    done = run(project, tmp_path / "here", "--config", f"archives={{voc_trainval: {mine}}}")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "here/data/archives/voc_trainval.tar").exists()


def test_from_the_archive_to_the_dataset(project, tmp_path):
    """The user has the tar file; it is unpacked and prepared, and that stays as it is."""
    here = tmp_path / "here"
    write_trainval(tmp_path, LABELS, train=TRAIN, val=VAL)
    with tarfile.open(tmp_path / "mine.tar", "w") as tar:
        tar.add(tmp_path / "VOCdevkit", "VOCdevkit")
    for split, ids in (("train_aug", TRAIN), ("train", TRAIN), ("val", VAL)):
        write_lines(here / "lists" / f"{split}.txt", ids)
    table = project / "wsss_core/download/archives.yaml"
    row = archive_of((tmp_path / "mine.tar").read_bytes())
    row = row.model_copy(update={"members": dict.fromkeys(row.members)})
    rows = yaml.safe_load(table.read_text())
    rows["voc_trainval"] = row.model_dump(mode="json", exclude={"name"})
    table.write_text(yaml.safe_dump(rows))
    given = (
        f"archives={{voc_trainval: '{tmp_path / 'mine.tar'}'}}",
        "dataset={voc: {id_lists: lists}}",
    )
    arguments = ("results/voc12/data/labels.csv", "--cores", "2", "--config", *given)
    made = snakemake(*arguments, directory=here, project=project)
    assert job_counts(made) == {"download_archive": 1, "unpack_archive": 1, "prepare_dataset": 1}
    photograph = here / "results/voc12/data/images" / f"{VAL[0]}.jpg"
    assert photograph.resolve().is_relative_to(here / "data/archives/voc_trainval" / VOC)
    again = snakemake(*arguments, "--dry-run", directory=here, project=project)
    assert job_counts(again) == {}


@pytest.mark.slow
def test_disks_that_fill_up_and_are_enlarged(project, tmp_path, server):
    """First while the archive comes, then while it is unpacked; each time the next run goes on."""
    here, archives = tmp_path / "here", tmp_path / "here/data/archives"

    def failures():
        failed = snakemake("--cores", "2", target, directory=here, project=project)
        assert failed.returncode != 0
        assert "Traceback" not in failed.stdout + failed.stderr
        lines = failed.stdout.splitlines()
        return [line for line in lines if line.startswith("error: ")]

    def first_fill_the_disk(handler, content):
        (archives / "of somebody else").write_bytes(bytes(len(content)))
        answers.whole(handler, content)

    server.plans["/voc.tar"] = [first_fill_the_disk, answers.cut_after(0), answers.whole]
    target, pages = UNPACKED.format("voc_trainval"), -(-len(voc_bytes()) // 4096)
    with small_disk(archives, f"size={4 * (pages + 2)}k") as remount:
        full = "error: data/archives: No space left on device"
        first, again = failures()  # the second attempt is the rule's own
        assert first.startswith(full)
        assert "bytes are free; expected" in again
        kept = (archives / ".voc_trainval.partial.tar").stat().st_size
        assert kept
        (archives / "of somebody else").unlink()
        assert failures()[-1].startswith(full)
        assert ("/voc.tar", f"bytes={kept}-") in server.requests
        assert (archives / "voc_trainval.tar").read_bytes() == voc_bytes()
        remount("size=1m")
        requests = len(server.requests)
        done = snakemake("--cores", "2", target, directory=here, project=project)
        assert job_counts(done) == {"unpack_archive": 1}
        assert len(server.requests) == requests
