"""Tests of damaged or wrong weights files: every program reports one line with the file."""

import copy
import shutil
import socket
import zipfile

import pytest
import torch

from tests.project.campaign.weights import NOT_WEIGHTS, changed, loaders, save, write_networks
from wsss_core.config.backbone import BackboneConfig
from wsss_core.data.weights import load_weights
from wsss_core.models.backbone import num_stages
from wsss_core.pretrained.files import read_checkpoint
from wsss_core.pretrained.tensor_names import load_checked
from wsss_core.runtime.errors import UserError


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.mark.parametrize("network", ["classifier", "affinity", "deeplab"])
@pytest.mark.parametrize("case", NOT_WEIGHTS, ids=lambda case: case.name)
def test_every_program_tells_what_is_no_weight(networks, tmp_path, network, case):
    path = tmp_path / "weights.pt"
    save(path, changed(networks[network], case))
    with pytest.raises(UserError, match=case.words) as caught:
        loaders()[network](path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_is_whole_is_loaded(networks):
    for network, load in loaders().items():
        load(networks[network])


def test_one_flipped_bit_is_told(networks, tmp_path):
    path = tmp_path / "weights.pt"
    shutil.copy(networks["deeplab"], path)
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
        start = largest.header_offset + 200
    data = bytearray(path.read_bytes())
    data[start + largest.file_size // 2] ^= 0x40  # of an exponent, perhaps
    path.write_bytes(data)
    for read in (load_weights, read_checkpoint):
        with pytest.raises(UserError, match=r"weights.pt: damaged \(.* has another checksum\)"):
            read(path)


def test_nothing_is_fetched_for_a_name_in_a_file(networks, tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("it has reached for the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    content = copy.deepcopy(torch.load(networks["deeplab"], weights_only=True))
    for name in ("hf-hub:someone/network", "hf_hub:a/b", "local-dir:/etc", "../x"):
        content["metadata"]["config"]["backbone"]["name"] = name
        save(tmp_path / "weights.pt", content)
        with pytest.raises(UserError, match=r"weights.pt: SegmenterConfig: backbone.name"):
            loaders()["deeplab"](tmp_path / "weights.pt")
    config = BackboneConfig.model_construct(name="hf-hub:a/b", output_stride=16)
    with pytest.raises(UserError, match="timm has no network of this name"):
        num_stages(config)


def test_sparse_tensors_are_told():
    layer = torch.nn.Linear(2, 2)
    tensors = {**layer.state_dict(), "weight": torch.eye(2).to_sparse()}
    with pytest.raises(UserError, match=r"x: weight is torch.sparse_coo; expected finite"):
        load_checked(layer, tensors, what="x")
