"""Tests of methods that start from released classifiers: which weights arrive in the network."""

import csv
import hashlib
import json
import sys

import pytest
import torch

from tests.conftest import write_image_digests, write_tiny_dataset
from tests.pretrained import released_weights as released
from tests.pretrained.released_weights import NARROW
from workflow_scripts import train_classifier
from wsss_core.data.weights import save_weights
from wsss_core.methods.kinds import load_classifier, training_config
from wsss_core.pretrained.classifier import to_classifier
from wsss_core.pretrained.tensor_names import tensor_shapes
from wsss_core.runtime.errors import UserError
from wsss_core.stages.train_classifier import start_classifier

pytestmark = pytest.mark.usefixtures("narrow_resnet38d")

PCM = (2, 3)
FILES = {
    "psa": released.psa_classifier(NARROW, num_classes=2),
    "seam": released.seam(NARROW, num_classes=2, pcm=PCM),
    "sbnet": released.sbnet(NARROW, num_classes=2, pcm=PCM),
}


def config(method="seam", epochs=1, *, background=False, **init):
    seam = {} if method == "cam" else {"pcm_channels": PCM, "background": background}
    return {
        "classifier": {"backbone": {"name": "resnet38d"}, "crop_size": 64},
        "method": {"kind": method, "epochs": epochs, "init": init, **seam},
    }


def build(path, method="seam", *, num_classes=2, epochs=1, sha256=None, background=False):
    content = config(method, epochs, background=background, weights=str(path), sha256=sha256)
    return build_content(path, content, num_classes).net


def build_training(path, *, smoothing):
    content = config("smoothing", weights=str(path))
    content["method"]["smoothing"] = smoothing
    return build_content(path, content)


def build_content(path, content, num_classes=2):
    torch.manual_seed(0)
    return start_classifier(training_config(content), num_classes, init=path)


def save(path, table, seed=1):
    tensors = released.random_tensors(table, seed)
    torch.save(tensors, path)
    return tensors


@pytest.mark.parametrize("method", ["cam", "seam"])
@pytest.mark.parametrize("kind", FILES)
def test_each_file_fits_each_classifier(tmp_path, kind, method):
    path = tmp_path / "released.pth"
    theirs = save(path, FILES[kind])
    ours = build(path, method).state_dict()
    for name in released.resnet38d_pth(NARROW):
        assert torch.equal(ours[f"backbone.network.{name}"], theirs[name])
    rows = theirs["fc8.weight"] if kind == "psa" else theirs["fc8.weight"][1:]
    assert torch.equal(ours["classifier.weight"], rows)
    if method == "seam" and kind != "psa":
        assert torch.equal(ours["pcm.reduce.0.weight"], theirs["f8_3.weight"])
        assert torch.equal(ours["pcm.reduce.1.weight"], theirs["f8_4.weight"])
        assert torch.equal(ours["pcm.embed.weight"], theirs["f9.weight"])


@pytest.mark.parametrize("kind", FILES)
def test_a_background_is_taken_where_the_file_has_one(tmp_path, kind):
    path = tmp_path / "released.pth"
    theirs = save(path, FILES[kind])["fc8.weight"]
    net = build(path, background=True)
    assert net.classifier.weight.shape == (3, 128, 1, 1)
    assert torch.equal(net.classifier.weight[-len(theirs) :], theirs)
    assert net.classifier.weight[0].abs().sum() > 0
    save_weights(tmp_path / "ours.pt", net.state_dict(), {})
    again = build(tmp_path / "ours.pt", background=True)
    assert torch.equal(again.classifier.weight, net.classifier.weight)
    save_weights(tmp_path / "without.pt", build(path).state_dict(), {})
    new = build(tmp_path / "without.pt", background=True).classifier.weight
    assert torch.equal(new[1:], net.classifier.weight[1:]) and new[0].abs().sum() > 0


@pytest.mark.parametrize("method", ["cam", "seam"])
def test_our_own_files_are_taken_too(tmp_path, method):
    save(tmp_path / "released.pth", FILES["seam"])
    net = build(tmp_path / "released.pth")
    save_weights(tmp_path / "ours.pt", net.state_dict(), {})
    ours = build(tmp_path / "ours.pt", method).state_dict()
    assert all(torch.equal(ours[name], net.state_dict()[name]) for name in ours)
    assert ("pcm.embed.weight" in ours) == (method == "seam")


SMOOTHING = {"boundaries_from": "seam", "head": "released", "canny": True}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("reduce.0.0.bias", "edge_layer.conv1.bias"),
        ("reduce.3.0.weight", "edge_layer.conv6.weight"),
        ("reduce.1.2.weight", "edge_layer.conv8_3.weight"),
        ("predict.0.body.2.weight", "edge_layer.rcab.body.2.weight"),
        ("predict.0.attention.1.weight", "edge_layer.rcab.body.3.conv_du.0.weight"),
        ("predict.0.attention.3.bias", "edge_layer.rcab.body.3.conv_du.2.bias"),
        ("predict.1.weight", "edge_layer.classifier.weight"),
        ("fuse.weight", "fuse_canny_edge.weight"),
    ],
)
def test_sbnets_boundary_head_goes_on(tmp_path, ours, theirs):
    path = tmp_path / "sbnet.pth"
    tensors = save(path, FILES["sbnet"])
    head = build_training(path, smoothing=SMOOTHING).branch.head.state_dict()
    assert len(head) == len(released.sbnet_head(NARROW, num_classes=2))
    assert torch.equal(head[ours], tensors[theirs])


