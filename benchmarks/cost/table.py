"""The cost of an experiment as a table, with the time of each stage on some machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.cost.stages import StageCost, stage_costs
from wsss_core.config.experiment import Experiment
from wsss_core.config.precision import AskedPrecision, Precision, PrecisionConfig


@dataclass(frozen=True)
class Machine:
    """A machine for estimates.

    Attributes:
        name: Name in the table.
        devices: Number of GPUs; 1 for a CPU.
        flops: FLOP/s that a device sustains in our networks, by precision.
        cores: Number of CPU cores.
    """

    name: str
    devices: int
    flops: Mapping[Precision, float]
    cores: int

    def hours(self, cost: StageCost, asked: AskedPrecision) -> float:
        """Estimates the hours of a stage; without units for bfloat16, it computes in float32."""
        flops = self.flops.get("bfloat16" if asked == "auto" else asked, self.flops["float32"])
        seconds = cost.flops / (self.devices * flops) + cost.core_seconds / self.cores
        return seconds / 3600


MACHINES = (
    # Peak 13.4 TFLOP/s; half of it is usual.
    Machine("4x 2080 Ti", devices=4, flops={"float32": 6e12}, cores=16),
    # Peak 19.5 and 312 TFLOP/s; half and a third of it are usual for convolutions.
    Machine("1x A100", devices=1, flops={"float32": 9e12, "bfloat16": 100e12}, cores=16),
    # Measured on the slower of two machines: CAM inference is as fast as a matrix product in bf16.
    Machine("2 CPU cores", devices=1, flops={"float32": 0.16e12, "bfloat16": 0.38e12}, cores=2),
)
HEADER = ("stage", "method", "images", "PFLOP", "GB", *(machine.name for machine in MACHINES))


def cost_table(experiment: Experiment) -> str:
    """Formats the costs of each run's stages for one seed, and their sum, as a Markdown table.

    GB is the memory of a training on one of four GPUs, or of the job on the CPU.
    """
    costs = list(stage_costs(experiment))
    hours = [_hours(cost, experiment.precision) for cost in costs]
    rows = [HEADER, ("---",) * len(HEADER), *map(_row, costs, hours), _sum(costs, hours)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _hours(cost: StageCost, precision: PrecisionConfig) -> list[float]:
    """Estimates the hours of a stage on each machine."""
    is_training = cost.stage.startswith("train_")
    asked = precision.training if is_training else precision.inference
    return [machine.hours(cost, asked) for machine in MACHINES]


def _row(cost: StageCost, hours: Sequence[float]) -> tuple[str, ...]:
    images_at_once = -(-cost.batch_size // MACHINES[0].devices)
    gigabytes = (cost.network_bytes + images_at_once * cost.image_bytes) / 1e9
    return (
        cost.stage,
        cost.method,
        f"{cost.images:,}",
        f"{cost.flops / 1e15:.1f}" if cost.flops else "",
        f"{gigabytes:.1f}" if gigabytes else "",
        *map(_time, hours),
    )


def _sum(costs: Sequence[StageCost], hours: Sequence[Sequence[float]]) -> tuple[str, ...]:
    flops = sum(cost.flops for cost in costs)
    all_hours = map(sum, zip(*hours, strict=True))
    return ("all", "", "", f"{flops / 1e15:.0f}", "", *map(_time, all_hours))


def _time(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
