import numpy as np
import pytest
from scipy.io import savemat

from tests.prepare.voc.devkit import mask_of, write_mat
from wsss_core.prepare.voc.sbd import read_sbd_mask

MASK = mask_of(["cat", "person"])


def test_a_mask_comes_back(tmp_path):
    write_mat(tmp_path / "x.mat", MASK)
    read = read_sbd_mask(tmp_path / "x.mat")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, MASK)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"GTinst": {"Segmentation": MASK}}, "has no struct GTcls with a field Segmentation"),
        ({"GTcls": {"Boundaries": MASK}}, "has no struct GTcls with a field Segmentation"),
        ({"GTcls": MASK}, "has no struct GTcls with a field Segmentation"),
        ({"GTcls": {"Segmentation": MASK.astype(float)}}, "GTcls.Segmentation of float64, 30x40"),
        ({"GTcls": {"Segmentation": MASK[:0]}}, "GTcls.Segmentation of uint8, 0x"),
        ({"GTcls": {"Segmentation": "cat"}}, "has GTcls.Segmentation of <U3, 1"),
    ],
)
def test_other_fields_are_told(tmp_path, content, message):
    savemat(tmp_path / "x.mat", content)
    with pytest.raises(ValueError, match=message):
        read_sbd_mask(tmp_path / "x.mat")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_told(tmp_path, share):
    path = tmp_path / "x.mat"
    write_mat(path, np.random.default_rng(0).integers(0, 20, (90, 90), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"cannot be read \("):
        read_sbd_mask(path)


def test_what_is_no_mat_file_is_told(tmp_path):
    (tmp_path / "x.mat").write_text("<html>not found</html>" * 40)
    with pytest.raises(ValueError, match=r"cannot be read \("):
        read_sbd_mask(tmp_path / "x.mat")


def test_a_small_file_that_becomes_gigabytes_is_told(tmp_path):
    zeros = {"GTcls": {"Segmentation": np.zeros((12_000, 12_000), dtype=np.uint8)}}
    savemat(tmp_path / "x.mat", zeros, do_compression=True)
    assert (tmp_path / "x.mat").stat().st_size < 2**20
    with pytest.raises(ValueError, match="has more than 128 MiB unpacked"):
        read_sbd_mask(tmp_path / "x.mat")


@pytest.mark.parametrize("note", ["x", "12345678", "of another length"])
def test_what_stands_before_the_mask_is_passed_over(tmp_path, note):
    content = {"note": note, "GTcls": {"Segmentation": MASK}}
    savemat(tmp_path / "x.mat", content, do_compression=False)
    np.testing.assert_array_equal(read_sbd_mask(tmp_path / "x.mat"), MASK)
