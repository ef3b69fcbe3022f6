"""An exponential moving average of the weights that a run trains."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from lightning import Callback, LightningModule, Trainer


class WeightAverage(Callback):
    """Averages the trained parameters over the steps; validation sees the average.

    After step t = 0, 1, ... the average is d * average + (1 - d) * parameters, where d is the
    smaller of `decay` and t / (10 + t), so that the first weights do not linger. (Lightning's own
    averages frozen parameters, too, and wants them in every checkpoint.)
    """

    def __init__(self, decay: float) -> None:
        """`decay`: 0 to below 1."""
        self._decay = decay
        self._steps = 0
        self._average: list[torch.Tensor] = []

    def state_dict(self) -> dict:
        """What has to survive a resume."""
        return {"average": self._average, "steps": self._steps}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from there."""
        self._average, self._steps = state_dict["average"], state_dict["steps"]

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Bring a loaded average to the device."""
        self._average = [tensor.to(module.device) for tensor in self._average]

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, *_) -> None:
        """Take the step into the average."""
        parameters = _trained(module)
        if not self._average:
            self._average = [parameter.clone() for parameter in parameters]
        decay = min(self._decay, self._steps / (10 + self._steps))
        torch._foreach_lerp_(self._average, parameters, 1 - decay)
        self._steps += 1

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Put the average in the parameters' place."""
        self._swap(module)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Put the parameters back."""
        self._swap(module)

    @contextmanager
    def in_place(self, module: LightningModule) -> Iterator[None]:
        """The module with the average in its parameters' place."""
        self._swap(module)
        try:
            yield
        finally:
            self._swap(module)

    @torch.no_grad()
    def _swap(self, module: LightningModule) -> None:
        for average, parameter in zip(self._average, _trained(module), strict=True):
            kept = parameter.clone()
            parameter.copy_(average)
            average.copy_(kept)


def _trained(module: LightningModule) -> list[torch.Tensor]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
