"""The names of classes in another code base's config.json, and what follows from them."""

import re
from collections.abc import Mapping, Sequence

import torch

from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary


def class_names(config: Mapping) -> list[str]:
    """The names of the classes in a config.json, in their order; none where it has none.

    transformers calls classes `LABEL_0`, `LABEL_1`, ... when nobody named them. Raises
    `WeightsError` when they are not numbered.
    """
    labels = config.get("id2label")
    if not isinstance(labels, dict):
        return []
    names = [labels.get(str(number)) for number in range(len(labels))]
    if not all(isinstance(name, str) for name in names):
        raise WeightsError("id2label in its config.json does not name classes 0, 1, 2, ...")
    if all(re.fullmatch(r"LABEL_\d+", name) for name in names):
        return []
    return names


def why_not_coco(names: Sequence[str], classes: int) -> str:
    """Why so many classes with these names are not COCO's; empty where they may well be.

    `names`: those of `class_names`.
    """
    known = Vocabulary.psg().classes
    if classes != len(known):
        return f"it tells {classes} classes apart, not the {len(known)} of COCO panoptic"
    if names and len(names) != classes:
        return f"its config.json names {len(names)} classes, but its tensors are for {classes}"
    unknown = sorted(set(names) - set(known))
    if unknown:
        return f"its config.json names other classes than COCO panoptic, such as {unknown[0]!r}"
    if len(set(names)) < len(names):
        return "its config.json gives the same name to several classes"
    return ""


def choose_vocabulary(
    vocabulary: Vocabulary | None, names: Sequence[str], classes: int
) -> Vocabulary:
    """The vocabulary that a user named, or else PSG's, whose classes are COCO's.

    Args:
        vocabulary: what the user named.
        names: those of `class_names`.
        classes: how many there are.

    Raises:
        WeightsError: it does not have so many classes, or the user named none and the config.json
            has other names.
    """
    if vocabulary is not None:
        if len(vocabulary.classes) != classes:
            raise WeightsError(
                f"it tells {classes} classes apart, but the vocabulary names "
                f"{len(vocabulary.classes)}"
            )
        return vocabulary
    if reason := why_not_coco(names, classes):
        raise WeightsError(
            f'{reason}; say what they are with --vocabulary FILE.json: {{"things": [...], '
            '"stuff": [...], "predicates": [...]}, in the order of its classes, things first'
        )
    return Vocabulary.psg()


def reorder_classes(
    state: dict[str, torch.Tensor], head: str, names: Sequence[str], vocabulary: Vocabulary
) -> list[str]:
    """Put the class head's rows in the vocabulary's order. Returns what a person should know.

    Args:
        state: of our segmenter; it is changed.
        head: what the class head is called there. Its last row is "no object".
        names: those of `class_names`.
        vocabulary: the chosen one.
    """
    if not names or list(vocabulary.classes) == names:
        return []
    if sorted(names) != sorted(vocabulary.classes):
        return ["classes: named by the vocabulary, not by its config.json"]
    rows = [*(names.index(name) for name in vocabulary.classes), len(names)]
    for kind in ("weight", "bias"):
        state[f"{head}.{kind}"] = state[f"{head}.{kind}"][rows]
    return ["classes: put in the vocabulary's order, by their names"]
