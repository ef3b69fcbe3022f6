"""What a room is made of: solids, the items that they form, and a camera.

Plain numbers in metres; z is up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

Vector = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Material:
    """A surface.

    Attributes:
        rgb: 0 to 1 each.
        texture: one of `textures.PAINTERS`, empty for a plain colour; seen on faces across the
            solid's z.
        repeat: textures a metre; 0 stretches one over the face.
        seed: of the texture's own randomness.
        shine: 0 (dull) to 1.
        glow: share of its colour that it has without light, 0 to 1.
    """

    rgb: tuple[float, float, float]
    texture: str = ""
    repeat: float = 1.0
    seed: int = 0
    shine: float = 0.1
    glow: float = 0.0


@dataclass(frozen=True, eq=False)
class Solid:
    """One shape of an item, placed in the item's frame.

    Attributes:
        kind: box, sphere, ellipsoid, cylinder, capsule, or lathe: a profile turned around z.
        size: half sizes as MuJoCo has them: box and ellipsoid (x, y, z), sphere (radius,), cylinder
            and capsule (radius, half length along z); for a lathe (K, 2) radius and height of the
            profile's points, from below.
        position: of its middle (a lathe: of its axis at height 0).
        rotation: (3, 3), solid to item.
        collides: whether others can rest on it.
    """

    kind: str
    size: np.ndarray
    material: Material
    position: np.ndarray
    rotation: np.ndarray
    collides: bool = True


@dataclass(frozen=True, eq=False)
class Item:
    """A thing, or a piece of stuff. Its frame's origin is where it stands: below its middle, z up,
    facing x.

    Attributes:
        name: class name of the vocabulary.
        solids: its shapes.
        position, rotation: (3,) and (3, 3), item to world.
        moves: falls and comes to rest; what does not move is fixed.
        holder: index of the item that it moves with, None where it stands for itself.
        fastening: how it is fastened to its holder: "attached", "hanging", "held" (in one raised
            hand), "carried" (in both hands or in a lowered one), "worn" (on the back); empty: it
            merely lies in the holder.
        posture: "standing", "sitting", "lying" of people and teddy bears, empty for all others.
        leans: its posture leans on what its trunk touches.
        gaze: (2, 3) eye and direction in the item's frame of someone with eyes, else None.
        cavity: (2, 3) lower and upper corner, in the item's frame, of the room in which others are
            `in` it, or None.
        tops: (K, 5) x0, y0, x1, y1, z: surfaces in the item's frame on which others can be put.
    """

    name: str
    solids: tuple[Solid, ...]
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3))
    moves: bool = False
    holder: int | None = None
    fastening: str = ""
    posture: str = ""
    leans: bool = False
    gaze: np.ndarray | None = None
    cavity: np.ndarray | None = None
    tops: np.ndarray = field(default_factory=lambda: np.zeros((0, 5)))

    def at(self, x: float, y: float, z: float = 0.0, yaw: float = 0.0) -> "Item":
        """The same item standing elsewhere, turned about z by `yaw` radians."""
        return replace(self, position=np.array([x, y, z], float), rotation=turn_z(yaw))

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points of the item's frame in the world's."""
        return points @ self.rotation.T + self.position


@dataclass(frozen=True, eq=False)
class Light:
    """A lamp's or the sky's light: (3,) position and direction, (3,) strength of its colours, 0 to
    1.

    From far away (`distant`) all its rays go in the direction; else it shines from its position in
    a cone.
    """

    position: np.ndarray
    direction: np.ndarray
    strength: np.ndarray
    distant: bool = False
    shadows: bool = True


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera in the room.

    Attributes:
        position: (3,) of its optical centre.
        rotation: (3, 3), camera to world; in the camera x is right, y down, z forward (REP-103,
            optical frame).
        width, height: pixels.
        fov: vertical field of view, radians.
    """

    position: np.ndarray
    rotation: np.ndarray
    width: int = 640
    height: int = 480
    fov: float = 1.0

    @property
    def intrinsics(self) -> np.ndarray:
        """(3, 3) K, pixel centres at whole numbers."""
        focal = self.height / 2 / np.tan(self.fov / 2)
        return np.array(
            [[focal, 0, (self.width - 1) / 2], [0, focal, (self.height - 1) / 2], [0, 0, 1.0]]
        )

    @classmethod
    def looking_at(cls, position: Vector, target: Vector, **others) -> "Camera":
        """A camera held level that has `target` in its middle."""
        position = np.asarray(position, float)
        forward = np.asarray(target, float) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        return cls(position, np.stack((right, np.cross(forward, right), forward), axis=1), **others)


@dataclass(frozen=True, eq=False)
class Picture:
    """What a camera sees.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the optical axis; 0 where nothing is.
        items: (H, W) int32, index of the item, -1 where nothing is.
    """

    rgb: np.ndarray
    depth: np.ndarray
    items: np.ndarray


def turn_x(angle: float) -> np.ndarray:
    """(3, 3) rotation about x, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(angle: float) -> np.ndarray:
    """(3, 3) rotation about y, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def turn_z(angle: float) -> np.ndarray:
    """(3, 3) rotation about z, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
