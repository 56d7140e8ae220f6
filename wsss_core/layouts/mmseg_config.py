"""The part of an mmsegmentation config that is about the data, for a folder of voc_folder.

Facts: docs/en/advanced_guides/add_datasets.md and mmseg/datasets/basesegdataset.py of
mmsegmentation 1.x, "Predefined variables" of mmengine's page on configs.
"""

from __future__ import annotations

from collections.abc import Sequence

from wsss_core.data.dataset import TRAIN_SPLIT
from wsss_core.data.images import voc_palette

# {{ fileDirname }} is filled in by mmengine: the folder can be moved.
HEAD = """\
# Data of an mmsegmentation 1.x config: name this file in `_base_`. Index 0 is background and is
# learnt like a class, so nothing may shift the indices: no reduce_zero_label.
num_classes = {num_classes}  # of the model's decode_head and auxiliary_head
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
        train_masks: Directory of what is learnt from.
        scored: Split that is scored, and directory of its true masks; None if there are none.
    """
    classes = ["background", *class_names]
    palette = voc_palette()[: len(classes)].tolist()
    text = HEAD.format(num_classes=len(classes), classes=classes, palette=palette)
    text += TRAIN.format(split=TRAIN_SPLIT, masks=train_masks)
    if scored:
        text += SCORE.format(split=scored[0], masks=scored[1])
    return text
