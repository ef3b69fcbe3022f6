"""People: figures with joints, posed by forward kinematics.

Each faces x, its origin on the ground below the pelvis.
"""

from dataclasses import dataclass, field

import numpy as np

from dsflash_ros.toyroom.build.scene import Item, Material, Solid, turn_y, turn_z
from dsflash_ros.toyroom.build.solids import ball, box, colour, egg, extent, plain, rod

ARMS = {
    "down": ((0.08, 0.14, -1.0), (0.18, 0.02, -1.0)),
    "hold": ((0.35, 0.18, -1.0), (1.0, -0.12, 0.25)),
    "raise": ((0.75, 0.2, -0.55), (0.45, -0.1, 1.0)),
    "carry": ((0.3, 0.12, -1.0), (1.0, -0.35, -0.05)),
    "lap": ((0.45, 0.12, -1.0), (0.85, -0.25, -0.35)),
}
"""Directions of a left arm's upper and lower part; a right one's have y negated."""


@dataclass(frozen=True, eq=False)
class Person:
    """A posed figure.

    Attributes:
        item: as the room takes it.
        hands: (2, 3) left and right, in the item's frame.
        back: (3,) where a backpack's straps meet the back, between the shoulder blades, in the
            item's frame.
        eye: (3,) in the item's frame.
    """

    item: Item
    hands: np.ndarray
    back: np.ndarray
    eye: np.ndarray


@dataclass
class _Body:
    """A figure in the making: what is one's own of it, and the solids so far."""

    random: np.random.Generator
    solids: list[Solid] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = self.random
        self.height = random.uniform(0.92, 1.08)  # 1 is 1.75 m
        self.girth = random.uniform(0.9, 1.15)
        self.skin = plain(colour(random, (0.3, 0.6), (0.35, 0.95), (0.03, 0.09)), shine=0.1)
        self.hair = plain(colour(random, (0.2, 0.8), (0.05, 0.6), (0.02, 0.14)), shine=0.2)
        self.shirt = _clothes(random)
        self.trousers = _clothes(random)
        self.shoes = plain(colour(random, (0, 0.5), (0.05, 0.6)))
        self.sleeves = self.shirt if random.random() < 0.6 else self.skin


def make_person(
    random: np.random.Generator,
    posture: str = "standing",
    arms: tuple[str, str] = ("down", "down"),
    seat: float = 0.45,
    lean: float = 0.0,
    look: tuple[float, float] = (0.0, 0.0),
) -> Person:
    """Someone.

    Args:
        posture: "standing"; "sitting" on a seat of height `seat`, or on the ground where that is 0,
            the feet on the ground; "lying" on the back, the head towards -x, the origin below the
            middle of the body.
        arms: a pose of `ARMS` for the left and the right one.
        seat: metres above the origin.
        lean: of someone standing, radians backwards, as against a wall.
        look: yaw to the left and pitch up of the head, radians.
    """
    body = _Body(random)
    pelvis = _legs(body, posture, seat)
    torso = turn_y(-0.06 if posture == "sitting" else 0.0)
    shoulders = pelvis + torso @ np.array([0, 0, 0.47 * body.height])
    _trunk(body, pelvis, shoulders, torso)
    hands = np.stack(
        [_arm(body, shoulders, side, pose) for side, pose in zip((1, -1), arms, strict=True)]
    )
    neck = shoulders + torso @ np.array([0, 0, 0.06])
    head, eye = _head(body, neck, look)
    back = pelvis + torso @ np.array([-0.12 * body.girth, 0, 0.36 * body.height])
    gaze = np.stack((eye, head[:, 0]))
    whole = np.eye(3)
    if posture == "lying":
        whole = turn_y(-np.pi / 2)
    elif lean:
        whole = turn_y(-lean)
    points = np.stack((*hands, back, eye)) @ whole.T
    gaze = gaze @ whole.T
    solids = [_turned(solid, whole) for solid in body.solids]
    shift = np.zeros(3)
    low, high = extent(Item("person", tuple(solids)))
    shift[2] = -low[2]
    if posture == "lying":
        shift[0] = -(low[0] + high[0]) / 2
    solids = tuple(
        Solid(s.kind, s.size, s.material, s.position + shift, s.rotation, s.collides)
        for s in solids
    )
    gaze[0] += shift
    points = points + shift
    item = Item("person", solids, posture=posture, leans=lean > 0, gaze=gaze)
    return Person(item, points[:2], points[2], points[3])


def _clothes(random: np.random.Generator) -> Material:
    texture = "stripes" if random.random() < 0.2 else ""
    return plain(
        colour(random, (0.1, 0.9), (0.15, 0.9)),
        texture=texture,
        repeat=2.0,
        seed=int(random.integers(1 << 30)),
        shine=0.0,
    )


