"""A table that describes a dataset: splits, classes, sizes, formats, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from wsss_core.prepare.place_image import Prepared
from wsss_core.prepare.source import Source


def summary(source: Source, prepared: Sequence[Prepared]) -> str:
    """Describes in a few lines what has been read.

    Args:
        source: The labels and splits.
        prepared: The outcome for each image.
    """
    good = [outcome for outcome in prepared if not outcome.problem]
    masks = {outcome.image_id for outcome in good if outcome.shown is not None}
    splits = pd.DataFrame(
        {
            split: {
                "pictures": len(image_ids),
                "with a mask": len(masks.intersection(image_ids)),
                **_class_counts(source, image_ids),
            }
            for split, image_ids in source.splits.items()
        }
    )
    lines = [f"{source.root}: {source.form}", splits.to_string()]
    if good:
        sides = sorted(max(outcome.size) for outcome in good)
        sizes = f"{sides[0]} to {sides[-1]}, median {sides[len(sides) // 2]}"
        formats = Counter(outcome.format for outcome in good)
        lines.append(f"longer side in pixels: {sizes}")
        lines.append(f"formats: {', '.join(f'{n} {name}' for name, n in formats.most_common())}")
    lines += [f"left out: {text}" for text in source.left_out]
    return "\n".join(lines)


def _class_counts(source: Source, image_ids: Iterable[str]) -> dict[str, int]:
    labels = [source.labels[image_id] for image_id in image_ids if image_id in source.labels]
    return {name: sum(label[k] for label in labels) for k, name in enumerate(source.class_names)}
