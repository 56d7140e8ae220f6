"""cam_inference: SEAM's CAM with ResNet38d, at four scales and mirrored."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.experiment import paper
from benchmarks.pictures import NUM_CLASSES, photograph, two_classes
from benchmarks.plain_networks import run_channels_first
from benchmarks.rows import Row
from benchmarks.timing import compare, median_seconds, name_of
from benchmarks.training_step import RESNET38D, seam_training
from wsss_core.config.precision import AskedPrecision
from wsss_core.data.image_pyramid import ImagePyramid, image_pyramid
from wsss_core.models.precision import choose_precision
from wsss_core.models.seam import SeamNet
from wsss_core.ops.cam import normalize_cam
from wsss_core.stages.infer_cam import merge_scales

MATRIX = 4096  # side of the matrices whose product measures the machine's limit


@torch.inference_mode()
def view_by_view(net: SeamNet, pyramid: ImagePyramid, channels: list[int]) -> Tensor:
    """Computes one view at a time and enlarges and sums all classes on the CPU, as usual (SEAM)."""
    device = next(net.parameters()).device
    total = np.zeros((NUM_CLASSES, *pyramid.size), dtype=np.float32)
    for variants in pyramid.scaled:
        for index, view in enumerate(variants):
            cam = net.infer(view[None].to(device))
            cam = F.interpolate(cam, pyramid.size, mode="bilinear", align_corners=False)[0]
            array = cam.cpu().numpy()
            total += array[:, :, ::-1] if index else array
    return torch.from_numpy(total)[channels]


def matrix_flops(device: torch.device) -> float:
    """Measures the FLOP/s of a large product of bf16 matrices."""
    matrix = torch.randn(MATRIX, MATRIX, device=device).bfloat16()

    def multiply() -> None:
        torch.mm(matrix, matrix)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return 2 * MATRIX**3 / median_seconds(multiply, repetitions=3)


def run(device: torch.device) -> list[Row]:
    """Usual: float32, one view at a time. Ours: bf16, mirror images together, present classes."""
    rng = np.random.default_rng(0)
    config = paper().cam
    size = (375, 500) if device.type == "cuda" else (188, 250)  # a CPU is slow
    image = photograph(rng, *size)
    pyramid = image_pyramid("i", image, scales=config.scales, flip=config.flip)
    channels = [k - 1 for k in two_classes(rng)]
    net = seam_training("seam", RESNET38D).net.eval().to(device)
    net = net.to(memory_format=torch.channels_last)
    plain = seam_training("seam", RESNET38D).net.eval().to(device)
    run_channels_first(plain.backbone)

    def ours(asked: AskedPrecision = "auto") -> Tensor:
        precision = choose_precision(asked, device)
        return merge_scales(net, pyramid, channels, precision=precision).cpu()

    def usual() -> Tensor:
        return view_by_view(plain, pyramid, channels)

    seconds = compare(ours, usual, repetitions=2, device=device)
    precise = normalize_cam(ours("float32"))
    difference = (normalize_cam(ours()) - precise).abs().max().item()
    with FlopCounterMode(display=False) as counter:
        ours()
    share = counter.get_total_flops() / seconds[0] / matrix_flops(device)
    name = name_of(device)
    return [
        Row("cam_inference", *seconds, "s/image", "5x", name),
        Row("cam_inference_difference", difference, None, "score", "<= 0.02", name),
        Row("cam_inference_flops", share, None, "of a matrix product's", ">= 0.75", name),
    ]
