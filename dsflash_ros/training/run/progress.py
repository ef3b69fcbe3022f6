"""What a person sees of a run: warnings, a bar, a line for each epoch."""

import logging
import sys
import time
import warnings

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from dsflash_ros.errors import TrainingError

_HARMLESS = (
    "The number of training batches",  # of a small data set
    "Found .* in eval mode",  # the frozen segmenter
    ".*does not have many workers",
    "`isinstance\\(treespec",  # Lightning's own
    ".*lr_scheduler.step\\(\\)` before `optimizer.step",  # mixed precision may skip the first step
    "Total length of `list`",  # no validation
    ".*has no `.*_dataloader`",
    "The `srun` command",
    "Grad strides do not match",  # of a convolution, in DDP
    "It is recommended to use `self.log",  # scores are the same in all processes
)


def quieten() -> None:
    """Silence the libraries where they do not help: our own lines say what happens."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for pattern in _HARMLESS:
        warnings.filterwarnings("ignore", pattern)


def refuse_not_finite(module: LightningModule, loss: torch.Tensor) -> None:
    """Raise `TrainingError` when a loss is infinite or no number."""
    if torch.isfinite(loss):
        return
    epoch = module.current_epoch + 1
    kept = f"the weights of epoch {epoch - 1} are kept" if epoch > 1 else "no epoch had ended"
    hint = " or precision=float32" if "bf16" in str(module.trainer.precision) else ""
    raise TrainingError(
        f"the loss became {loss.item()} in epoch {epoch}; {kept}. Try a smaller lr{hint}"
    )


def scores_of(trainer: Trainer) -> dict[str, float]:
    """What was logged, losses averaged over the epoch; without learning rates."""
    logged = trainer.callback_metrics.items()
    # Lightning's other names for what is logged by step and by epoch
    left_out = ("_step", "_epoch")
    return {
        name: round(float(value), 5)
        for name, value in logged
        if not (name.startswith("lr-") or name.endswith(left_out))
    }


class Progress(TQDMProgressBar):
    """A bar where somebody watches, and a line for each epoch.

    Logs `images_per_s`, over all devices.
    """

    def __init__(self) -> None:
        super().__init__(refresh_rate=1 if sys.stderr.isatty() else 0)
        self._started = 0.0

    def get_metrics(self, trainer: Trainer, module: LightningModule) -> dict:
        """Without Lightning's version number."""
        return {
            name: value
            for name, value in super().get_metrics(trainer, module).items()
            if name != "v_num"
        }

    def on_train_epoch_start(self, trainer: Trainer, *args) -> None:
        """Start the clock."""
        super().on_train_epoch_start(trainer, *args)
        self._started, self._images = time.perf_counter(), 0

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs, batch, batch_idx: int
    ) -> None:
        """Count images."""
        super().on_train_batch_end(trainer, module, outputs, batch, batch_idx)
        self._images += len(batch.images) * trainer.world_size
        module.log(
            "images_per_s",
            self._images / (time.perf_counter() - self._started),
            on_step=True,
            on_epoch=False,
        )

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Tell how the epoch went."""
        super().on_train_epoch_end(trainer, module)
        if trainer.is_global_zero:
            scores = "  ".join(f"{name} {value:.4g}" for name, value in scores_of(trainer).items())
            trainer.print(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {scores}", flush=True
            )
