"""Texts on a picture, placed so that none covers another."""

from typing import NamedTuple

import cv2
import numpy as np

_FONT = cv2.FONT_HERSHEY_SIMPLEX
Colour = tuple[int, int, int]


class Box(NamedTuple):
    """A rectangle in pixels; x1 and y1 are exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle (x, y)."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def contains(self, point) -> bool:
        """Whether the (x, y) lies in it."""
        return self.x0 <= point[0] < self.x1 and self.y0 <= point[1] < self.y1


class _Text(NamedTuple):
    text: str
    box: Box
    ink: Colour
    ground: Colour
    scale: float
    thickness: int


class Lettering:
    """Finds a free place for each text on a picture, and draws all texts last, over all else.

    Their size follows the picture's, from 16x16 to 4K.
    """

    def __init__(self, picture: np.ndarray):
        """`picture`: (H, W, 3) uint8, drawn on in place by `draw`."""
        self._picture = picture
        self._height, self._width = picture.shape[:2]
        side = min(self._height, self._width)
        self._scale = max(0.35, 0.42 * (side / 480) ** 0.8)
        self._thickness = max(1, round(1.3 * self._scale))
        self._margin = max(2, round(6 * self._scale))
        self._texts: list[_Text] = []
        self._area_left = 0.4 * self._height * self._width  # else texts hide a small picture

    def banner(self, text: str, ink: Colour, ground: Colour) -> None:
        """Place a strip across the top.

        The text shrinks to fit the picture, and is left out where it could not be read.
        """
        (width, _), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
        scale = min(1.4 * self._scale, 0.94 * self._width / width, self._height / 5 / 40)
        box = Box(0, 0, self._width, max(3, round(40 * scale)))
        text = text if scale > 0.15 else ""
        self._texts.append(_Text(text, box, ink, ground, scale, max(1, round(2 * scale))))

    def place(
        self, text: str, near: tuple[float, float], ink: Colour, ground: Colour
    ) -> Box | None:
        """Place a text, on a ground of its own, as near to the point `near`, (x, y), as is free.

        Returns the text's box, or None when there is no room: then the text is left out.
        """
        (width, height), baseline = cv2.getTextSize(text, _FONT, self._scale, self._thickness)
        size = np.array([width + 2 * self._margin, height + baseline + self._margin])
        room = np.array([self._width, self._height]) - size
        if (room < 0).any() or size.prod() > self._area_left:
            return None
        corners = np.clip(np.array(near) - size / 2 + _OFFSETS * size, 0, room)
        corners = corners[np.argsort(np.abs(corners + size / 2 - near).sum(axis=1), kind="stable")]
        free = np.ones(len(corners), bool)
        if self._texts:
            taken = np.array([other.box for other in self._texts])[:, None]
            apart = (corners + size <= taken[..., :2]) | (corners >= taken[..., 2:])
            free = apart.any(axis=2).all(axis=0)
        if not free.any():
            return None
        corner = corners[free.argmax()].round()
        box = Box(*corner.tolist(), *(corner + size).tolist())
        self._area_left -= size.prod()
        self._texts.append(_Text(text, box, ink, ground, self._scale, self._thickness))
        return box

    def draw(self) -> None:
        """Draw what was placed."""
        for text, box, ink, ground, scale, thickness in self._texts:
            x0, y0, x1, y1 = map(int, box)
            cv2.rectangle(self._picture, (x0, y0), (x1 - 1, y1 - 1), ground, cv2.FILLED)
            (width, height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
            # `baseline` is the depth of letters such as g below the line; a little of it is air.
            origin = round((x0 + x1 - width) / 2), round((y0 + y1 + height - 0.6 * baseline) / 2)
            cv2.putText(self._picture, text, origin, _FONT, scale, ink, thickness, cv2.LINE_AA)


# Places to try, in multiples of a text's size.
_OFFSETS = np.stack(
    np.meshgrid(np.arange(-2, 2.1, 0.5), np.arange(-9, 9.1, 0.75)), axis=-1
).reshape(-1, 2)
