"""Tests of the table of archives, and of the config section with their sources."""

import hashlib

import pytest
from pydantic import ValidationError

from wsss_core.config.archives import ArchivesConfig
from wsss_core.download.archive_table import read_archives


def test_config_has_a_key_for_each_archive():
    assert set(ArchivesConfig.model_fields) == {"directory", *read_archives()}


@pytest.mark.parametrize("name", read_archives())
def test_rows_can_be_used(name):
    archive = read_archives()[name]
    algorithm, digest = archive.checksum.split(":")
    assert len(bytes.fromhex(digest)) == hashlib.new(algorithm).digest_size
    assert archive.urls
    assert all(url.startswith(("http://", "https://")) for url in archive.urls)
    for pattern in archive.members:  # wildcards in the last part only
        assert "*" not in pattern.rpartition("/")[0]


def test_facts_of_the_trainval_archive():
    """As published: 17,125 photographs with annotations, 2,913 of them with masks."""
    members = read_archives()["voc_trainval"].members
    assert members["JPEGImages/*.jpg"] == members["Annotations/*.xml"] == 17_125
    assert members["SegmentationClass/*.png"] == 1464 + 1449


def test_sbd_has_a_mask_for_each_id():
    assert read_archives()["sbd"].members["cls/*.mat"] == 8498 + 2857


@pytest.mark.parametrize(
    ("value", "sources"),
    [
        (None, ("download",)),
        ("download", ("download",)),
        ("/data/x.tar", ("/data/x.tar",)),
        (["https://a/x.tar", "download"], ("https://a/x.tar", "download")),
    ],
)
def test_one_source_or_several(value, sources):
    assert ArchivesConfig(sbd=value).sbd == sources


@pytest.mark.parametrize("value", [3, [], "", [3], {"url": "x"}])
def test_no_source(value):
    with pytest.raises(ValidationError, match="expected 'download', a file, an address, or a list"):
        ArchivesConfig(sbd=value)
