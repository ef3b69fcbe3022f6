"""Checkpoint files of other code bases: safetensors and pickles, sharded or not.

Code in a pickle is never run.
"""

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dsflash_ros.conversion.array_pickles import read_array_pickle
from dsflash_ros.conversion.checkpoint_files import main_file, read_json, sha256_of, tensor_files
from dsflash_ros.errors import WeightsError
from dsflash_ros.files import expand

_DAMAGED_PICKLE = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)
"""What torch.load raises for files that are none of its own, or cut off."""

_OTHER_PICKLES = ("Unsupported operand 149", "Invalid magic number")
"""What it says of pickles of protocol 4 and later, and of those that torch.save did not write."""


@dataclass(frozen=True)
class ForeignCheckpoint:
    """A state dict and where it is from.

    Attributes:
        path: the file, or the index of a sharded checkpoint.
        tensors: by name, as they are stored.
        config: content of the `config.json` beside the file; empty where there is none.
        sha256: of each file that was read, by name.
    """

    path: Path
    tensors: dict[str, torch.Tensor]
    config: dict
    sha256: dict[str, str]

    @property
    def image_size(self) -> int | None:
        """Side of the network input in pixels, where `config.json` says it."""
        size = self.config.get("image_size")
        return size if isinstance(size, int) else None


def read_foreign(path: str | Path) -> ForeignCheckpoint:
    """Read a file, the index of a sharded checkpoint, or a folder with either.

    Raises `WeightsError`.
    """
    path = main_file(expand(path))
    files = tensor_files(path)
    tensors = {}
    for file in files:
        tensors |= _READERS.get(file.suffix, _read_pickle)(file)
    # what torch.compile and Lightning leave in names
    tensors = {name.replace("._orig_mod", ""): tensor for name, tensor in tensors.items()}
    config = path.with_name("config.json")
    return ForeignCheckpoint(
        path,
        tensors,
        read_json(config) if config.is_file() else {},
        {file.name: sha256_of(file) for file in files},
    )


def _read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise _incomplete(path) from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}); "
            "it may be half downloaded, get it again"
        ) from error


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    try:
        with warnings.catch_warnings():  # of the pickle's kind, of which an error follows
            warnings.simplefilter("ignore")
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _incomplete(path) from error
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower():
            raise WeightsError(
                f"{path} holds Python objects besides tensors, and reading those could run any "
                "code; it is not read: save its state dict alone, with "
                "torch.save(model.state_dict(), ...)"
            ) from error
        raise _unreadable(path, error) from error
    except _DAMAGED_PICKLE as error:
        raise _unreadable(path, error) from error
    for key in ("state_dict", "model"):  # Lightning, DSFormer
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict) or not all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor)
        for name, tensor in loaded.items()
    ):
        raise WeightsError(
            f"{path} holds no state dict (names and tensors, alone or under 'state_dict' or "
            "'model')"
        )
    return loaded


_READERS = {".safetensors": _read_safetensors, ".pkl": read_array_pickle}
"""By suffix; all others are PyTorch's."""


def _incomplete(path: Path) -> WeightsError:
    return WeightsError(f"the checkpoint is incomplete: {str(path)!r} is missing; get it again")


def _unreadable(path: Path, error: Exception) -> WeightsError:
    said = str(error).split("WeightsUnpickler error:")[-1].strip()  # advice precedes it
    if said.startswith(_OTHER_PICKLES):
        return WeightsError(
            f"{path} is a pickle of a kind that is not read; save the state dict with "
            "torch.save(model.state_dict(), ...), without a pickle_protocol"
        )
    reason = said.splitlines()[0][:150] if said else type(error).__name__
    return WeightsError(
        f"{path} is not a readable PyTorch file ({reason}); it may be half downloaded, get it again"
    )
