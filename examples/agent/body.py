"""What the agent acts with: three actions, and graphs of what it sees."""

from dataclasses import dataclass
from typing import Protocol

from world import Point

from dsflash_ros.errors import DSFlashError


class BodyError(DSFlashError):
    """The robot or the graphs are gone, or an action timed out."""


@dataclass(frozen=True)
class Done:
    """How an action ended: `success`, why not, and where a placed thing came to rest."""

    success: bool
    message: str = ""
    point: Point | None = None


class Body(Protocol):
    """What the agent acts with. Graphs that come meanwhile go into the agent's world.

    Every method raises `BodyError` when the robot does not answer in time.
    """

    def go_to(self, point: Point) -> Done: ...
    def pick(self, label: str, point: Point) -> Done: ...
    def place(self, point: Point) -> Done: ...
    def watch(self) -> None:
        """Wait for some graphs of now."""

    def where(self) -> tuple[float, float]:
        """Where the robot is, metres in the map."""
