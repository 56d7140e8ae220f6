"""The cost of an experiment as a table, with the time that each stage takes on some machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.cost.stages import StageCost, stage_costs
from wsss_core.config.experiment import Experiment


@dataclass(frozen=True)
class Machine:
    """Something to run on.

    Attributes:
        name: Of it.
        devices: How many GPUs, or 1 for the CPU.
        flops: FLOP/s that a device sustains in our networks.
        cores: Of the CPU beside them.
    """

    name: str
    devices: int
    flops: float
    cores: int

    def hours(self, cost: StageCost) -> float:
        """How long a stage takes."""
        seconds = cost.flops / (self.devices * self.flops) + cost.core_seconds / self.cores
        return seconds / 3600


MACHINES = (
    # In float32, as it has no units for bf16: 13.4 TFLOP/s at most, of which half is usual.
    Machine("4x 2080 Ti", devices=4, flops=6e12, cores=16),
    # In bf16: 312 TFLOP/s at most, of which a third is usual for convolutions.
    Machine("1x A100", devices=1, flops=100e12, cores=16),
    # Measured on the slower of two machines: CAM inference reaches a product of matrices in bf16.
    Machine("2 CPU cores", devices=1, flops=0.38e12, cores=2),
)
HEADER = ("stage", "method", "images", "PFLOP", "GB", *(machine.name for machine in MACHINES))


def cost_table(experiment: Experiment) -> str:
    """The stages of each run with one seed, and their sum, in Markdown.

    GB are those of a training on one of four GPUs, or of the CPU's job.
    """
    costs = list(stage_costs(experiment))
    rows = [HEADER, ("---",) * len(HEADER), *map(_row, costs), _sum(costs)]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _row(cost: StageCost) -> tuple[str, ...]:
    images_at_once = -(-cost.batch_size // MACHINES[0].devices)
    gigabytes = (cost.network_bytes + images_at_once * cost.image_bytes) / 1e9
    return (
        cost.stage,
        cost.method,
        f"{cost.images:,}",
        f"{cost.flops / 1e15:.1f}" if cost.flops else "",
        f"{gigabytes:.1f}" if gigabytes else "",
        *(_time(machine.hours(cost)) for machine in MACHINES),
    )


def _sum(costs: Iterable[StageCost]) -> tuple[str, ...]:
    costs = list(costs)
    hours = (sum(machine.hours(cost) for cost in costs) for machine in MACHINES)
    flops = sum(cost.flops for cost in costs)
    return ("all", "", "", f"{flops / 1e15:.0f}", "", *map(_time, hours))


def _time(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.0f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
