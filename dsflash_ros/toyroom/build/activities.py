"""What people do in a room: stand, sit, lie, lean, hold, carry and wear things, look at something."""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build import catalogue
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.people import Person, make_person
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import extent

_HELD = ("cup", "bottle", "book", "sports ball", "teddy bear", "bowl", "potted plant")
_IN_BOTH = (*_HELD, "backpack", "suitcase")
_LOWERED = ("bottle", "book", "teddy bear", "backpack", "backpack", "suitcase", "umbrella")

_LOOKED_AT = (
    "tv",
    "laptop",
    "book",
    "teddy bear",
    "person",
    "potted plant",
    "sports ball",
    "clock",
    "suitcase",
    "bowl",
    "couch",
    "bed",
)

_SEATS = ("chair", "couch", "bed", "dining table")
_HIGHEST_SEAT = 0.56
"""Metres, from which feet still reach the floor."""

_TRIES = 5
"""Places that someone tries."""

_MAX_TURN = 1.1
"""How far heads turn, radians."""


def add_people(layout: FloorPlan, walls: list[int]) -> None:
    """None to four people."""
    random = layout.random
    for _ in range(random.choice(5, p=[0.05, 0.2, 0.35, 0.25, 0.15])):
        deeds = (_sit, _lie, _stand, _climb, lambda layout: _lean(layout, walls))
        deed = deeds[random.choice(5, p=[0.33, 0.15, 0.28, 0.09, 0.15])]
        before = len(layout.items)
        for _ in range(_TRIES):
            deed(layout)
            if len(layout.items) > before:
                break


def _stand(layout: FloorPlan) -> None:
    random = layout.random
    target = _target(layout)
    x, y = random.uniform(0.4, layout.width - 0.4), random.uniform(0.4, layout.depth - 0.4)
    yaw = random.uniform(-np.pi, np.pi)
    if target is not None:
        yaw = np.arctan2(target[1] - y, target[0] - x) + random.normal(0, 0.4)
    _settle(layout, np.array([x, y, layout.floor_at(x, y)]), yaw, "standing", target)


def _sit(layout: FloorPlan) -> None:
    """On a chair, a couch, a low table, a bed's edge, or the floor."""
    random = layout.random
    seats = [
        i
        for i, item in enumerate(layout.items)
        if item.name in _SEATS and item.tops[0, 4] < _HIGHEST_SEAT
    ]
    if not seats or random.random() < 0.25:
        at = np.array([*random.uniform(0.5, 1, 2) * (layout.width - 0.5, layout.depth - 0.5), 0])
        at[2], yaw = layout.floor_at(*at[:2]), random.uniform(-np.pi, np.pi)
        return _settle(layout, at, yaw, "sitting", _target(layout, at, yaw), seat=0.0)
    index = int(random.choice(seats))
    base = layout.items[index]
    x0, y0, x1, y1, top = base.tops[0]
    yaw = np.arctan2(base.rotation[1, 0], base.rotation[0, 0])
    if base.name == "bed":
        side = random.choice([-1, 1])
        at, yaw = (
            np.array([random.uniform(x0 + 0.2, x1 - 0.4), side * (y1 - 0.12), 0]),
            yaw + side * np.pi / 2,
        )
    elif base.name == "couch":
        at = np.array([x1 - 0.35, random.uniform(y0 + 0.25, y1 - 0.25), 0])
    elif base.name == "chair":
        at = np.array([0.02, 0, 0])
    else:
        at = np.array([x1 - 0.15, random.uniform(y0 + 0.3, y1 - 0.3), 0])
    _settle(
        layout,
        base.to_world(at),
        yaw,
        "sitting",
        _target(layout, base.to_world(at), yaw),
        support=index,
        seat=top,
    )


