"""Pretrained weights; obtain_weights writes a note about each file."""

import hashlib
import re
import sys
from pathlib import Path
from typing import NamedTuple

from wsss_core.config.init_file import COCO_ADDRESS, TIMM, InitFile, local_file
from wsss_core.pretrained.obtain import where_to_get


class Outside(NamedTuple):
    """Pretrained weights as the config describes them: `weights`, the network's name, sha256."""

    weights: str
    network: str
    sha256: str | None

    @property
    def name(self):
        stem = (self.network or self.weights.partition(":")[2] or Path(self.weights).stem)[:40]
        kept = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem)
        return f"{kept}-{hashlib.sha256(to_json(self).encode()).hexdigest()[:8]}"

    @property
    def note(self):
        return f"results/weights/{self.name}.json"


def outside(source):
    """Returns the weights of a backbone or of a file; None if no file is read."""
    if isinstance(source, InitFile):
        return Outside(source.weights, "", source.sha256)
    if source == "coco":
        return Outside(COCO_ADDRESS, "", None)
    if source.weights is None:
        return None
    return Outside(source.weights, source.name if source.weights == TIMM else "", source.sha256)


def note_of(source):
    """Returns the note of weights as an input of a training."""
    weights = outside(source)
    return {"note": weights.note} if weights else {}


def outside_weights():
    """Returns all pretrained weights of the experiment, by name."""
    sections = (EXPERIMENT.classifier, EXPERIMENT.affinity, EXPERIMENT.segmenter)
    inits = [EXPERIMENT.affinity.init, EXPERIMENT.segmenter.init]
    inits += [method.init for method in METHODS.values()]
    files = [init for init in inits if init == "coco" or isinstance(init, InitFile)]
    found = map(outside, [*(section.backbone for section in sections), *files])
    return {weights.name: weights for weights in found if weights}


OUTSIDE = outside_weights()


def is_gone(weights):
    """Tells whether a user's file is missing, which does not matter if there is a note of it."""
    is_users = weights.weights != TIMM and not weights.weights.startswith(("package:", "http"))
    return is_users and not Path(weights.weights).is_file()


wildcard_constraints:
    weights="|".join(
        re.escape(name)
        for name, weights in OUTSIDE.items()
        if not (is_gone(weights) and Path(weights.note).is_file())
    )
    or "none",


def weights_options(wildcards):
    return cli_options(OUTSIDE[wildcards.weights]._asdict(), *Outside._fields)


def weights_seen(wildcards):
    """Returns size and time of a user's file; warns of a missing file, also in dry runs."""
    weights = OUTSIDE[wildcards.weights]
    path = Path(weights.weights)
    if path.is_file():
        return f"{path.stat().st_size} {path.stat().st_mtime_ns}"
    if is_gone(weights):
        sys.stderr.write(f"warning: {path}: weights file not found; {where_to_get(path)}\n")
    return None
