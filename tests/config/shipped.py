"""Names of the shipped config files; the folder may also contain a user's files."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAPER = PROJECT / "config.yaml"
EXPERIMENTS = tuple(
    PROJECT / "configs" / f"{name}.yaml"
    for name in (
        *("compact", "demo", "paper-tables", "smoothing-settings"),
        *("voc-animals", "voc-objects", "voc12-largefov"),
    )
)
PRESETS = tuple(PROJECT / "configs/presets" / f"{name}.yaml" for name in ("released", "text"))
SHIPPED = (PAPER, *EXPERIMENTS, *PRESETS)
