"""The largest sizes that a model can have. Imports no torch."""

from collections.abc import Mapping

from dsflash_ros.errors import WeightsError

MOST = 8192
"""Of pixels along a side, queries, channels, attention heads."""

_OTHERS = {
    **dict.fromkeys(("num_things", "num_stuff", "num_predicates", "num_phrases"), 100_000),
    **dict.fromkeys(("neck_depth", "decoder_layers", "p1", "p2", "p3", "depth"), 100),
}


def refuse_huge(sizes: Mapping[str, object]) -> None:
    """Raise `WeightsError` when one of the whole numbers is beyond all models.

    A damaged file may ask for terabytes, which must be known before the model is built.
    """
    for name, value in sizes.items():
        most = _OTHERS.get(name, MOST)
        if isinstance(value, int) and value > most:
            raise WeightsError(f"{name} must be {most} or less, got {value}")
