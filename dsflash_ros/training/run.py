"""A training run from its configuration to its weights."""

import logging
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import ConfigError, DSFlashError, OutputError, TrainingError
from dsflash_ros.files import replacing
from dsflash_ros.model.checkpoints import Header
from dsflash_ros.training.checkpoints import BEST, STATE, AtomicCheckpointIO, KeepWeights
from dsflash_ros.training.config import RunConfig, dump_config
from dsflash_ros.training.loaders import Loaders
from dsflash_ros.training.progress import Progress, quieten

_log = logging.getLogger(__name__)

CONFIG = "config.yaml"

MAY_DIFFER = {"workers", "device", "feature_cache", "pairs_at_once"}
"""Settings that may change when a run is resumed: they change how it is computed, not what."""


def open_data(config: RunConfig) -> tuple[PsgDataset, PsgDataset | None]:
    """The splits to train on and to validate on. Says what is in them."""
    where = {"images": config.images, "masks": config.masks}
    train = PsgDataset.open(config.dataset, config.train_split, **where)
    val = None if config.val_split == "none" else PsgDataset.open(config.dataset, config.val_split, **where)
    for dataset in (train, val):
        if dataset is not None:
            _log.warning("%s", dataset.report())
    return train, val


def with_relations(dataset: PsgDataset) -> list[Record]:
    """The images to learn relations from. Says how many there are not; raises `TrainingError` when none is left."""
    records = [record for record in dataset if len(record.relations)]
    if not records:
        raise TrainingError(f"no image of the split {dataset.split!r} of {dataset.path} has a relation to learn")
    if len(records) < len(dataset):
        _log.warning(
            "%d of %d images have no relations and are left out of training", len(dataset) - len(records), len(dataset)
        )
    return records


def prepare_out(config: RunConfig, resume: bool) -> Path | None:
    """Make the run's folder and keep its configuration there. The state to resume from, if that is wanted.

    Raises:
        ConfigError: the folder holds a run already; or there is none to resume, or it was configured otherwise.
        OutputError: the folder cannot be written.
    """
    out = Path(config.out).expanduser()
    state, kept = out / STATE, out / CONFIG
    if resume:
        if not state.is_file():
            raise ConfigError(f"there is nothing to resume in {out}: no {STATE}; start without --resume")
        _refuse_changes(kept, config)
        return state
    if state.exists():
        raise ConfigError(f"{out} holds a run already; go on with it by --resume, or choose another out=...")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {out}: {error.strerror or error}") from error
    with replacing(kept) as partial:
        partial.write_text(dump_config(config))
    return None


def _refuse_changes(kept: Path, config: RunConfig) -> None:
    import yaml

    try:
        before = yaml.safe_load(kept.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read how the run was configured: {error}") from error
    now = config.model_dump(mode="json")
    changed = [key for key in now if key not in MAY_DIFFER and before.get(key) != now[key]]
    if changed:
        told = ", ".join(f"{key} was {before.get(key)!r}, now {now[key]!r}" for key in changed)
        raise ConfigError(f"a run goes on as it was configured, but {told}; start anew in another out=...")


def fit(module: lightning.LightningModule, loaders: Loaders, config: RunConfig, header: Header, state: Path | None):
    """Train, from the beginning or from a state. Returns the path of the best weights.

    Raises:
        TrainingError: the loss is not finite, a loading process died, or memory ran out.
        DatasetError: an image or mask cannot be read.
        OutputError: the disk is full.
        KeyboardInterrupt: on Ctrl-C; all epochs that ended are kept.
    """
    quieten()
    out = Path(config.out).expanduser()
    score = f"val/{module.score}" if loaders.val is not None else None
    trainer = lightning.Trainer(
        accelerator="gpu" if config.device == "cuda" else config.device,
        devices=config.devices,
        strategy="ddp" if config.devices > 1 else "auto",
        precision={"float32": "32-true", "bfloat16": "bf16-mixed"}[config.precision],
        max_epochs=config.epochs,
        gradient_clip_val=config.gradient_clip or None,
        logger=TensorBoardLogger(out, name="", version="curves"),
        callbacks=[Progress(), LearningRateMonitor("step"), KeepWeights(out, header, score)],
        plugins=[AtomicCheckpointIO()],
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    try:
        trainer.fit(module, loaders, ckpt_path=state)
    except DSFlashError:
        raise
    except SystemExit:
        raise KeyboardInterrupt from None  # Lightning's way to end after Ctrl-C
    except torch.OutOfMemoryError as error:
        raise TrainingError("the GPU ran out of memory: lower batch_size or pairs_at_once") from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            f"a process that loads images died ({str(error).splitlines()[0]}), often for want of memory: "
            "lower workers and go on with --resume"
        ) from error
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}; go on with --resume") from error
    return out / BEST