def test_a_boundary_head_starts_anew_where_there_is_none_or_another(tmp_path):
    path = tmp_path / "released.pth"
    save(path, FILES["seam"])
    fresh = build_training(path, smoothing=SMOOTHING).branch.head.state_dict()
    save(path, FILES["sbnet"])
    paper = build_training(path, smoothing=SMOOTHING | {"head": "paper"}).branch.head
    assert paper.fuse.weight.flatten().tolist() == [1, 0] * 3  # as it starts
    taken = build_training(path, smoothing=SMOOTHING).branch.head.state_dict()
    assert not torch.equal(fresh["fuse.weight"], taken["fuse.weight"])
    with pytest.raises(UserError, match=r"\.pth: its boundary head does not fit .* missing: edge_"):
        build_training(path, smoothing=SMOOTHING | {"features": [1, 3, 5, 7]})


def test_a_pcm_that_a_file_lacks_starts_anew(tmp_path):
    path = tmp_path / "released.pth"
    save(path, FILES["psa"])
    assert build(path).pcm.embed.weight.abs().sum() > 0
    build(path, "cam", epochs=0)
    with pytest.raises(UserError, match=r"has no pcm\.reduce\.0\.weight, .*; expected epochs of"):
        build(path, epochs=0)


@pytest.mark.parametrize(
    ("kind", "tensor", "found", "expected"),
    [
        ("seam", "fc8.weight", [3, 128, 1, 1], [6, 128, 1, 1]),
        ("sbnet", "fc8.weight", [3, 128, 1, 1], [6, 128, 1, 1]),
        ("psa", "fc8.weight", [2, 128, 1, 1], [5, 128, 1, 1]),
        ("own", "classifier.weight", [2, 128, 1, 1], [5, 128, 1, 1]),
    ],
)
def test_another_number_of_classes(tmp_path, kind, tensor, found, expected):
    path = tmp_path / "released.pth"
    save(path, FILES.get(kind, FILES["seam"]))
    if kind == "own":
        save_weights(path, build(path).state_dict(), {})
    with pytest.raises(UserError) as error:
        build(path, num_classes=5)
    assert str(error.value) == (
        f"{path}: does not fit the method's network: "
        f"mis-shaped: {tensor} is {found} and should be {expected}"
    )


def test_what_is_missing_and_extra_is_listed(tmp_path):
    path = tmp_path / "released.pth"
    save(path, released.psa_affinity(NARROW))
    with pytest.raises(UserError) as error:
        build(path)
    message = str(error.value)
    assert message.startswith(f"{path}: does not fit the method's network: missing: fc8.weight; ")
    assert "extra: f8_5.weight" in message


def test_translation_leaves_its_argument_alone(tmp_path):
    tensors = save(tmp_path / "released.pth", FILES["sbnet"])
    shapes = tensor_shapes(build(tmp_path / "released.pth").state_dict())
    before = dict(tensors)
    to_classifier(tensors, shapes, source="x")
    assert list(tensors) == list(before)
    assert all(tensors[name] is before[name] for name in before)


def test_sha256_is_checked_before_the_file_is_read(tmp_path):
    path = tmp_path / "released.pth"
    save(path, FILES["seam"])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    build(path, sha256=digest)
    path.write_bytes(b"other")
    with pytest.raises(UserError, match=rf"released\.pth: sha256 is \w+; expected {digest}$"):
        build(path, sha256=digest)


def run_script(monkeypatch, tmp_path, *options, **init):
    arguments = ["train_classifier", "--dataset", tmp_path / "tiny", "--method", "seam"]
    arguments += ["--seed", "0", "--output", tmp_path / "run/weights.pt"]
    arguments += [
        "--history",
        tmp_path / "run/history.csv",
        "--config",
        json.dumps(config(epochs=0, **init)),
    ]
    monkeypatch.setattr(sys, "argv", [str(a) for a in (*arguments, *options)])
    train_classifier.main()


def test_no_epoch_of_training_just_converts(tmp_path, monkeypatch):
    dataset = write_tiny_dataset(tmp_path / "tiny")
    write_image_digests(dataset)
    path = tmp_path / "released.pth"
    theirs = save(path, FILES["seam"])
    run_script(monkeypatch, tmp_path, "--init", path, weights=str(path))
    classes = (dataset / "classes.txt").read_text().split()
    with pytest.raises(UserError, match="run/weights.pt: trained on the classes"):
        load_classifier(tmp_path / "run/weights.pt", classes[::-1], kind="seam")
    net = load_classifier(tmp_path / "run/weights.pt", classes, kind="seam")
    assert torch.equal(net.classifier.weight, theirs["fc8.weight"][1:])
    expected = build(path).state_dict()
    assert all(torch.equal(tensor, expected[n]) for n, tensor in net.state_dict().items())
    with (tmp_path / "run/history.csv").open() as file:
        assert list(csv.reader(file)) == [["step", "epoch", "lr", "loss"]]
    assert not (tmp_path / "run/state").exists()


def test_the_script_asks_for_the_file_that_the_config_names(tmp_path, monkeypatch):
    write_image_digests(write_tiny_dataset(tmp_path / "tiny"))
    with pytest.raises(UserError, match=r"--init is missing; the method starts from seam\.pth"):
        run_script(monkeypatch, tmp_path, weights="seam.pth")
