"""Tests of the version of the package, for every place of installation."""

import sys

import pytest

from wsss_core.runtime import version
from wsss_core.runtime.version import package_version


@pytest.mark.parametrize("beside", [None, "[tool.other]", "[project]\nname = 'other'"])
@pytest.mark.parametrize("installed", ["7.8.9", None])
def test_the_version_of_a_package_outside_of_the_project(tmp_path, monkeypatch, beside, installed):
    if beside:
        (tmp_path / "pyproject.toml").write_text(beside)
    if installed:
        info = tmp_path / f"wsss_core-{installed}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: wsss-core\nVersion: {installed}\n")
    monkeypatch.setattr(version, "PYPROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert package_version() == (installed or "unknown")
