"""Tests of AffinityNets that start from trained weights: psa's, or ours."""

import pytest
import torch

from tests.pretrained import released_weights as released
from tests.pretrained.released_weights import NARROW
from wsss_core.config.affinity import AffinityConfig
from wsss_core.data.weights import save_weights
from wsss_core.runtime.errors import UserError
from wsss_core.stages.train_affinity import start_affinity_net

pytestmark = pytest.mark.usefixtures("narrow_resnet38d")

CHANNELS = (2, 3, 4)
TABLE = released.psa_affinity(NARROW, channels=CHANNELS)


def start(path, *, sha256=None, **changes):
    init = {"weights": str(path), "sha256": sha256}
    content = {"backbone": {"name": "resnet38d"}, "channels": CHANNELS, "epochs": 0, "init": init}
    return start_affinity_net(AffinityConfig.model_validate(content | changes), init=path)


def test_psas_file_and_our_own_give_the_same_network(tmp_path):
    theirs = released.random_tensors(TABLE)
    torch.save(theirs, tmp_path / "psa.pth")
    net = start(tmp_path / "psa.pth")
    ours = net.state_dict()
    assert len(ours) == len(theirs)
    for name in released.resnet38d_pth(NARROW):
        assert torch.equal(ours[f"backbone.network.{name}"], theirs[name])
    for index, name in enumerate(("f8_3", "f8_4", "f8_5")):
        assert torch.equal(ours[f"reduce.{index}.weight"], theirs[f"{name}.weight"])
    assert torch.equal(ours["mix.weight"], theirs["f9.weight"])
    save_weights(tmp_path / "ours.pt", ours, {})
    again = start(tmp_path / "ours.pt").state_dict()
    assert all(torch.equal(again[name], ours[name]) for name in ours)


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "psa.pth"
    torch.save(released.random_tensors(TABLE), path)
    with pytest.raises(UserError) as error:
        start(path, channels=(2, 3, 5))
    assert str(error.value) == (
        f"{path}: does not fit the AffinityNet: "
        "mis-shaped: f8_5.weight is [4, 128, 1, 1] and should be [5, 128, 1, 1], "
        "f9.weight is [9, 9, 1, 1] and should be [10, 10, 1, 1]"
    )
    with pytest.raises(UserError, match=r"AffinityNet: missing: reduce\.3\.weight; mis-shaped: f9"):
        start(path, features=(4, 5, 7, 7), channels=(2, 3, 4, 4))
    with pytest.raises(UserError, match=r"psa\.pth: sha256 is \w+; expected 0+$"):
        start(path, sha256="0" * 64)
    torch.save(released.random_tensors(released.psa_classifier(NARROW)), path)
    with pytest.raises(UserError, match=r"missing: f8_3\.weight, .*; extra: fc8\.weight$"):
        start(path)
