"""The types that describe a room: materials, solids, items, lights, cameras and pictures.

All lengths are in metres, all angles in radians; z points up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

Vector = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Material:
    """The look of a surface.

    Attributes:
        rgb: red, green and blue, 0 to 1 each.
        texture: a key of `textures.PAINTERS`, or empty for a plain colour. It shows on the faces
            that are perpendicular to the solid's z axis.
        repeat: how many times the texture repeats per metre; 0 stretches it once over the face.
        seed: seed of the texture's random pattern.
        shine: 0 (dull) to 1 (glossy).
        glow: share of its colour that it shows without any light, 0 to 1.
    """

    rgb: tuple[float, float, float]
    texture: str = ""
    repeat: float = 1.0
    seed: int = 0
    shine: float = 0.1
    glow: float = 0.0


@dataclass(frozen=True, eq=False)
class Solid:
    """One geometric shape of an item, placed in the item's frame.

    Attributes:
        kind: "box", "sphere", "ellipsoid", "cylinder", "capsule", or "lathe", which is a profile
            turned around z.
        size: half sizes, as in MuJoCo: box and ellipsoid (x, y, z), sphere (radius,), cylinder and
            capsule (radius, half length along z). A lathe has (K, 2): radius and height of each
            point of the profile, starting at the bottom.
        position: (3,) its centre; for a lathe, the point of the axis at height 0.
        rotation: (3, 3), from the solid's frame to the item's.
        collides: whether the physics lets other solids collide with it.
    """

    kind: str
    size: np.ndarray
    material: Material
    position: np.ndarray
    rotation: np.ndarray
    collides: bool = True


@dataclass(frozen=True, eq=False)
class Item:
    """A thing, or a piece of stuff.

    The origin of the item's frame is the point that it stands on, below its middle. z points up,
    and the item faces x.

    Attributes:
        name: its class name in the vocabulary.
        solids: its shapes.
        position, rotation: (3,) and (3, 3), from the item's frame to the world.
        moves: True if the physics lets it fall until it rests; False if it stays where it is.
        holder: index of the item that it moves along with, or None.
        fastening: how its holder holds it: "attached", "hanging", "held" (in one raised hand),
            "carried" (in both hands or in a lowered one), "worn" (on the back), or empty if it only
            lies in its holder.
        posture: "standing", "sitting" or "lying" for people and teddy bears, empty for all others.
        leans: whether it leans on what its trunk touches.
        gaze: (2, 3) position of the eyes and direction of the gaze, in the item's frame; None for
            whatever has no eyes.
        cavity: (2, 3) lower and upper corner of its inside, in the item's frame: what is there is
            `in` it. None if it has no inside.
        tops: (K, 5) x0, y0, x1, y1, z of the surfaces that others can be put on, in the item's
            frame.
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
        """Return a copy that stands at this point, turned by `yaw` radians about z."""
        return replace(self, position=np.array([x, y, z], float), rotation=turn_z(yaw))

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Convert points, (..., 3), from the item's frame to the world."""
        return points @ self.rotation.T + self.position


@dataclass(frozen=True, eq=False)
class Light:
    """The light of a lamp or of the sky.

    Attributes:
        position: (3,).
        direction: (3,) where it shines.
        strength: (3,) of red, green and blue, 0 to 1 each.
        distant: True for parallel rays, like daylight; False for a cone from `position`.
        shadows: whether it casts shadows.
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
        position: (3,) its optical centre.
        rotation: (3, 3), from the camera's frame to the world. In the camera's frame x points
            right, y down and z forward (the optical frame of REP-103).
        width, height: image size, pixels.
        fov: vertical field of view, radians.
    """

    position: np.ndarray
    rotation: np.ndarray
    width: int = 640
    height: int = 480
    fov: float = 1.0

    @property
    def intrinsics(self) -> np.ndarray:
        """The matrix K, (3, 3). Pixel centres have integer coordinates."""
        focal = self.height / 2 / np.tan(self.fov / 2)
        return np.array(
            [[focal, 0, (self.width - 1) / 2], [0, focal, (self.height - 1) / 2], [0, 0, 1.0]]
        )

    @classmethod
    def looking_at(cls, position: Vector, target: Vector, **others) -> "Camera":
        """Make a camera without roll that has `target` in the middle of its image."""
        position = np.asarray(position, float)
        forward = np.asarray(target, float) - position
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        return cls(position, np.stack((right, np.cross(forward, right), forward), axis=1), **others)


@dataclass(frozen=True, eq=False)
class Picture:
    """What the renderer gives for a camera.

    Attributes:
        rgb: (H, W, 3) uint8.
        depth: (H, W) float32, metres along the optical axis; 0 where nothing is.
        items: (H, W) int32, index of the item that each pixel shows; -1 where nothing is.
    """

    rgb: np.ndarray
    depth: np.ndarray
    items: np.ndarray


def turn_x(angle: float) -> np.ndarray:
    """The (3, 3) matrix of a rotation about x by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def turn_y(angle: float) -> np.ndarray:
    """The (3, 3) matrix of a rotation about y by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def turn_z(angle: float) -> np.ndarray:
    """The (3, 3) matrix of a rotation about z by `angle` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
