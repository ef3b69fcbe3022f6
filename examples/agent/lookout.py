"""Looking around: here, and from places that are far from where the agent looked before."""

import math

import numpy as np
from body import Body
from world import Point, World

_GAZE_M = 1.05
"""Height of the points that it looks at from afar, metres: a little below the eyes."""

_GAZES = ((_GAZE_M, 8), (0.3, 6))
"""Heights of the points that a look around goes to, metres, and in how many directions."""

_HIGHEST_M = 1.5
"""What is higher is looked at in this height: a robot goes nowhere to reach a lamp, metres."""

_APART_VIEWS_M = 1.0
"""The agent does not look around again so near to where it did, metres."""

_MOST_BARRED = 30
"""After so many places that cannot be reached it stops to look for one that can."""


class Lookout:
    """Takes the agent to where it sees what it did not see yet."""

    def __init__(self, body: Body, world: World, searches: int) -> None:
        """`searches`: how often it looks for what is missing."""
        self._body, self._world, self._searches = body, world, searches
        self._stood: list[tuple[float, float]] = []

    def explore(self, places: int = 3) -> None:
        """Look around here, and then from places that are far from where it looked before."""
        for number in range(places):
            if number and not self._go_elsewhere():
                return
            self._look_around()

    def search(self) -> bool:
        """Look from another place; False when there is none left, or after `searches` of them."""
        if self._searches == 0 or not self._go_elsewhere():
            return False
        self._searches -= 1
        self._look_around()
        return True

    def _look_around(self) -> None:
        x, y = self._body.where()
        self._stood.append((x, y))
        for height, views in _GAZES:
            for number in range(views):
                angle = 2 * math.pi * number / views
                point = (x + 0.4 * math.cos(angle), y + 0.4 * math.sin(angle), height)
                self._body.go_to(point)
                self._body.watch()

    def _go_elsewhere(self) -> bool:
        """Go to the place that is furthest from where the agent looked around before."""
        stood = self._stood or [self._body.where()]
        far = [(min(math.dist(old, place[:2]) for old in stood), place) for place in self._places()]
        barred: list[Point] = []
        for distance, place in sorted(far, reverse=True):
            if distance < _APART_VIEWS_M or len(barred) == _MOST_BARRED:
                break
            if any(math.dist(place[:2], other[:2]) < _APART_VIEWS_M / 2 for other in barred):
                continue
            if self._body.go_to(place).success:
                return True
            barred.append(place)
        return False

    def _places(self) -> list[Point]:
        """Where things are, and places all over the room that they are in."""
        found = [thing.position for thing in self._world.things.values()]
        things = [(x, y, min(z, _HIGHEST_M)) for x, y, z in found]
        if not things:
            return []
        (left, near, _), (right, far, _) = np.min(things, 0), np.max(things, 0)
        columns = np.arange(left, right, _APART_VIEWS_M)
        rows = np.arange(near, far, _APART_VIEWS_M)
        return [*things, *((float(x), float(y), _GAZE_M) for x in columns for y in rows)]