def _climb(layout: FloorPlan) -> None:
    """Stand on a piece of furniture."""
    random = layout.random
    bases = [i for i, item in enumerate(layout.items) if item.name in _SEATS]
    if not bases:
        return _stand(layout)
    index = int(random.choice(bases))
    base = layout.items[index]
    x0, y0, x1, y1, top = base.tops[0]
    at = base.to_world(np.array([random.uniform(x0, x1) * 0.5, random.uniform(y0, y1) * 0.7, top]))
    _settle(layout, at, random.uniform(-np.pi, np.pi), "standing", _target(layout), support=index)


def _lie(layout: FloorPlan) -> None:
    """On a bed, a couch that is long enough, or the floor."""
    random = layout.random
    beds = [
        i
        for i, item in enumerate(layout.items)
        if item.name == "bed" or (item.name == "couch" and np.ptp(item.tops[0, 1::2]) > 1.5)
    ]
    if not beds or random.random() < 0.2:
        x, y = random.uniform(1, layout.width - 1), random.uniform(1, layout.depth - 1)
        return _settle(
            layout,
            np.array([x, y, layout.floor_at(x, y)]),
            random.uniform(-np.pi, np.pi),
            "lying",
            None,
        )
    index = int(random.choice(beds))
    base = layout.items[index]
    yaw = np.arctan2(base.rotation[1, 0], base.rotation[0, 0])
    x0, y0, x1, y1, top = base.tops[0]
    if base.name == "bed":
        at = np.array([0.1, random.uniform(-0.15, 0.15) * (y1 - y0), top])
    else:
        at, yaw = np.array([(x0 + x1) / 2 + 0.05, 0, top]), yaw + random.choice([-1, 1]) * np.pi / 2
    _settle(layout, base.to_world(at), yaw, "lying", None, support=index)


def _lean(layout: FloorPlan, walls: list[int]) -> None:
    """With the back against a wall."""
    random = layout.random
    side = int(random.integers(4))
    wall = layout.items[walls[side]]
    lean = random.uniform(0.12, 0.22)
    along = random.uniform(-0.4, 0.4) * (layout.depth if side % 2 == 0 else layout.width)
    yaw = np.arctan2(wall.rotation[1, 0], wall.rotation[0, 0])
    _settle(
        layout,
        wall.to_world(np.array([0, along, 0])),
        yaw,
        "standing",
        _target(layout, wall.position, yaw),
        lean=lean,
    )


def _settle(
    layout: FloorPlan,
    position: np.ndarray,
    yaw: float,
    posture: str,
    target: np.ndarray | None,
    support: int | None = None,
    **how: float,
) -> None:
    """Put someone there if there is room, with what is in the hands and on the back."""
    random = layout.random
    deed = _deed(random, posture)
    seed = int(random.integers(1 << 30))
    arms = {
        "held": ("down", "hold"),
        "carried": ("carry", "carry"),
        "umbrella": ("down", "raise"),
    }.get(deed, ("down", "down"))
    if posture == "sitting":
        arms = {"held": ("lap", "hold"), "carried": ("carry", "carry")}.get(deed, ("lap", "lap"))
    if random.random() < 0.5:
        arms = arms[::-1]
    person = make_person(np.random.default_rng(seed), posture, arms, **how)
    if how.get("lean"):  # so far from the wall that the back touches it
        low = extent(person.item)[0, 0]
        wall_normal = np.array([np.cos(yaw), np.sin(yaw), 0])
        position = position - (low - 0.002) * wall_normal
    placed = person.item.at(*position, yaw)
    if posture != "lying":
        look = _look(placed, target, random)
        person = make_person(np.random.default_rng(seed), posture, arms, look=look, **how)
        placed = person.item.at(*position, yaw)
    ignored = () if support is None else (support,)
    if posture == "sitting":  # at a table, legs go under it
        ignored += tuple(
            i
            for i, item in enumerate(layout.items)
            if item.name == "dining table" and item.tops[0, 4] > 0.65
        )
    if not layout.is_free(placed, without=ignored, margin=0.0):
        return
    index = layout.add(placed)
    _equip(layout, index, person, deed, arms)