def _legs(body: _Body, posture: str, seat: float) -> np.ndarray:
    """Draws them; (3,) the pelvis."""
    thigh, shin, thick = 0.43 * body.height, 0.43 * body.height, 0.07 * body.girth
    sitting = posture == "sitting"
    pelvis = np.array([0, 0, seat + 0.1 if sitting else thigh + shin + 0.06])
    for side in (1, -1):
        hip = pelvis + (0, side * 0.09 * body.girth, 0)
        spread = body.random.uniform(0.0, 0.25 if sitting else 0.12)
        if sitting and seat < 0.2:  # on the ground, with the knees up
            knee = hip + thigh * _unit((0.75, side * spread, 0.65))
            foot = np.array([knee[0] + np.sqrt(shin**2 - (knee[2] - 0.06) ** 2), knee[1], 0.06])
        elif sitting:
            knee = hip + thigh * _unit((1, side * spread, 0.02))
            foot = np.array([knee[0] + body.random.uniform(-0.08, 0.12), knee[1], 0.06])
        else:
            step = body.random.uniform(-0.08, 0.08) if posture == "standing" else 0.0
            foot = np.array([step, hip[1] + side * spread, 0.06])
            knee = (hip + foot) / 2 + (0.01, 0, 0)
        body.solids += [
            rod(thick, hip, knee, body.trousers),
            rod(thick * 0.8, knee, foot + (0, 0, 0.04), body.trousers),
            box((0.12, 0.045, 0.03), foot + (0.05, 0, -0.03), body.shoes),
        ]
    body.solids.append(egg((0.11 * body.girth, 0.16 * body.girth, 0.1), pelvis, body.trousers))
    return pelvis


def _trunk(body: _Body, pelvis: np.ndarray, shoulders: np.ndarray, rotation: np.ndarray) -> None:
    middle, half = (pelvis + shoulders) / 2, np.linalg.norm(shoulders - pelvis) / 2
    body.solids += [
        egg((0.12 * body.girth, 0.17 * body.girth, half + 0.08), middle, body.shirt, rotation),
        box((0.085 * body.girth, 0.15 * body.girth, half * 0.85), middle, body.shirt, rotation),
        rod(
            0.075 * body.girth,
            shoulders + (0, -0.13, -0.03),
            shoulders + (0, 0.13, -0.03),
            body.shirt,
        ),
    ]


def _arm(body: _Body, shoulders: np.ndarray, side: int, pose: str) -> np.ndarray:
    """Draws one; (3,) the hand."""
    flip = np.array([1, side, 1])
    upper, lower = (
        _unit(np.array(direction) * flip + body.random.normal(0, 0.04, 3))
        for direction in ARMS[pose]
    )
    shoulder = shoulders + (0, side * 0.19 * body.girth, -0.03)
    elbow = shoulder + 0.28 * body.height * upper
    hand = elbow + 0.27 * body.height * lower
    body.solids += [
        rod(0.048 * body.girth, shoulder, elbow, body.shirt),
        rod(0.04 * body.girth, elbow, hand, body.sleeves),
        ball(0.05, hand, body.skin),
    ]
    return hand


def _head(
    body: _Body, neck: np.ndarray, look: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Draws it; (3, 3) its rotation and (3,) the point between the eyes."""
    yaw, pitch = look
    rotation = turn_z(yaw) @ turn_y(-pitch)
    middle = neck + (0, 0, 0.13)

    def at(x: float, y: float, z: float) -> np.ndarray:
        return middle + rotation @ np.array([x, y, z])

    dark = plain((0.05, 0.04, 0.04), shine=0.5)
    body.solids += [
        rod(0.05, neck - (0, 0, 0.05), middle, body.skin),
        egg((0.115, 0.1, 0.135), middle, body.skin, rotation),
        egg((0.11, 0.112, 0.115), at(-0.03, 0, 0.045), body.hair, rotation),
        egg((0.03, 0.018, 0.022), at(0.115, 0, -0.01), body.skin, rotation, collides=False),
        egg(
            (0.01, 0.035, 0.012),
            at(0.1, 0, -0.065),
            plain((0.6, 0.2, 0.2)),
            rotation,
            collides=False,
        ),
    ]
    body.solids += [
        ball(0.018, at(0.1, side * 0.042, 0.03), dark, collides=False) for side in (1, -1)
    ]
    if body.random.random() < 0.35:  # long hair
        body.solids.append(
            egg((0.05, 0.105, 0.17), at(-0.09, 0, -0.06), body.hair, rotation, collides=False)
        )
    return rotation, at(0.1, 0, 0.03)


def _unit(vector) -> np.ndarray:
    return np.asarray(vector, float) / np.linalg.norm(vector)


def _turned(solid: Solid, rotation: np.ndarray) -> Solid:
    return Solid(
        solid.kind,
        solid.size,
        solid.material,
        rotation @ solid.position,
        rotation @ solid.rotation,
        solid.collides,
    )
