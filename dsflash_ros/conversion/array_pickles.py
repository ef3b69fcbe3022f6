"""Pickles of plain arrays, as detectron2 publishes its models, read without running code."""

import pickle
from pathlib import Path

import numpy as np
import torch

from dsflash_ros.errors import WeightsError

_ARRAYS = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),  # bytes in pickles of Python 3 that Python 2 can read
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
}
"""All that arrays, their names and numbers need."""


class _ArrayUnpickler(pickle.Unpickler):
    """Knows arrays alone."""

    def find_class(self, module: str, name: str):
        if (module, name) not in _ARRAYS:
            raise _Unwanted(f"{module}.{name}")
        return super().find_class(module, name)

    def persistent_load(self, key):
        raise _Unwanted("objects outside the file")


class _Unwanted(Exception):
    """The pickle wants something that is no array."""


def read_array_pickle(path: Path) -> dict[str, torch.Tensor]:
    """The state dict in a pickle: names and arrays, alone or under `model`.

    Raises `WeightsError` when it is damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            loaded = _ArrayUnpickler(file, encoding="latin1").load()
    except FileNotFoundError as error:
        raise WeightsError(
            f"the checkpoint is incomplete: {str(path)!r} is missing; get it again"
        ) from error
    except _Unwanted as error:
        raise WeightsError(
            f"{path} wants {error}, and reading that could run any code; it is not read: "
            "only pickles of NumPy's arrays are"
        ) from error
    except Exception as error:  # damaged bytes make an unpickler raise anything
        reason = (str(error).splitlines() or [""])[0][:150] or type(error).__name__
        raise WeightsError(
            f"{path} is not a readable pickle ({reason}); it may be half downloaded, get it again"
        ) from error
    if isinstance(loaded, dict) and isinstance(loaded.get("model"), dict):
        loaded = loaded["model"]
    if not isinstance(loaded, dict) or not all(map(_is_entry, loaded.items())):
        raise WeightsError(f"{path} holds no state dict (names and arrays, alone or under 'model')")
    return {name: torch.from_numpy(np.array(array)) for name, array in loaded.items()}


def _is_entry(entry: tuple) -> bool:
    name, array = entry
    is_array = isinstance(array, (np.ndarray, np.generic))
    return isinstance(name, str) and is_array and array.dtype.kind in "fiub"
