"""What a run leaves behind: weights to use, and a state to go on from."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import TorchCheckpointIO

from dsflash_ros.files import replacing
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.training.progress import scores_of

STATE = "last.ckpt"
"""Everything that a run needs to go on; of the weights only those that are being trained."""

BEST, LAST = "best.safetensors", "last.safetensors"
"""Weights for the pipeline."""


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoints, whole or not at all."""

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        """Raises `OutputError`, with the last good checkpoint still there."""
        with replacing(path) as partial:
            try:
                torch.save(checkpoint, partial)
            except RuntimeError as error:  # how torch reports a full disk
                raise OSError(str(error).splitlines()[0]) from error


class KeepWeights(Callback):
    """Writes `last.safetensors`, `best.safetensors` and the state after each epoch.

    `score` names the logged value that is best when it is largest; None keeps the last epoch as the best.
    """

    def __init__(self, out: Path, header: Header, score: str | None) -> None:
        self.out, self.header, self.score = out, header, score
        self.best: float | None = None

    def state_dict(self) -> dict:
        """What has to survive a resume."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from there."""
        self.best = state_dict["best"]

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Write. The state comes last: whoever resumes from it finds the weights that it speaks of."""
        scores = scores_of(trainer)
        current = scores.get(self.score) if self.score else None
        is_best = current is None or self.best is None or current > self.best
        if is_best:
            self.best = current
        if trainer.is_global_zero:
            recipe = {**self.header.recipe, "epochs_done": trainer.current_epoch + 1}
            header = replace(self.header, recipe=recipe, scores={**self.header.scores, **scores})
            save_checkpoint(self.out / LAST, module.model, header)
            if is_best:
                _link(self.out / LAST, self.out / BEST)
            with (self.out / "scores.jsonl").open("a") as file:
                file.write(json.dumps({"epoch": trainer.current_epoch, **scores}) + "\n")
        trainer.save_checkpoint(self.out / STATE)


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, in place of what had it. (A new `source` takes its own name only.)"""
    with replacing(target) as partial:
        partial.unlink()
        try:
            partial.hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copyfile(source, partial)
