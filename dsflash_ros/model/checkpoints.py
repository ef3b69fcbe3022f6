"""Checkpoints: one safetensors file that holds a model and says what it is."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from dsflash_ros.errors import ForeignWeightsError, WeightsError
from dsflash_ros.files import save_tensors
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.header import Header

FORMAT = "dsflash-1"


def save_checkpoint(path: str | Path, model: DSFlash, header: Header) -> None:
    """Write a checkpoint whole or not at all.

    Raises `OutputError` when the disk is full or not writable.
    """
    save_tensors(path, model.state_dict(), {"format": FORMAT, **header.to_metadata()})


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

        Raises `WeightsError` unless every tensor is there, fits and is finite.
        """
        model = DSFlash(self.header.config)
        names, fresh = set(self.stored.keys()), model.state_dict()
        self._check(names, fresh)
        tensors = {name: self.stored.get_tensor(name).float() for name in fresh}
        for name, tensor in tensors.items():
            # What is not finite in a new model, such as a mask of -inf, is no damage.
            if not _is_finite(tensor) and _is_finite(fresh[name].float()):
                what = "a value that is not a number" if tensor.isnan().any() else "infinity"
                raise WeightsError(
                    f"{self.path}: the tensor {name} has {what}; train these weights anew, or get "
                    "the file again"
                )
        model.load_state_dict(tensors)
        return model.eval()

    def phrases(self) -> np.ndarray:
        """(n, D) float32, the embeddings of the phrases that the header's language names."""
        if not self.header.config.num_phrases:
            return np.zeros((0, self.header.config.phrase_dim), np.float32)
        return self.stored.get_tensor("phrases").float().numpy()

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
    return Checkpoint(Path(path), Header.from_metadata(metadata, path), stored)


def read_header(path: str | Path) -> Header:
    """A checkpoint's metadata; see `open_checkpoint`, also for what it raises."""
    return open_checkpoint(path).header


def load_checkpoint(path: str | Path) -> tuple[DSFlash, Header]:
    """The model, as from `Checkpoint.load`, and its header."""
    checkpoint = open_checkpoint(path)
    return checkpoint.load(), checkpoint.header


def _is_finite(tensor: torch.Tensor) -> bool:
    """Whether there is neither infinity nor what is not a number among the values."""
    values = tensor.detach().numpy()
    # Their sum tells it ten times faster, unless finite numbers have an infinite one. NumPy starts
    # no threads, which would have to wait for one another on a busy machine.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()) or np.isfinite(values).all())


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
