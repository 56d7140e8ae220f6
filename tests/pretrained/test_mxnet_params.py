"""Tests of the reader of MXNet's files of arrays."""

import numpy as np
import pytest

from tests.pretrained.mxnet_writer import params_bytes, write_params
from wsss_core.pretrained.mxnet_params import read_params
from wsss_core.runtime.errors import UserError

ARRAYS = {
    "arg:conv1a_weight": np.arange(2 * 3 * 3 * 3, dtype=np.float32).reshape(2, 3, 3, 3),
    "aux:bn7_moving_var": np.array([0.5, -1e30, 1e-30, np.inf], dtype=np.float32),
    "arg:scalar": np.array([7], dtype=np.float32),
}


@pytest.mark.parametrize("header", ["v2", "v1", "legacy"])
def test_what_is_written_is_read(tmp_path, header):
    path = write_params(tmp_path / "net.params", ARRAYS, header=header)
    read = dict(read_params(path))
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], array)


def test_headers_may_differ_within_a_file(tmp_path):
    one = {"a": ARRAYS["arg:scalar"]}
    parts = [params_bytes(one, header=header)[24:-17] for header in ("v1", "legacy", "v2")]
    ends = b"".join((1).to_bytes(8, "little") + name for name in (b"a", b"b", b"c"))
    content = params_bytes(one)[:16] + (3).to_bytes(8, "little") + b"".join(parts)
    (tmp_path / "net.params").write_bytes(content + (3).to_bytes(8, "little") + ends)
    read = dict(read_params(tmp_path / "net.params"))
    assert {name: array.tolist() for name, array in read.items()} == {name: [7.0] for name in "abc"}


def test_an_empty_list_is_a_file(tmp_path):
    assert list(read_params(write_params(tmp_path / "net.params", {}))) == []


def test_arrays_come_one_by_one(tmp_path):
    reader = read_params(write_params(tmp_path / "net.params", ARRAYS))
    name, array = next(reader)
    assert name == "arg:conv1a_weight"
    array[:] = 0  # the reader's memory is the caller's
    np.testing.assert_array_equal(next(reader)[1], ARRAYS["aux:bn7_moving_var"])


@pytest.mark.parametrize("header", ["v2", "v1", "legacy"])
def test_a_file_cut_anywhere_is_refused_before_its_first_array(tmp_path, header):
    content = params_bytes(ARRAYS, header=header)
    path = tmp_path / "net.params"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"net\.params: the file is cut short: expected \d+ by"):
            next(read_params(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"magic": 0x113}, "begins with 0x113, 0x0; expected 0x112, 0x0"),
        ({"type_flag": 2}, "array 0 has numbers of type 2; expected 0 (float32)"),
        ({"storage": 1}, "array 0 has storage type 1; expected 0 (dense)"),
        ({"names": ["a", "b"]}, "2 names of 3 arrays; expected one of each"),
        ({"names": ["a", "b", "a"]}, "'a' occurs twice; expected distinct names"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, options, message):
    path = write_params(tmp_path / "net.params", ARRAYS, **options)
    with pytest.raises(UserError) as error:
        list(read_params(path))
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_headers_that_cannot_be(tmp_path):
    path = tmp_path / "net.params"
    content = bytearray(params_bytes({"a": ARRAYS["arg:scalar"]}))
    for place, value, message in (
        (24, 0xF993FACA, "array 0 begins with 0xf993faca and has 4187224778 dimensions"),
        (32, 0, "array 0 begins with 0xf993fac9 and has 0 dimensions"),
        (36, 0, "has shape [0]; expected positive sides"),
    ):
        changed = bytearray(content)
        changed[place : place + 4] = value.to_bytes(4, "little")
        path.write_bytes(changed)
        with pytest.raises(UserError) as error:
            list(read_params(path))
        assert message in str(error.value)
    path.write_bytes(content + b"x")
    with pytest.raises(UserError, match="1 bytes after the last name; expected none"):
        list(read_params(path))
    path.unlink()
    with pytest.raises(UserError, match=r"net\.params: file of MXNet arrays not found"):
        list(read_params(path))
