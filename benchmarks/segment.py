"""segment: DeepLab's inference at six scales with mirroring, with the compact backbone."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from benchmarks.experiment import paper
from benchmarks.pictures import NUM_CLASSES, photograph
from benchmarks.plain_networks import run_channels_first
from benchmarks.rows import Row
from benchmarks.timing import compare, name_of
from benchmarks.training_step import COMPACT
from wsss_core.config.segment import SegmentConfig
from wsss_core.data.image_pyramid import ImagePyramid, image_pyramid
from wsss_core.models.deeplab import DeepLab, build_deeplab
from wsss_core.models.inference import start_inference
from wsss_core.stages.segment import segment_pyramid


@torch.inference_mode()
def view_by_view(network: DeepLab, pyramid: ImagePyramid) -> NDArray[np.uint8]:
    """Segments one view at a time and enlarges every class to the image's size, as usual (SEAM)."""
    device = next(network.parameters()).device
    total = torch.zeros(1 + NUM_CLASSES, *pyramid.size, device=device)
    for variants in pyramid.scaled:
        for index, view in enumerate(variants):
            logits = network(view[None].to(device))
            logits = F.interpolate(logits, pyramid.size, mode="bilinear", align_corners=False)[0]
            total += logits.flip(2) if index else logits
    return total.softmax(dim=0).argmax(dim=0).to(torch.uint8).cpu().numpy()


def run(device: torch.device) -> list[Row]:
    """Usual: float32, channels first. Ours: bf16 if the device has it, at a quarter of the size."""
    experiment = paper()
    config = experiment.segmenter.model_copy(update={"backbone": COMPACT, "multi_scale": ()})
    network, plain = (
        build_deeplab(config, num_classes=1 + NUM_CLASSES).eval().to(device) for _ in range(2)
    )
    run_channels_first(plain.backbone)
    precision = start_inference(network, "auto", device)
    image = photograph(np.random.default_rng(0))
    inference = SegmentConfig()  # six scales by default; config.yaml has the paper's single one
    pyramid = image_pyramid("i", image, scales=inference.scales, flip=inference.flip)
    seconds = compare(
        lambda: segment_pyramid(network, pyramid, precision=precision),
        lambda: view_by_view(plain, pyramid),
        repetitions=3,
        device=device,
    )
    return [Row("segment", *seconds, "s/image", "1x", name_of(device))]
