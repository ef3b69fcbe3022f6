"""Opening weights: their name is resolved once, their file opened once, its header read once.

Imports no torch: exported models need none.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.conversion.checkpoint_files import main_file
from dsflash_ros.errors import WeightsError, missing_torch
from dsflash_ros.files import expand
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.header import Header
from dsflash_ros.model.random_header import RANDOM, random_header
from dsflash_ros.weights.exported import ExportedModel, is_exported, open_exported
from dsflash_ros.weights.names import locate
from dsflash_ros.weights.shipped import SHIPPED

if TYPE_CHECKING:
    from dsflash_ros.model.assembly import DSFlash
    from dsflash_ros.model.checkpoints import Checkpoint


@dataclass(frozen=True)
class OpenedWeights:
    """Weights whose header is read and whose tensors wait to be loaded.

    Attributes:
        name: what was asked for.
        header: what they say of themselves.
        checkpoint: their open file; None for random ones, which have no file, and exported ones.
        exported: the exported model that they are, if they are one.
    """

    name: str
    header: Header
    checkpoint: "Checkpoint | None" = None
    exported: ExportedModel | None = None

    @property
    def path(self) -> Path | None:
        """Their file; of those of another code base, their conversion in the cache.

        Of an exported model the segmenter's.
        """
        if self.exported:
            return self.exported.files["segmenter"]
        return self.checkpoint.path if self.checkpoint else None

    def phrases(self) -> np.ndarray:
        """(n, D) float32, the embeddings that are stored with the weights, see `Language`."""
        stored = self.exported or self.checkpoint
        return stored.phrases() if stored else np.zeros((0, 0), np.float32)

    @property
    def title(self) -> str:
        """Their name for reports: a path without its folder, any other name as it is."""
        is_path = self.name not in SHIPPED and expand(self.name).exists()
        return Path(self.name).name if is_path else self.name

    def load(self) -> "DSFlash":
        """A new model: in eval mode, float32, on the CPU.

        Raises `WeightsError` unless every tensor is there and fits.
        """
        if self.exported:
            raise not_a_checkpoint(self)
        if self.checkpoint:
            return self.checkpoint.load()
        try:
            from dsflash_ros.model.random_weights import random_model
        except ImportError as error:
            raise missing_torch(error, self.name) from error
        return random_model(self.header)


def open_weights(
    weights: "str | Path | OpenedWeights", vocabulary: Vocabulary | None = None
) -> OpenedWeights:
    """Find weights, and read what they are without loading them.

    Args:
        weights: `toyroom` (of the package), `random` or `random-SIZE` (untrained), a file or folder
            or hub id (`org/name`, `org/name@revision`; downloaded once) of a checkpoint of
            dsflash_ros or of an EoMT or Mask2Former of another code base (converted once), the
            folder of an exported model; or weights that are open already.
        vocabulary: refuse weights of any other.

    Raises:
        WeightsError: they cannot be had, are damaged, need arguments to be converted, or are of
            another vocabulary; or this is neither a name nor a path.
        OutputError: the cache cannot be written.
        MissingExtraError: they are a checkpoint, and PyTorch is not installed.
    """
    if not isinstance(weights, (str, PathLike, OpenedWeights)):
        raise WeightsError(
            "weights must be a name or a path, as 'toyroom' or 'model.safetensors', not "
            f"{weights!r}"
        )
    opened = weights if isinstance(weights, OpenedWeights) else _open(str(weights))
    if vocabulary is not None and opened.header.vocabulary != vocabulary:
        difference = opened.header.vocabulary.difference(vocabulary)
        raise WeightsError(
            f"the weights {opened.name!r} were made for another vocabulary, {difference}; "
            "use weights trained for yours, or allow any vocabulary"
        )
    return opened


def check_weights(weights: str | Path, vocabulary: Vocabulary | None = None) -> Header:
    """The header of weights that `open_weights` does not refuse."""
    return open_weights(weights, vocabulary).header


def require_file(opened: OpenedWeights) -> Path:
    """The file of a checkpoint. Raises `WeightsError` for random weights and exported models."""
    if opened.exported:
        raise not_a_checkpoint(opened)
    if opened.path is None:
        raise WeightsError(f"{opened.name} means untrained weights, which have no file")
    return opened.path


def not_a_checkpoint(opened: OpenedWeights) -> WeightsError:
    """The error for an exported model where a checkpoint is needed."""
    return WeightsError(
        f"the weights {opened.name!r} are an exported model, which only runs: give the checkpoint "
        f"that it was made from ({opened.exported.source})"
    )


def _open(name: str) -> OpenedWeights:
    if name in RANDOM:
        return OpenedWeights(name, random_header(name))
    path = locate(name)
    if not name or not path.exists():
        raise WeightsError(
            f"no weights at {str(path)!r}; give a .safetensors file of dsflash_ros, or toyroom, "
            "random, random-small etc., the file, folder or hub id of an EoMT or Mask2Former, or "
            "the folder of an exported model"
        )
    if is_exported(path):
        exported = open_exported(path)
        return OpenedWeights(name, exported.header, exported=exported)
    checkpoint = _open_checkpoint(main_file(path), name)
    return OpenedWeights(name, checkpoint.header, checkpoint)


def _open_checkpoint(path: Path, name: str) -> "Checkpoint":
    """Of ours, or of another code base, whose conversion takes a second more to import."""
    try:
        from dsflash_ros.weights.ours import open_ours
    except ImportError as error:
        raise missing_torch(error, name) from error
    if own := open_ours(path):
        return own
    from dsflash_ros.weights.converted import open_converted

    return open_converted(path, name)
