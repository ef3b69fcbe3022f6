"""Logits of asked names, from those of a model whose own names are fixed."""

from typing import TYPE_CHECKING

import numpy as np

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


def known_probabilities(probabilities: "Array", known: np.ndarray, count: int) -> "Array":
    """Class probabilities, (S, inner), to those of `count` known classes.

    `known`, (inner,) int64, is the nearest known class of each inner one.
    """
    return probabilities @ _like(np.eye(count, dtype=np.float32)[known], probabilities)


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
