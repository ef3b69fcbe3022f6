"""A training run from its configuration to its weights."""

import logging
import os
import signal
from pathlib import Path
from typing import NoReturn, TypeVar

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.data.psg_json import SplitError
from dsflash_ros.errors import ConfigError, DeviceError, OutputError, TrainingError
from dsflash_ros.files import expand
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.pipeline.device import choose_device, choose_precision
from dsflash_ros.training.configuration import RunConfig
from dsflash_ros.training.run.averaging import WeightAverage
from dsflash_ros.training.run.loaders import Loaders
from dsflash_ros.training.run.progress import Progress, quieten
from dsflash_ros.training.run.saving import BEST, LAST, AtomicCheckpointIO, KeepWeights

_log = logging.getLogger(__name__)

Settings = TypeVar("Settings", bound=RunConfig)


def open_data(config: RunConfig) -> tuple[PsgDataset, PsgDataset | None]:
    """The splits to train on and to validate on.

    Logs what is in them. Raises `ConfigError` when one is too small.
    """
    train = _open_split(config, "train_split")
    val = None if config.val_split == "none" else _open_split(config, "val_split")
    for split, dataset in ((config.train_split, train), (config.val_split, val)):
        if dataset is None:
            continue
        if len(dataset) < config.devices:
            raise ConfigError(
                f"the split {split!r} of {dataset.path} has {len(dataset)} images, too few for "
                f"{config.devices} device(s)"
                f"{'; val_split=none does without' if dataset is val else ''}"
            )
        if is_first_process():
            _log.warning("%s", dataset.report())
    return train, val


def _open_split(config: RunConfig, setting: str) -> PsgDataset:
    """The split that a setting names. Raises `ConfigError` when it has no images."""
    split = getattr(config, setting)
    try:
        return PsgDataset.open(config.dataset, split, config.images, config.masks)
    except SplitError as error:
        names = [*error.splits, "none"] if setting == "val_split" else [*error.splits]
        choices = " or ".join(f"{setting}={name}" for name in names)
        raise ConfigError(f"{error}: set {choices}") from error


def with_relations(dataset: PsgDataset) -> list[Record]:
    """The images that have relations.

    Logs how many have none. Raises `TrainingError` when all have none.
    """
    records = [record for record in dataset if len(record.relations)]
    if not records:
        raise TrainingError(
            f"no image of the split {dataset.split!r} of {dataset.path} has a relation to learn"
        )
    if len(records) < len(dataset) and is_first_process():
        _log.warning(
            "%d of %d images have no relations and are left out of training",
            len(dataset) - len(records),
            len(dataset),
        )
    return records


def is_first_process() -> bool:
    """Whether this is the process, of all of the run's, that logs and writes."""
    return os.environ.get("LOCAL_RANK", "0") == "0" and os.environ.get("NODE_RANK", "0") == "0"


def settled(config: Settings) -> Settings:
    """The configuration with the precision that `auto` means on the device.

    A run is told from others, resumed and remembered by what it computes in. Raises `DeviceError`.
    """
    if config.precision != "auto":
        return config
    chosen = choose_precision("auto", choose_device(config.device))
    name = "bfloat16" if chosen == torch.bfloat16 else "float32"
    return config.model_copy(update={"precision": name})


def fit(
    module: lightning.LightningModule,
    loaders: Loaders,
    config: RunConfig,
    header: Header,
    state: Path | None,
) -> Path:
    """Train, from the beginning or from a state. Returns the path of the best weights.

    Raises:
        DeviceError: there are fewer devices than asked for.
        TrainingError: the loss is not finite, the state is damaged, another process ended, or
            memory ran out.
        DatasetError: an image or mask cannot be read.
        OutputError: the disk is full.
        KeyboardInterrupt: on Ctrl-C; the weights of all epochs that ended are kept.
    """
    quieten()
    out = expand(config.out)
    metric = None if loaders.val is None else f"val/{module.selection_metric}"
    average = WeightAverage(config.ema_decay) if config.ema_decay else None
    kept = KeepWeights(out, header, metric, average)
    callbacks = [Progress(), LearningRateMonitor("step"), average, kept]
    trainer = lightning.Trainer(
        **_devices(config),
        precision={"float32": "32-true", "bfloat16": "bf16-mixed"}[config.precision],
        max_epochs=config.epochs,
        gradient_clip_val=config.gradient_clip or None,
        logger=TensorBoardLogger(out, name="", version="curves"),
        callbacks=[callback for callback in callbacks if callback],
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    try:
        trainer.fit(module, loaders, ckpt_path=state)
    except (RuntimeError, OSError, EOFError, SystemExit) as error:
        _explain(error, out, config.devices)
    if not kept.epochs and is_first_process():
        _log.warning("the run was complete already: %d epochs", config.epochs)
    return next(path for path in (out / BEST, out / LAST) if path.exists())


def _devices(config: RunConfig) -> dict:
    """The trainer's arguments for the devices. Raises `DeviceError` when they are not there."""
    device = choose_device(config.device)
    if device.type == "cuda" and config.devices > torch.cuda.device_count():
        raise DeviceError(
            f"devices={config.devices}, but this machine has {torch.cuda.device_count()} GPU(s)"
        )
    strategy = "ddp" if config.devices > 1 else "auto"
    return {
        "accelerator": "gpu" if device.type == "cuda" else "cpu",
        "devices": config.devices,
        "strategy": strategy,
    }


def _explain(error: BaseException, out: Path, devices: int) -> NoReturn:
    """Raise what a user can understand instead of what libraries raise; bugs as they are."""
    told = str(error).splitlines()[0] if str(error) else ""
    if isinstance(error, SystemExit):
        if error.code != 1:
            raise error
        raise KeyboardInterrupt from None  # Lightning's way to end after Ctrl-C
    if isinstance(error, BrokenPipeError):
        raise error  # of the terminal: whoever read the output has left
    if isinstance(error, torch.cuda.OutOfMemoryError):
        raise TrainingError(
            "the GPU ran out of memory: lower batch_size or pairs_at_once"
        ) from error
    if "DataLoader worker" in told and "Terminated" in told:
        # whoever terminates all processes means the run
        raise SystemExit(128 + signal.SIGTERM) from None
    lost = isinstance(error, (EOFError, ConnectionError)) or any(
        words in str(error)
        for words in ("closed by peer", "Connection reset", "Broken pipe", "Connection refused")
    )
    # A tensor of a process that has just died fails with a lost connection before its death is
    # noticed.
    if "DataLoader worker" in told or (lost and devices == 1):
        raise TrainingError(
            f"a process that loads images died ({told or 'it answers no more'}), often for want of "
            "memory: lower workers and go on with --resume"
        ) from error
    if lost:
        raise TrainingError(
            "another process of this run ended; it says why above or below this line"
        ) from error
    if isinstance(error, OSError):
        raise OutputError(
            f"cannot write to {out}: {error.strerror or error}; go on with --resume"
        ) from error
    raise error
