"""Data loaders of a run, one for each process."""

from collections.abc import Callable
from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from dsflash_ros.data.views import EpochSampler
from dsflash_ros.training.configuration import RunConfig
from dsflash_ros.training.run.worker_exit import hide_lost_connections


class Loaders(lightning.LightningDataModule):
    """Training data, shuffled and dealt out to the processes; validation data in order."""

    def __init__(
        self, config: RunConfig, train: Dataset, val: Dataset | None, collate: Callable[[list], Any]
    ) -> None:
        super().__init__()
        self.config, self.train, self.val, self.collate = config, train, val, collate
        self._first_epoch = 0

    def state_dict(self) -> dict:
        """The next epoch: loading processes of a resumed run fetch its images ahead."""
        return {"first_epoch": self.trainer.current_epoch + 1}

    def load_state_dict(self, state_dict: dict) -> None:
        """Go on from there."""
        self._first_epoch = state_dict["first_epoch"]

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
