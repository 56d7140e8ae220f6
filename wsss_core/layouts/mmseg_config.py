"""Writes the data part of an mmsegmentation config, for a folder in VOC layout (layouts/voc.py).

Sources: docs/en/advanced_guides/add_datasets.md and mmseg/datasets/basesegdataset.py of
mmsegmentation 1.x; "Predefined variables" on mmengine's page about configs.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsss_core.data.dataset import TRAIN_SPLIT
from wsss_core.data.images import voc_palette

# mmengine replaces {{ fileDirname }} by the folder of the file, so the folder can be moved.
HEAD = """\
# Data part of an mmsegmentation 1.x config. Put the name of this file into `_base_`. Index 0 is the
# background, which is learnt like a class. So reduce_zero_label must stay False.
num_classes = {num_classes}  # for decode_head and auxiliary_head of the model
data_root = '{{{{ fileDirname }}}}'
crop_size = (512, 512)
metainfo = dict(
    classes={classes!r},
    palette={palette!r},
)
"""

TRAIN = """
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=4,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/{split}.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path={masks!r}),
        reduce_zero_label=False,
        pipeline=train_pipeline,
    ),
)
"""

SCORE = """
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=metainfo,
        data_root=data_root,
        ann_file='ImageSets/Segmentation/{split}.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path={masks!r}),
        reduce_zero_label=False,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_evaluator = val_evaluator
"""


def mmseg_config(
    class_names: Sequence[str], *, train_masks: str, scored: tuple[str, str] | None
) -> str:
    """Writes the text of the config.

    Args:
        class_names: The foreground classes.
        train_masks: Directory of the masks for training.
        scored: The split to score, and the directory of its true masks; None: there are no masks.
    """
    classes = ["background", *class_names]
    palette = voc_palette()[: len(classes)].tolist()
    text = HEAD.format(num_classes=len(classes), classes=classes, palette=palette)
    text += TRAIN.format(split=TRAIN_SPLIT, masks=train_masks)
    if scored:
        text += SCORE.format(split=scored[0], masks=scored[1])
    return text
