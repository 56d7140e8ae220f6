"""Which modules of a classifier's scripts a method never runs, though they are imported.

A change of one of them leaves the method's results as they are, so it is left out of the digest
that decides what reruns.
"""

from __future__ import annotations

from pathlib import Path

from wsss_core.config.methods import MethodConfig

SEAM = (Path("wsss_core/losses/seam.py"), Path("wsss_core/models/seam.py"))
SMOOTHING_BRANCH = (
    Path("wsss_core/ops/boundary.py"),
    Path("wsss_core/ops/canny.py"),
    Path("wsss_core/losses/smoothness.py"),
    Path("wsss_core/models/boundary_head.py"),
)
LEFT_OUT = ((), SMOOTHING_BRANCH, SEAM + SMOOTHING_BRANCH)  # of any method


def modules_not_run(method: MethodConfig) -> tuple[Path, ...]:
    """Files, relative to the project, whose functions are never called for a method."""
    if method.smoothing is not None:
        return ()
    return SMOOTHING_BRANCH if method.classifier == "seam" else SEAM + SMOOTHING_BRANCH
