"""How an action of the robot ended."""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Outcome:
    """How an action ended.

    Attributes:
        success: whether it did what was asked for.
        message: why not; empty on success.
        point: (3,) where a placed thing came to rest, m; None for other actions.
    """

    success: bool
    message: str = ""
    point: np.ndarray | None = None


Motion = Generator[float | str, None, Outcome]
"""An action that goes on: each `next` is `robot_room.TICK_S` of it. Yields what feedback tells."""
