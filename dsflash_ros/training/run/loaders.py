"""Data loaders of a run, one for each process."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from dsflash_ros.data.views import EpochSampler
from dsflash_ros.errors import TrainingError
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.training.configuration import RunConfig
from dsflash_ros.training.run.worker_exit import hide_lost_connections


class Loaders(lightning.LightningDataModule):
    """Training data, shuffled and dealt out to the processes; validation data in order.

    `vocabulary` has the names that the data's numbers stand for.
    """

    def __init__(
        self,
        config: RunConfig,
        train: Dataset,
        val: Dataset | None,
        collate: Callable[[list], Any],
        vocabulary: Vocabulary,
    ) -> None:
        super().__init__()
        self.config, self.train, self.val, self.collate = config, train, val, collate
        self.vocabulary = vocabulary
        self._first_epoch = 0

    def state_dict(self) -> dict:
        """The next epoch: loading processes of a resumed run fetch its images ahead.

        Beside it what tells whether the data set is still the same.
        """
        return {
            "first_epoch": self.trainer.current_epoch + 1,
            "vocabulary": self.vocabulary.to_json(),
            "images": self._images,
        }

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from there.

        Raises `TrainingError` when names or images are not those that the run began with. A state
        of an earlier version may not tell.
        """
        self._first_epoch = state_dict["first_epoch"]
        now = self.vocabulary
        before = Vocabulary.from_json(state_dict.get("vocabulary", now.to_json()))
        images = state_dict.get("images", self._images)
        changed = [name for name in self._images if images[name] != self._images[name]]
        difference = now.difference(before)
        if changed:
            difference = difference or f"other images, or another order, in {' and '.join(changed)}"
        if difference:
            raise TrainingError(
                f"the data set {self.config.dataset} has changed since the run began: it has "
                f"{difference}; bring back what it was, or start anew in another out=..."
            )

    @cached_property
    def _images(self) -> dict[str, str]:
        """Digests of the images' ids by the setting that chose their split."""
        splits = {"train_split": self.train}
        if self.val is not None:
            splits["val_split"] = self.val
        return {
            name: hashlib.sha256(
                "\n".join(record.image_id for record in split.records).encode()
            ).hexdigest()
            for name, split in splits.items()
        }

    def train_dataloader(self) -> DataLoader:
        """Items by (epoch, index), in an order that follows from seed and epoch."""
        trainer = self.trainer
        indexes = range(len(self.train))
        sampler = EpochSampler(
            indexes, seed=self.config.seed, rank=trainer.global_rank, world_size=trainer.world_size
        )
        sampler.set_epoch(self._first_epoch)  # Lightning sets it too late for what is fetched ahead
        return self._loader(self.train, sampler=sampler)

    def val_dataloader(self) -> DataLoader | list:
        """Every world_size-th image.

        (A distributed sampler would count some twice to make the shares equal.)
        """
        if self.val is None:
            return []
        share = range(self.trainer.global_rank, len(self.val), self.trainer.world_size)
        return self._loader(Subset(self.val, share))

    def _loader(self, dataset: Dataset, **options) -> DataLoader:
        config = self.config
        return DataLoader(
            dataset,
            config.batch_size,
            num_workers=config.workers,
            collate_fn=self.collate,
            persistent_workers=config.workers > 0,
            worker_init_fn=hide_lost_connections,
            pin_memory=config.device != "cpu" and torch.cuda.is_available(),
            **options,
        )
