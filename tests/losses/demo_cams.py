"""Writes demo_cams.npz: CAMs of the demo's lightly trained SEAM on val.

snakemake --cores 2 --configfile configs/demo.yaml results/demo/seam/seed0/classifier/weights.pt
python -m tests.losses.demo_cams results/demo
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from wsss_core.data.dataset import open_dataset
from wsss_core.data.images import IGNORE_INDEX, read_mask
from wsss_core.data.transforms import image_tensor
from wsss_core.methods.kinds import load_classifier

FILE = Path(__file__).with_suffix(".npz")
STRIDE, PIXELS = 16, 4  # image pixels to a cell of the CAM, and to a pixel of the smoothness loss
CELLS = 9


def without_void(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gives each ignored pixel the class of the nearest other one."""
    void = (mask == IGNORE_INDEX).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        void, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    classes = np.zeros(nearest.max() + 1, np.uint8)
    classes[nearest[void == 0]] = mask[void == 0]
    return classes[nearest]


@torch.inference_mode()
def main(results: Path) -> None:
    """Reads the demo's results; writes logits [N, 9, 9] and masks [N, 36, 36] in {0, 1, 255}."""
    dataset = open_dataset(results / "data")
    weights = results / "seam/seed0/classifier/weights.pt"
    net = load_classifier(weights, dataset.class_names, kind="seam")
    logits, masks = [], []
    for image_id in dataset.split("val"):
        maps = net(image_tensor(dataset.read_image(image_id))[None]).cam_logits[0].numpy()
        mask = without_void(read_mask(results / f"data/masks/{image_id}.png"))
        mask = mask[PIXELS // 2 :: PIXELS, PIXELS // 2 :: PIXELS]
        for k in np.flatnonzero(dataset.labels[image_id]):
            around = [(0, CELLS - side) for side in maps[k].shape]
            logits.append(np.pad(maps[k], around, mode="edge").astype(np.float16))
            around = [(0, CELLS * STRIDE // PIXELS - side) for side in mask.shape]
            own = (mask == k + 1).astype(np.uint8)
            masks.append(np.pad(own, around, constant_values=IGNORE_INDEX))
    np.savez_compressed(FILE, logits=np.stack(logits), masks=np.stack(masks))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
