"""`dsflash train calibration`: the UNet learns to attend as it does on its way from an inversion.

Trained are the captioner and LoRA's matrices, nothing else (SPADE, section 3.1).
"""

import json
import logging
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dsflash_ros.data.psg import PsgDataset, Record
from dsflash_ros.errors import ConfigError, TrainingError
from dsflash_ros.files import expand, replacing, save_tensors, write_whole
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.diffusion.attention_maps import recorded
from dsflash_ros.model.diffusion.diffusion_encoder import DiffusionEncoder
from dsflash_ros.model.diffusion.diffusion_folder import DiffusionFolder, open_diffusion
from dsflash_ros.model.diffusion.low_rank import add_low_rank, merge_low_rank
from dsflash_ros.model.diffusion.noise_levels import NoiseLevels
from dsflash_ros.pipeline.device import choose_device
from dsflash_ros.progress_bar import progress
from dsflash_ros.training.diffusion.calibration_configuration import CalibrationConfig
from dsflash_ros.training.diffusion.calibration_loss import calibration_loss
from dsflash_ros.training.diffusion.examples import Examples, read_examples
from dsflash_ros.training.diffusion.teacher_maps import fill_teacher_maps
from dsflash_ros.training.run.fit import with_relations
from dsflash_ros.training.run.out_folder import run_folder
from dsflash_ros.training.run.schedules import cosine_with_warmup

CALIBRATED, LOSSES = "calibrated.safetensors", "losses.json"
"""Files of a run: the encoder for `start=` of a segmenter, and how it learned."""

MAPS, CAPTIONS = "teacher_maps.npy", "captions.json"
"""What it learned from: the teacher's maps, and by image id the captions that they are of."""

_log = logging.getLogger(__name__)


def train_calibration(config: CalibrationConfig, resume: bool = False) -> Path:
    """Calibrate; returns the path of `calibrated.safetensors` in `config.out`.

    The teacher's maps, which take most of the time, are kept there; with `resume` they are not made
    again.

    Raises `ConfigError` for a folder that another run has used or when no image is left to learn
    from, `TrainingError` for a data set that has changed since the run began and when the loss is
    not finite, `DatasetError`, `WeightsError` for the diffusion model, `MissingExtraError`,
    `OutputError`.
    """
    with run_folder(config, resume, state=MAPS):
        return _train(config, expand(config.out))


def _train(config: CalibrationConfig, out: Path) -> Path:
    dataset = PsgDataset.open(config.dataset, config.train_split, config.images, config.masks)
    records = seen_only(config, with_relations(dataset), dataset.vocabulary)
    torch.manual_seed(config.seed)
    found = open_diffusion(config.diffusion, config.image_encoder)
    levels = NoiseLevels.of_scheduler(found.scheduler, config.steps)
    device = choose_device(config.device)
    encoder = found.encoder.to(device)
    found.tokens.encoder.to(device)
    examples = _examples(config, found, records, dataset.vocabulary)
    captions = [texts[0] for texts in examples.captions]
    ids = [record.image_id for record in records]
    _keep_captions(out, dict(zip(ids, captions, strict=True)), config.dataset)
    maps = fill_teacher_maps(
        out / MAPS,
        encoder.unet,
        examples.latents,
        captions,
        found.tokens,
        levels,
        config.map_side,
        config.start,
        config.sampler,
        config.maps_at,
        config.batch_size,
        config.seed,
    )
    losses = calibrate(encoder, examples, maps, config)
    with replacing(out / LOSSES) as partial:
        partial.write_text(json.dumps([round(loss, 5) for loss in losses]) + "\n")
    save_tensors(out / CALIBRATED, encoder.state_dict())
    return out / CALIBRATED


def _keep_captions(out: Path, captions: dict[str, str], dataset: str) -> None:
    """Write which images the teacher's maps are of, in order, and their captions.

    Raises `TrainingError` when there are maps already, of others.
    """
    path, now = out / CAPTIONS, json.dumps(captions, indent=1) + "\n"
    if (out / MAPS).exists() and path.exists() and path.read_text() != now:
        raise TrainingError(
            f"the data set {dataset} has changed since the run began: its images or captions are "
            f"not those of {path}; bring back what it was, or start anew in another out=..."
        )
    write_whole(path, now)


def seen_only(
    config: CalibrationConfig, records: list[Record], vocabulary: Vocabulary
) -> list[Record]:
    """The images that show no novel predicate and no novel class.

    Raises `ConfigError` for names that the data set does not have, and when no image is left.
    """
    predicates = _ids("novel_predicates", config.novel_predicates, vocabulary.predicates)
    classes = _ids("novel_classes", config.novel_classes, vocabulary.classes)
    kept = [
        record
        for record in records
        if not np.isin(record.relations[:, 2], predicates).any()
        and not np.isin(record.class_ids, classes).any()
    ]
    if not kept:
        raise ConfigError(
            f"each of the {len(records)} images shows something novel; name fewer predicates or "
            "classes in novel_predicates and novel_classes"
        )
    _log.info("%d of %d images show nothing novel", len(kept), len(records))
    random = np.random.default_rng(config.seed)
    chosen = np.sort(random.permutation(len(kept))[: config.most_images])
    return [kept[index] for index in chosen]


def calibrate(
    encoder: DiffusionEncoder, examples: Examples, maps: np.ndarray, config: CalibrationConfig
) -> list[float]:
    """Train the encoder in place; returns the loss of each step. LoRA is merged at the end.

    `maps` are the teacher's, (N, length, side, side). No map shows the values of the last
    cross-attention, which therefore stay as they were. Raises `TrainingError` when a loss is not
    finite.
    """
    device = next(encoder.parameters()).device
    encoder.requires_grad_(False)
    learned: list[nn.Parameter] = list(encoder.captioner.requires_grad_().parameters())
    if config.rank:
        learned += add_low_rank(encoder.unet, config.rank)
    optimizer = torch.optim.AdamW(learned, config.lr, weight_decay=0.0)
    random = np.random.default_rng(config.seed)
    orders = [random.permutation(len(maps)) for _ in range(config.epochs)]
    cuts = range(config.batch_size, len(maps), config.batch_size)
    batches = [rows for order in orders for rows in np.split(order, cuts)]
    losses = []
    for step, rows in enumerate(progress(batches, "calibration", len(batches), "step")):
        share = cosine_with_warmup(step, min(50, len(batches) // 10), len(batches))
        optimizer.param_groups[0]["lr"] = config.lr * share
        with torch.no_grad():
            embeddings = encoder.embedding(examples.images[rows].to(device).float() / 255)
        with recorded(encoder.unet) as seen:
            encoder.see(examples.latents[rows].to(device).float(), embeddings)
        teacher = torch.from_numpy(maps[rows]).to(device).float()
        loss = calibration_loss(seen.mean(config.map_side), teacher, config.weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise TrainingError(
                f"the loss became {losses[-1]} in step {step + 1} of {len(batches)}; nothing was "
                "written. Try a smaller lr"
            )
    merge_low_rank(encoder.unet)
    encoder.requires_grad_(False)
    return losses


def _examples(
    config: CalibrationConfig, found: DiffusionFolder, records: list[Record], names: Vocabulary
) -> Examples:
    return read_examples(
        records,
        names,
        found.encoder.latents,
        found.tokens,
        config.image_size,
        found.encoder.embedding.side,
    )


def _ids(setting: str, names: tuple[str, ...], known: tuple[str, ...]) -> list[int]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{setting}: the data set has no {', '.join(map(repr, unknown))}")
    return [known.index(name) for name in names]
