"""Checkpoints: one safetensors file that holds a model and says what it is."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from dsflash_ros.errors import ForeignWeightsError, WeightsError
from dsflash_ros.files import save_tensors
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.panoptic import EOMT_THRESHOLD

FORMAT = "dsflash-1"

SEGMENT_THRESHOLDS = ("mask_threshold", "overlap_threshold")
"""See `merge_panoptic`."""

STAGES = ("segmenter", "relations")
"""The stages of a model, each of which may be trained or not."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself.

    Attributes:
        config: kinds and sizes of the model's parts.
        vocabulary: the names it was trained for; lengths agree with the config.
        trained: which of `STAGES` were trained. A checkpoint always holds a whole model; an
            untrained relation stage is a start for training.
        recipe: how it was trained (free form).
        scores: what it reached (free form).
        thresholds: those of `Options` that were chosen for these weights, by name, 0..1; EoMT's
            where there is none.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    trained: tuple[str, ...] = STAGES
    recipe: dict = field(default_factory=dict)
    scores: dict = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vocabulary, config = self.vocabulary, self.config
        if not set(self.thresholds) <= set(SEGMENT_THRESHOLDS):
            raise WeightsError(
                f"thresholds can be {' and '.join(SEGMENT_THRESHOLDS)}, "
                f"got {sorted(self.thresholds)}"
            )
        for name, value in self.thresholds.items():
            if not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise WeightsError(f"{name} must be a number between 0 and 1, got {value!r}")
        if not set(self.trained) <= set(STAGES):
            raise WeightsError(
                f"trained stages can be {' and '.join(STAGES)}, got {self.trained!r}"
            )
        for kind, names in (
            ("things", vocabulary.things),
            ("stuff", vocabulary.stuff),
            ("predicates", vocabulary.predicates),
        ):
            expected = getattr(config, f"num_{kind}")
            if len(names) != expected:
                raise WeightsError(
                    f"the weights' vocabulary names {len(names)} {kind}, but the model was built "
                    f"for {expected}; labels would be mixed up, so these weights are not used"
                )

    @property
    def all_thresholds(self) -> dict[str, float]:
        """`mask_threshold` and `overlap_threshold` that suit these weights."""
        return dict.fromkeys(SEGMENT_THRESHOLDS, EOMT_THRESHOLD) | self.thresholds

    @property
    def prunes(self) -> bool:
        """Whether the relation stage learned from pruned patches alone (supplement section 15)."""
        relations = self.recipe.get("relations")
        return isinstance(relations, dict) and relations.get("pruning") is True


def save_checkpoint(path: str | Path, model: DSFlash, header: Header) -> None:
    """Write a checkpoint whole or not at all.

    Raises `OutputError` when the disk is full or not writable.
    """
    metadata = {
        "format": FORMAT,
        "config": json.dumps(header.config.to_dict()),
        "vocabulary": header.vocabulary.to_json(),
        "trained": json.dumps(header.trained),
        "recipe": json.dumps(header.recipe),
        "scores": json.dumps(header.scores),
        "thresholds": json.dumps(header.thresholds),
    }
    save_tensors(path, model.state_dict(), metadata)


def digest_of(module: nn.Module) -> str:
    """SHA-256 of a module's tensors and their names, in hexadecimal."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """An open checkpoint: what it says of itself, read once, and its tensors when they are wanted.

    Attributes:
        path: the file.
        header: its metadata.
        stored: the open file.
    """

    path: Path
    header: Header
    stored: "safe_open"

    def load(self) -> DSFlash:
        """A new model with these tensors, in float32, on the CPU, in eval mode.

        Raises `WeightsError` unless every tensor is there and fits.
        """
        model = DSFlash(self.header.config)
        names = set(self.stored.keys())
        self._check(names, model.state_dict())
        model.load_state_dict({name: self.stored.get_tensor(name).float() for name in names})
        return model.eval()

    def _check(self, names: set[str], expected: dict[str, torch.Tensor]) -> None:
        wrong = [f"missing: {name}" for name in expected if name not in names]
        wrong += [f"left over: {name}" for name in sorted(names - set(expected))]
        for name in names & set(expected):
            shape = tuple(self.stored.get_slice(name).get_shape())
            if shape != tuple(expected[name].shape):
                wrong.append(f"{name} is {shape}, should be {tuple(expected[name].shape)}")
        if wrong:
            more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise WeightsError(
                f"{self.path}: the tensors do not fit a {self.header.config.kind}: "
                f"{'; '.join(wrong[:5])}{more}"
            )


def open_checkpoint(path: str | Path) -> Checkpoint:
    """Open a checkpoint and read its header.

    Raises:
        ForeignWeightsError: it is a safetensors file without our metadata.
        WeightsError: it is missing, no safetensors file, or its metadata is damaged.
    """
    stored = _open(path)
    metadata = stored.metadata() or {}
    if metadata.get("format") != FORMAT:
        raise ForeignWeightsError(
            f"{path} is not a dsflash_ros checkpoint (its metadata lacks format={FORMAT!r}); "
            "a bare state dict does not say its size and vocabulary"
        )
    try:
        return Checkpoint(Path(path), _header(metadata), stored)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise WeightsError(
            f"{path}: the metadata is damaged ({type(error).__name__}: {error}); get the file again"
        ) from error


def read_header(path: str | Path) -> Header:
    """A checkpoint's metadata; see `open_checkpoint`, also for what it raises."""
    return open_checkpoint(path).header


def load_checkpoint(path: str | Path) -> tuple[DSFlash, Header]:
    """The model, as from `Checkpoint.load`, and its header."""
    checkpoint = open_checkpoint(path)
    return checkpoint.load(), checkpoint.header


def _header(metadata: dict[str, str]) -> Header:
    trained, recipe, scores = (json.loads(metadata[key]) for key in ("trained", "recipe", "scores"))
    return Header(
        ModelConfig.from_dict(json.loads(metadata["config"])),
        Vocabulary.from_json(metadata["vocabulary"]),
        tuple(trained),
        recipe,
        scores,
        json.loads(metadata.get("thresholds", "{}")),  # older checkpoints have none
    )


def _open(path: str | Path):
    try:
        path = Path(path).expanduser()
        if not path.is_file():
            raise WeightsError(
                f"no weights at {str(path)!r}; give a .safetensors file of dsflash_ros"
            )
        path.open("rb").close()
        return safe_open(path, framework="pt")
    except (PermissionError, RuntimeError) as error:
        raise WeightsError(f"cannot read the weights {str(path)!r}: {error}") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}); "
            "it may be half downloaded, get it again"
        ) from error
