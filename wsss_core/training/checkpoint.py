"""The checkpoint from which an interrupted training resumes."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wsss_core.runtime.atomic import atomic_file

Row = dict[str, float]


class TrainingState:
    """The state of a training (model, optimiser, loss curve, step), in memory and in a file.

    Attributes:
        step: Number of finished steps.
        lock: Held while a step changes the state, so that no half-changed state is saved.
        history: Rows of the loss curve.
        losses: Losses of each step since the last row.
    """

    def __init__(
        self, path: Path, key: str, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Loads the saved state if the file exists and has the same key."""
        self.path = path
        self.key = key
        self.model = model
        self.optimizer = optimizer
        self.step = 0
        self.lock = threading.RLock()
        self.history: list[Row] = []
        self.losses: list[Row] = []
        if path.is_file():
            self._load()
        self.saved_step = self.step
        self.saved_at = time.monotonic()

    def _load(self) -> None:
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, ValueError, EOFError, OSError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:100]
            sys.stderr.write(
                f"warning: {self.path}: cannot be read; starting at step 0 ({reason})\n"
            )
            return
        if state.get("key") != self.key:
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.history = state["history"]
        self.losses = state["losses"]

    def age(self) -> float:
        """Returns the minutes of work that would be lost if the process ended now."""
        return (time.monotonic() - self.saved_at) / 60

    def save(self) -> None:
        """Writes the file, unless it already holds this step."""
        with self.lock:
            if self.saved_step == self.step:
                return
            content = {
                "key": self.key,
                "step": self.step,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "history": self.history,
                "losses": self.losses,
            }
            with atomic_file(self.path) as temporary, temporary.open("wb") as file:
                torch.save(content, file)
            sys.stderr.write(f"state saved at step {self.step}\n")
            self.saved_step = self.step
            self.saved_at = time.monotonic()
