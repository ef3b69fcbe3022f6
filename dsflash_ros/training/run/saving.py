"""What a run leaves behind: weights to use, and a state to go on from."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from dsflash_ros.errors import TrainingError
from dsflash_ros.files import replacing
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.training.run.averaging import WeightAverage
from dsflash_ros.training.run.progress import scores_of

STATE = "last.ckpt"
"""Everything that a run needs to go on; of the weights only those that are being trained."""

BEST, LAST = "best.safetensors", "last.safetensors"
"""Weights for the pipeline."""

SCORES = "scores.jsonl"
"""A line for each epoch."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, whole or not at all."""

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        """Raises `OutputError`, with the last good checkpoint still there."""
        with replacing(path) as partial:
            try:
                torch.save(checkpoint, partial)
            except RuntimeError as error:  # how torch reports a full disk
                raise OSError("it could not be written to its end; is the disk full?") from error

    def load_checkpoint(self, path, *args, **options) -> dict:
        """Raises `TrainingError` when it is damaged."""
        try:
            state = super().load_checkpoint(path, *args, **options)
            if not {"state_dict", "optimizer_states", "loops"} <= set(state):
                raise ValueError("it is no state of a run")
        except Exception as error:  # damaged bytes make the unpickler raise anything
            raise TrainingError(
                f"cannot resume from {path}: {type(error).__name__}, "
                f"{' '.join(str(error).split())[:100]}; "
                f"{BEST} and {LAST} may be whole, from which a new run can start"
            ) from error
        return state


class KeepWeights(Callback):
    """Writes `last.safetensors`, `best.safetensors` and the state after each epoch.

    `metric` names the logged value that selects the best checkpoint: the largest, of equal ones the
    latest. None: the last epoch's is the best. `average`: its weights are stored, not the current
    ones. `epochs` counts those that were trained.
    """

    def __init__(
        self,
        out: Path,
        header: Header,
        metric: str | None,
        average: WeightAverage | None = None,
    ) -> None:
        self.out, self.header, self.metric, self.average = out, header, metric, average
        self.best: float | None = None
        self.epochs = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Drop the scores of an epoch that is trained again, as after a disk was full."""
        scores = self.out / SCORES
        if trainer.is_global_zero and scores.exists():
            lines = scores.read_text().splitlines(keepends=True)
            with replacing(scores) as partial:
                partial.write_text("".join(lines[: trainer.current_epoch]))

    def state_dict(self) -> dict:
        """What has to survive a resume."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from there."""
        self.best = state_dict["best"]

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write the weights, the scores and then the state.

        The state comes last, so that whoever resumes from it finds the weights of its epoch.
        """
        scores = scores_of(trainer)
        current = scores.get(self.metric) if self.metric else None
        is_best = current is None or self.best is None or current >= self.best
        if is_best:
            self.best = current
        self.epochs += 1
        if trainer.is_global_zero:
            recipe = {**self.header.recipe, "epochs_done": trainer.current_epoch + 1}
            header = replace(self.header, recipe=recipe, scores={**self.header.scores, **scores})
            with self.average.in_place(module) if self.average else nullcontext():
                save_checkpoint(self.out / LAST, module.model, header)
            if is_best:
                _link(self.out / LAST, self.out / BEST)
            with (self.out / SCORES).open("a") as file:
                file.write(json.dumps({"epoch": trainer.current_epoch + 1, **scores}) + "\n")
        trainer.save_checkpoint(self.out / STATE)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, in place of the file that had it.

    When `source` is replaced later, `target` stays the old file.
    """
    with replacing(target) as partial:
        partial.unlink()
        try:
            partial.hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, partial)