def _deed(random: np.random.Generator, posture: str) -> str:
    """What the hands do."""
    if posture == "lying":
        return "nothing"
    deeds = ["nothing", "held", "carried", "lowered", "umbrella"]
    weights = [0.15, 0.28, 0.25, 0.14, 0.18] if posture == "standing" else [0.35, 0.4, 0.25, 0, 0]
    return str(random.choice(deeds, p=weights))


def _target(
    layout: FloorPlan, position: np.ndarray | None = None, yaw: float = 0.0
) -> np.ndarray | None:
    """(3,) the middle of something worth a look, in view for who cannot turn; None now and then."""
    random = layout.random
    if random.random() < 0.1:
        return None
    middles = [extent(item).mean(axis=0) for item in layout.items if item.name in _LOOKED_AT]
    if position is not None:
        bearings = [np.arctan2(m[1] - position[1], m[0] - position[0]) - yaw for m in middles]
        middles = [
            m
            for m, b in zip(middles, bearings, strict=True)
            if abs((b + np.pi) % (2 * np.pi) - np.pi) < _MAX_TURN
        ]
    return middles[random.integers(len(middles))] if middles else None


def _look(
    person: Item, target: np.ndarray | None, random: np.random.Generator
) -> tuple[float, float]:
    """Yaw and pitch of the head towards the target."""
    if target is None:
        return random.uniform(-0.6, 0.6), random.uniform(-0.3, 0.15)
    head = person.gaze[0] - (0.1, 0, 0.03)
    x, y, z = person.rotation.T @ (target - person.position) - head
    yaw, pitch = np.arctan2(y, x), np.arctan2(z - 0.03, np.hypot(x, y))
    return float(np.clip(yaw, -_MAX_TURN, _MAX_TURN)), float(np.clip(pitch, -0.8, 0.5))


def _equip(layout: FloorPlan, index: int, person: Person, deed: str, arms: tuple[str, str]) -> None:
    random, owner = layout.random, layout.items[index]

    def fasten(
        thing: Item, at: np.ndarray, fastening: str, rotation: np.ndarray | None = None
    ) -> None:
        turn = owner.rotation if rotation is None else owner.rotation @ rotation
        placed = replace(
            thing,
            position=owner.to_world(at),
            rotation=turn,
            moves=False,
            holder=index,
            fastening=fastening,
        )
        if extent(placed)[0, 2] > owner.position[2] + 0.01:
            layout.add(placed)

    if deed in ("held", "umbrella"):
        hand = person.hands[[arm in ("hold", "raise") for arm in arms].index(True)]
        thing = catalogue.umbrella(random, is_open=True)
        if deed == "held":
            thing = catalogue.make(str(random.choice(_HELD)), random)
            low, high = extent(thing)
            hand = hand - (low + high) / 2 + np.array([(high - low)[0] / 2 + 0.02, 0, 0])
        fasten(thing, hand, "held")
    elif deed == "carried":
        thing = catalogue.make(str(random.choice(_IN_BOTH)), random)
        low, high = extent(thing)
        if (high - low).max() < 0.75 and not len(thing.tops):
            middle = person.hands.mean(axis=0) + np.array([(high - low)[0] / 2 - 0.02, 0, 0])
            fasten(thing, middle - (low + high) / 2, "carried")
    elif deed == "lowered":
        thing = catalogue.umbrella(random, is_open=False)
        if (name := str(random.choice(_LOWERED))) != "umbrella":
            thing = catalogue.make(name, random)
        low, high = extent(thing)
        if not len(thing.tops):
            hand = person.hands[random.integers(2)]
            fasten(
                thing,
                hand - np.array([(low + high)[0] / 2, (low + high)[1] / 2, high[2] - 0.02]),
                "carried",
            )
    leans = owner.leans or owner.posture != "standing"
    if not leans and deed != "umbrella" and random.random() < 0.4:
        bag = catalogue.backpack(random)
        top = max(solid.position[2] for solid in bag.solids)
        half_turn = np.diag([-1.0, -1, 1])  # its straps face the back
        fasten(bag, person.back + np.array([-0.13, 0, -0.75 * top]), "worn", half_turn)
