"""Options that not every segmenter or relation stage understands."""

from collections.abc import Collection

from dsflash_ros.errors import OptionError
from dsflash_ros.pipeline.options import Options

OF_SEGMENTERS = ("tome_ratio",)
"""Without effect they would promise what the weights cannot do, so they are refused."""

OF_RELATERS = ("pruning",)
"""Without effect they cost nothing but time, so the log says so."""


def refuse(options: Options, understood: Collection[str], kind: str, weights: str) -> None:
    """Raise `OptionError` for an option of a segmenter that this one does not understand.

    `understood` are the options of the segmenter of these weights, `kind` says what it is.
    """
    for name in _without_effect(options, OF_SEGMENTERS, understood):
        raise OptionError(
            f"{name} cannot be {getattr(options, name)}: the segmenter of the weights {weights!r} "
            f"is {kind}, which does not have it; leave it at {getattr(Options(), name)}"
        )


def without_effect(options: Options, understood: Collection[str]) -> list[str]:
    """The options of a relation stage that are set, but that this one does not understand."""
    return _without_effect(options, OF_RELATERS, understood)


def _without_effect(
    options: Options, names: tuple[str, ...], understood: Collection[str]
) -> list[str]:
    usual = Options()
    return [
        name
        for name in names
        if name not in understood and getattr(options, name) != getattr(usual, name)
    ]
