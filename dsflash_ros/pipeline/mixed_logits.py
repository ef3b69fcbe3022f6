"""Logits of asked names, from those of a model whose own names are fixed."""

from typing import TYPE_CHECKING

import numpy as np

from dsflash_ros.model.relaters.pair_inputs import PairInputs

if TYPE_CHECKING:
    from dsflash_ros.model.array_types import Array


def mix_classes(logits: "Array", mixing: np.ndarray) -> "Array":
    """Class logits, (..., known + 1), to (..., inner + 1); the last is "no object"."""
    return _joined(logits[..., :-1] @ _like(mixing, logits), logits[..., -1:])


def mix_predicates(logits: "Array", mixing: np.ndarray | None, offsets: np.ndarray) -> "Array":
    """Logits of pairs, (..., 1 + known), to (..., 1 + inner); the first is "no relation".

    `mixing` None: the names are the inner ones already.
    """
    names = logits[..., 1:]
    if mixing is not None:
        names = names @ _like(mixing, logits)
    return _joined(logits[..., :1], names + _like(offsets, logits))


def in_known_classes(inputs: PairInputs, known: np.ndarray, count: int) -> PairInputs:
    """Inputs whose classes are inner ones, with those of the `count` known classes.

    `known`, (inner,) int64, is the nearest known class of each inner one.
    """
    to_known = _like(np.eye(count, dtype=np.float32)[known], inputs.class_probabilities)
    numbers = _like(np.append(known, -1), inputs.class_ids)  # -1 takes the last
    return inputs._replace(
        class_ids=numbers[inputs.class_ids],
        class_probabilities=inputs.class_probabilities @ to_known,
    )


def _joined(*parts: "Array") -> "Array":
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts, axis=-1)
    import torch

    return torch.cat(parts, dim=-1)


def _like(array: np.ndarray, other: "Array") -> "Array":
    """The array as one of the other's kind, where that lies."""
    if isinstance(other, np.ndarray):
        return array
    import torch

    return torch.from_numpy(array).to(other)
