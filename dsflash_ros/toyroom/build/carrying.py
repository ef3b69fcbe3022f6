"""What people hold, carry and wear."""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build import catalogue
from dsflash_ros.toyroom.build.floor_plan import FloorPlan
from dsflash_ros.toyroom.build.luggage import backpack, umbrella
from dsflash_ros.toyroom.build.people import Person
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import extent

_IN_ONE_HAND = ("cup", "bottle", "book", "sports ball", "teddy bear", "bowl", "potted plant")
_IN_BOTH_HANDS = (*_IN_ONE_HAND, "backpack", "suitcase")
_IN_LOWERED_HAND = (
    "bottle",
    "book",
    "teddy bear",
    "backpack",
    "backpack",
    "suitcase",
    "umbrella",
)

_LARGEST_CARRIED = 0.75
"""Longest side of what is carried in both hands, m."""

_ARMS = {
    "held": ("down", "hold"),
    "carried": ("carry", "carry"),
    "umbrella": ("down", "raise"),
}
_ARMS_SITTING = {"held": ("lap", "hold"), "carried": ("carry", "carry")}


def choose_load(random: np.random.Generator, posture: str) -> str:
    """Choose what the hands of someone with this posture do.

    "held": one raised hand holds something; "carried": both hands carry something; "lowered": a
    hand that hangs down carries something; "umbrella": a raised hand holds an open umbrella;
    "nothing".
    """
    if posture == "lying":
        return "nothing"
    loads = ["nothing", "held", "carried", "lowered", "umbrella"]
    weights = [0.15, 0.28, 0.25, 0.14, 0.18] if posture == "standing" else [0.35, 0.4, 0.25, 0, 0]
    return str(random.choice(loads, p=weights))


def arms_of(load: str, posture: str) -> tuple[str, str]:
    """Poses of two arms that bear this load, keys of `people.ARMS`."""
    if posture == "sitting":
        return _ARMS_SITTING.get(load, ("lap", "lap"))
    return _ARMS.get(load, ("down", "down"))


def equip(plan: FloorPlan, index: int, person: Person, load: str, arms: tuple[str, str]) -> None:
    """Give things to a person: into the hands, and maybe a backpack onto the back.

    Args:
        plan: the room, in which the person has its place.
        index: index of the person in the room.
        person: the person, with hands and back.
        load: what the hands do, from `choose_load`.
        arms: poses of the left and the right arm.
    """
    random, owner = plan.random, plan.items[index]
    if load == "held":
        _hold(plan, index, person.hands[arms.index("hold")])
    elif load == "umbrella":
        open_umbrella = umbrella(random, is_open=True)
        _fasten(plan, index, open_umbrella, person.hands[arms.index("raise")], "held")
    elif load == "carried":
        _carry_in_both_hands(plan, index, person.hands.mean(axis=0))
    elif load == "lowered":
        _carry_in_lowered_hand(plan, index, person.hands)
    back_is_free = owner.posture == "standing" and not owner.leans
    if back_is_free and load != "umbrella" and random.random() < 0.4:
        _wear_backpack(plan, index, person.back)


def _hold(plan: FloorPlan, owner: int, hand: np.ndarray) -> None:
    """Put a thing right in front of a raised hand, (3,)."""
    umbrella(plan.random, is_open=True)  # unused, but its draws are a part of each seed's rooms
    thing = catalogue.make(str(plan.random.choice(_IN_ONE_HAND)), plan.random)
    low, high = extent(thing)
    at = hand - (low + high) / 2 + np.array([(high - low)[0] / 2 + 0.02, 0, 0])
    _fasten(plan, owner, thing, at, "held")


def _carry_in_both_hands(plan: FloorPlan, owner: int, between_hands: np.ndarray) -> None:
    """Put a thing between the hands, unless it is too large or a surface for other things."""
    thing = catalogue.make(str(plan.random.choice(_IN_BOTH_HANDS)), plan.random)
    low, high = extent(thing)
    if (high - low).max() < _LARGEST_CARRIED and not len(thing.tops):
        middle = between_hands + np.array([(high - low)[0] / 2 - 0.02, 0, 0])
        _fasten(plan, owner, thing, middle - (low + high) / 2, "carried")


def _carry_in_lowered_hand(plan: FloorPlan, owner: int, hands: np.ndarray) -> None:
    """Hang a thing from one of the hands, (2, 3), unless it is a surface for other things."""
    thing = umbrella(plan.random, is_open=False)
    name = str(plan.random.choice(_IN_LOWERED_HAND))
    if name != "umbrella":
        thing = catalogue.make(name, plan.random)
    if len(thing.tops):
        return
    low, high = extent(thing)
    hand = hands[plan.random.integers(2)]
    grip = np.array([(low + high)[0] / 2, (low + high)[1] / 2, high[2] - 0.02])
    _fasten(plan, owner, thing, hand - grip, "carried")


def _wear_backpack(plan: FloorPlan, owner: int, back: np.ndarray) -> None:
    """Put a backpack on a back, (3,), with its straps towards the person."""
    bag = backpack(plan.random)
    top = max(solid.position[2] for solid in bag.solids)
    half_turn = np.diag([-1.0, -1, 1])
    at = back + np.array([-0.13, 0, -0.75 * top])
    _fasten(plan, owner, bag, at, "worn", half_turn)


def _fasten(
    plan: FloorPlan,
    owner: int,
    thing: Item,
    at: np.ndarray,
    fastening: str,
    rotation: np.ndarray | None = None,
) -> None:
    """Fasten a thing to its owner, unless it would reach to the ground that the owner stands on.

    `at`, (3,), and `rotation`, (3, 3), are in the owner's frame.
    """
    person = plan.items[owner]
    turn = person.rotation if rotation is None else person.rotation @ rotation
    placed = replace(
        thing,
        position=person.to_world(at),
        rotation=turn,
        moves=False,
        holder=owner,
        fastening=fastening,
    )
    if extent(placed)[0, 2] > person.position[2] + 0.01:
        plan.add(placed)
