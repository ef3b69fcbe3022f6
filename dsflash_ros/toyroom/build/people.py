"""People: figures with joints that are posed by forward kinematics.

A person faces x and has the origin on the ground below the pelvis.
"""

from dataclasses import dataclass, field, replace

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
"""Poses of a left arm: directions of upper arm and forearm. For a right arm, y is negated."""


@dataclass(frozen=True, eq=False)
class Person:
    """A person as an item, and the points where others fasten things.

    Attributes:
        item: the person.
        hands: (2, 3) left and right hand, in the item's frame.
        back: (3,) between the shoulder blades, where a backpack is worn, in the item's frame.
    """

    item: Item
    hands: np.ndarray
    back: np.ndarray


@dataclass
class _Body:
    """A person in the making: size, colours and clothes, and the solids made so far."""

    random: np.random.Generator
    solids: list[Solid] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = self.random
        self.height = random.uniform(0.92, 1.08)  # in units of 1.75 m
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
    """Make a person.

    Args:
        random: draws size, colours, clothes and small differences of the pose.
        posture: "standing"; "sitting" on a seat of height `seat`, with the feet on the ground; or
            "lying" on the back, with the head towards -x and the origin below the body's middle.
        arms: poses of the left and the right arm, keys of `ARMS`.
        seat: height of the seat above the origin, m; 0 sits on the ground.
        lean: how far a standing person leans backwards, as against a wall, radians.
        look: yaw (to the left) and pitch (up) of the head, radians.
    """
    body = _Body(random)
    pelvis = _legs(body, posture, seat)
    torso = turn_y(-0.06 if posture == "sitting" else 0.0)
    shoulders = pelvis + torso @ np.array([0, 0, 0.47 * body.height])
    _trunk(body, pelvis, shoulders, torso)
    left, right = _arm(body, shoulders, 1, arms[0]), _arm(body, shoulders, -1, arms[1])
    neck = shoulders + torso @ np.array([0, 0, 0.06])
    head, eye = _head(body, neck, look)
    back = pelvis + torso @ np.array([-0.12 * body.girth, 0, 0.36 * body.height])
    whole = np.eye(3)
    if posture == "lying":
        whole = turn_y(-np.pi / 2)
    elif lean:
        whole = turn_y(-lean)
    solids = [_turned(solid, whole) for solid in body.solids]
    shift = _to_ground(solids, posture)
    solids = [replace(solid, position=solid.position + shift) for solid in solids]
    gaze = np.stack((eye, head[:, 0])) @ whole.T
    gaze[0] += shift
    left, right, back = np.stack((left, right, back)) @ whole.T + shift
    item = Item("person", tuple(solids), posture=posture, leans=lean > 0, gaze=gaze)
    return Person(item, np.stack((left, right)), back)


def _to_ground(solids: list[Solid], posture: str) -> np.ndarray:
    """The shift, (3,), to the ground; it puts the middle of someone who lies above the origin."""
    low, high = extent(Item("person", tuple(solids)))
    shift = np.array([0, 0, -low[2]])
    if posture == "lying":
        shift[0] = -(low[0] + high[0]) / 2
    return shift


def _clothes(random: np.random.Generator) -> Material:
    """The material of a shirt or of trousers."""
    texture = "stripes" if random.random() < 0.2 else ""
    return plain(
        colour(random, (0.1, 0.9), (0.15, 0.9)),
        texture=texture,
        repeat=2.0,
        seed=int(random.integers(1 << 30)),
        shine=0.0,
    )


def _legs(body: _Body, posture: str, seat: float) -> np.ndarray:
    """Add both legs to the body. Returns the position of the pelvis, (3,)."""
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
    """Add the trunk to the body."""
    middle, half = (pelvis + shoulders) / 2, np.linalg.norm(shoulders - pelvis) / 2
    right, left = shoulders + (0, -0.13, -0.03), shoulders + (0, 0.13, -0.03)
    body.solids += [
        egg((0.12 * body.girth, 0.17 * body.girth, half + 0.08), middle, body.shirt, rotation),
        box((0.085 * body.girth, 0.15 * body.girth, half * 0.85), middle, body.shirt, rotation),
        rod(0.075 * body.girth, right, left, body.shirt),
    ]


def _arm(body: _Body, shoulders: np.ndarray, side: int, pose: str) -> np.ndarray:
    """Add an arm, the left (side = 1) or the right (-1). Returns the position of its hand, (3,)."""
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
    """Add the head. Returns its rotation, (3, 3), and the point between the eyes, (3,)."""
    yaw, pitch = look
    rotation = turn_z(yaw) @ turn_y(-pitch)
    middle = neck + (0, 0, 0.13)

    def at(x: float, y: float, z: float) -> np.ndarray:
        return middle + rotation @ np.array([x, y, z])

    dark, lips = plain((0.05, 0.04, 0.04), shine=0.5), plain((0.6, 0.2, 0.2))
    body.solids += [
        rod(0.05, neck - (0, 0, 0.05), middle, body.skin),
        egg((0.115, 0.1, 0.135), middle, body.skin, rotation),
        egg((0.11, 0.112, 0.115), at(-0.03, 0, 0.045), body.hair, rotation),
        egg((0.03, 0.018, 0.022), at(0.115, 0, -0.01), body.skin, rotation, collides=False),
        egg((0.01, 0.035, 0.012), at(0.1, 0, -0.065), lips, rotation, collides=False),
        ball(0.018, at(0.1, 0.042, 0.03), dark, collides=False),
        ball(0.018, at(0.1, -0.042, 0.03), dark, collides=False),
    ]
    if body.random.random() < 0.35:
        long_hair = (0.05, 0.105, 0.17)
        body.solids.append(egg(long_hair, at(-0.09, 0, -0.06), body.hair, rotation, collides=False))
    return rotation, at(0.1, 0, 0.03)


def _unit(vector) -> np.ndarray:
    return np.asarray(vector, float) / np.linalg.norm(vector)


def _turned(solid: Solid, rotation: np.ndarray) -> Solid:
    turned = {"position": rotation @ solid.position, "rotation": rotation @ solid.rotation}
    return replace(solid, **turned)
