"""Texts on a picture, placed so that none covers another, and small things stay visible."""

from typing import NamedTuple

import cv2
import numpy as np

from dsflash_ros.drawing.colours import Colour

_FONT = cv2.FONT_HERSHEY_SIMPLEX

_WORTH = 6.0
"""A text goes so many times its height away rather than hide a whole object."""

_WIDEST = 0.45
"""Share of the picture's width; longer texts are shortened in their middle."""

_TAIL = 10
"""Characters at the end that shortening keeps: the number in a name, and the score."""

_LONGEST = 200
"""Characters; texts beyond are not measured but cut."""


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

    def nearest(self, point) -> tuple[float, float]:
        """Its (x, y) that is nearest to that point."""
        return min(max(point[0], self.x0), self.x1), min(max(point[1], self.y0), self.y1)


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

    def __init__(self, picture: np.ndarray, worth: np.ndarray | None = None):
        """Begin with no text.

        Args:
            picture: (H, W, 3) uint8, drawn on in place by `draw`.
            worth: (h, w) float32, of the picture at a smaller size: which share of an object each
                pixel is. Texts would rather hide pixels that are small shares.
        """
        self._picture = picture
        self._height, self._width = picture.shape[:2]
        side = min(self._height, self._width)
        self._scale = max(0.35, 0.42 * (side / 480) ** 0.8)
        self._thickness = max(1, round(1.3 * self._scale))
        self._margin = max(2, round(6 * self._scale))
        self._texts: list[_Text] = []
        self._kept_free: list[Box] = []
        self._area_left = 0.4 * self._height * self._width  # else texts hide a small picture
        self._worth = None if worth is None else cv2.integral(worth)

    @property
    def boxes(self) -> np.ndarray:
        """(N, 4) x0, y0, x1, y1 of all texts that have a place, and of what is kept free."""
        return np.array([text.box for text in self._texts] + self._kept_free).reshape(-1, 4)

    def keep_free(self, box: Box) -> None:
        """Let no further text hide this."""
        self._kept_free.append(box)

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
        return self._place(text, np.array(near), _OFFSETS, ink, ground)

    def place_along(self, text: str, way: np.ndarray, ink: Colour, ground: Colour) -> Box | None:
        """Place a text on a line, (N, 2) x and y, as near to its middle as is free, or beside it.

        Returns the text's box, or None when there is no room.
        """
        middle = way[len(way) // 2]
        box = self._place(text, middle, None, ink, ground, way)
        return box or self._place(text, middle, _NEAR, ink, ground)

    def draw(self) -> None:
        """Draw what was placed."""
        for text, box, ink, ground, scale, thickness in self._texts:
            x0, y0, x1, y1 = map(int, box)
            cv2.rectangle(self._picture, (x0, y0), (x1 - 1, y1 - 1), ground, cv2.FILLED)
            (width, height), baseline = cv2.getTextSize(text, _FONT, scale, thickness)
            # `baseline` is the depth of letters such as g below the line; a little of it is air.
            origin = round((x0 + x1 - width) / 2), round((y0 + y1 + height - 0.6 * baseline) / 2)
            cv2.putText(self._picture, text, origin, _FONT, scale, ink, thickness, cv2.LINE_AA)

    def _place(
        self,
        text: str,
        near: np.ndarray,
        offsets: np.ndarray | None,
        ink: Colour,
        ground: Colour,
        centres: np.ndarray | None = None,
    ) -> Box | None:
        """Place the text at the best of the centres, or of those at the offsets from `near`."""
        text = self._shortened(text)
        size = self._size(text)
        room = np.array([self._width, self._height]) - size
        if (room < 0).any() or size.prod() > self._area_left:
            return None
        centres = near + offsets * size if centres is None else centres
        corners = np.clip(centres - size / 2, 0, room).round()
        corners = corners[self._is_free(corners, size)]
        if not len(corners):
            return None
        away = np.abs(corners + size / 2 - near).sum(axis=1) / (_WORTH * size[1])
        corner = corners[(away + self._hidden(corners, size)).argmin()]
        box = Box(*corner.tolist(), *(corner + size).tolist())
        self._area_left -= size.prod()
        self._texts.append(_Text(text, box, ink, ground, self._scale, self._thickness))
        return box

    def _size(self, text: str) -> np.ndarray:
        (width, height), baseline = cv2.getTextSize(text, _FONT, self._scale, self._thickness)
        return np.array([width + 2 * self._margin, height + baseline + self._margin])

    def _shortened(self, text: str) -> str:
        """The text in one line that is no wider than a share of the picture."""
        text = "".join(letter if letter.isprintable() else " " for letter in text)
        head, tail = text[:_LONGEST], text[-_TAIL:]
        if len(text) > _LONGEST:
            text = f"{head}..{tail}"
        widest = max(_WIDEST * self._width, 100)
        while (width := self._size(text)[0]) > widest and head:
            head = head[: min(len(head) - 1, int(len(head) * widest / width))]
            text = f"{head}..{tail}"
        return text

    def _is_free(self, corners: np.ndarray, size: np.ndarray) -> np.ndarray:
        """(N,) bool: which of the places overlap no text."""
        x, y = corners.T
        width, height = size
        x0, y0, x1, y1 = self.boxes.T[..., None]
        apart = (x + width <= x0) | (x >= x1) | (y + height <= y0) | (y >= y1)
        return apart.all(axis=0)

    def _hidden(self, corners: np.ndarray, size: np.ndarray) -> np.ndarray:
        """(N,) how much of objects a text would hide there, in whole objects."""
        if self._worth is None:
            return np.zeros(len(corners))
        height, width = self._worth.shape[0] - 1, self._worth.shape[1] - 1
        scale = np.array([width / self._width, height / self._height])
        (x0, y0), (x1, y1) = (
            (where * scale).round().astype(int).T for where in (corners, corners + size)
        )
        worth = self._worth
        return worth[y1, x1] - worth[y0, x1] - worth[y1, x0] + worth[y0, x0]


def _grid(across: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Offsets of places to try, (N, 2), in multiples of a text's size, the nearest first."""
    offsets = np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)
    return offsets[np.argsort(np.abs(offsets).sum(axis=1), kind="stable")]


_OFFSETS = _grid(np.arange(-1.5, 1.6, 0.5), np.arange(-6, 6.1, 0.75))
_NEAR = _grid(np.arange(-1, 1.1, 0.5), np.arange(-2, 2.1, 0.5))
