"""`over`, `in front of`, `beside`: for each a room where it holds and one where it nearly holds."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import (
    BALL,
    BED,
    BLUE,
    BOWL,
    CEILING,
    CHAIR,
    CUP,
    FLOOR,
    GREY,
    LAMP,
    PACK,
    RED,
    RUG,
    TABLE,
    TV,
    WALL,
    gazing,
    person,
)

from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import disc, plank, rod


def test_over(show):
    eye, target = (4.5, 2, 1.4), (2, 2, 1.2)
    lamp = replace(LAMP.at(2, 2, 1.9), holder=1, fastening="hanging")
    room = [FLOOR, CEILING, lamp, TABLE.at(2, 2)]
    assert show(room, eye, target).between("light", "dining table") == ("over", None)
    beside = replace(lamp, position=np.array([2, 2.65, 1.9]))  # a fifth of it is above the table
    shown = show([FLOOR, CEILING, beside, TABLE.at(2, 2)], eye, target)
    assert shown.between("light", "dining table")[0] is None
    low = Item("dining table", (plank(-0.4, 0.4, -0.5, 0.5, 0, 0.35, RED),))  # 1.55 m below
    shown = show([FLOOR, CEILING, lamp, low.at(2, 2)], eye, target)
    assert shown.between("light", "dining table")[0] is None


def test_over_what_is_nearest_and_over_what_bears_that(show):
    shelf = Item("shelf", (plank(0, 0.4, -0.5, 0.5, 1.4, 1.44, BLUE),)).at(0, 2)
    held = replace(shelf, holder=1, fastening="attached")
    couch = Item("couch", (plank(0, 0.6, -0.6, 0.6, 0, 0.45, RED),)).at(0, 2)
    room = [FLOOR, WALL, held, couch, BALL.at(0.2, 2, 0.45)]
    shown = show(room, (3, 1, 1.5), (0, 2, 0.8))
    assert shown.between("shelf", "sports ball") == ("over", None)
    assert shown.between("shelf", "couch") == ("over", None)
    shown = show([*room[:-1], TV.at(0.1, 2, 1.9)], (3, 1, 1.5), (0, 2, 1.2))
    assert shown.between("tv", "shelf") == ("over", None)
    assert shown.between("tv", "couch") == (None, None)  # the shelf is between


def test_what_stands_is_over_nothing(show):
    """A cup on a shelf is not over the ball below the shelf; a cup that is held is."""
    ball_below = replace(BALL, moves=False).at(2, 2)
    board = Item("shelf", (plank(-0.4, 0.4, -0.5, 0.5, 0.7, 0.74, RED),)).at(2, 2)
    large = Item("cup", (disc(0.12, 0, 0.2, BLUE),))
    shown = show([FLOOR, ball_below, board, large.at(2, 2, 0.74)], (4, 2, 1), (2, 2, 0.5))
    assert shown.between("cup", "shelf") == ("on", None)
    assert shown.between("cup", "sports ball") == (None, None)
    assert shown.between("shelf", "sports ball") == ("over", None)
    held = replace(large.at(2, 2, 0.9), holder=1, fastening="held")
    shown = show([FLOOR, person().at(1.5, 2), held, ball_below], (4, 2, 1), (2, 2, 0.5))
    assert shown.between("cup", "sports ball") == ("over", None)


def test_what_lies_on_a_seat_is_not_over_what_is_below_the_chair(show):
    """The chair's back is higher than what lies on its seat, so bounding boxes alone mislead."""
    legs = [
        plank(x - 0.02, x + 0.02, y - 0.02, y + 0.02, 0, 0.45, BLUE)
        for x in (-0.18, 0.18)
        for y in (-0.18, 0.18)
    ]
    seat, back = (
        plank(-0.2, 0.2, -0.2, 0.2, 0.45, 0.5, BLUE),
        plank(-0.2, -0.17, -0.2, 0.2, 0.5, 1, BLUE),
    )
    chair = Item("chair", (seat, back, *legs))
    room = [FLOOR, chair.at(2, 2), PACK.at(2.05, 2, 0.5), replace(BALL, moves=False).at(2, 2)]
    shown = show(room, (4, 2, 0.6), (2, 2, 0.5))
    assert shown.between("backpack", "chair") == ("on", None)
    assert shown.between("backpack", "sports ball") == (None, None)


def test_in_front_of(show):
    eye, target = (4, 2, 0.9), (1, 2, 0.4)
    plant = Item("potted plant", (disc(0.25, 0, 0.8, RED),))
    shown = show([FLOOR, CHAIR.at(2, 2), plant.at(1, 2.2)], eye, target)
    assert shown.between("chair", "potted plant") == ("in front of", None)
    shown = show([FLOOR, CHAIR.at(2, 1.4), plant.at(1, 2.6)], eye, target)
    assert shown.between("chair", "potted plant") == (None, None)  # nearer, but it hides nothing
    shown = show([FLOOR, BED.at(2, 2), BALL.at(2.5, 2, 0.45)], eye, target)
    assert shown.between("sports ball", "bed") == ("on", None)  # hides a part of what it lies on


def test_in_front_of_depends_on_where_the_camera_is(show):
    bottle = Item("bottle", (disc(0.12, 0, 0.9, BLUE),))
    room = [FLOOR, CHAIR.at(2, 2), bottle.at(2.6, 2)]
    assert show(room, (4, 2, 1), (2, 2, 0.5)).between("bottle", "chair") == ("in front of", None)
    assert show(room, (0.3, 2, 1), (2, 2, 0.5)).between("bottle", "chair") == (None, "in front of")


def test_a_short_edge_decides_nothing(show):
    """Either the tip of a twig is before the screen, or the whole twig."""
    eye, target = (4, 2, 0.9), (1, 2, 0.4)
    for length, expected in ((0.2, None), (0.4, "in front of")):
        twig = rod(0.006, (0, 0, 0.3), (0, -0.1 - length, 0.3), RED)
        plant = Item("potted plant", (disc(0.2, 0, 0.6, RED), twig))
        edge = Item("tv", (plank(0, 0.1, -0.5, 0.5, 0, 0.8, GREY),))
        shown = show([FLOOR, plant.at(2, 2), edge.at(1, 1.05)], eye, target)
        assert shown.between("potted plant", "tv")[0] == expected, length


def test_of_two_that_hide_parts_of_each_other_one_is_in_front(show):
    """A tall post of a bed is behind a couch, a low one before it: the longer edge counts."""
    board = Item("couch", (plank(0, 0.05, -0.6, 0.6, 0, 0.8, RED),)).at(2, 2)
    posts = (plank(0.4, 0.5, -0.4, -0.2, 0, 0.7, BLUE), plank(-0.6, -0.5, 0.2, 0.4, 0, 1.0, BLUE))
    bed = Item("bed", (*posts, plank(-0.6, 0.5, 0.9, 0.95, 0, 0.1, BLUE))).at(2, 2)
    shown = show([FLOOR, board, bed], (4.5, 2, 0.9), (2, 2, 0.5))
    assert shown.between("bed", "couch") == ("in front of", None)


def test_who_looks_at_what_hides_a_part_of_them(show):
    someone = gazing(person(gaze=(1, 0, 0)).at(1, 2), (2, 2, 0.4))
    shown = show([FLOOR, someone, CHAIR.at(2, 2, 0, np.pi)], (4, 2, 1), (1, 2, 0.7))
    assert shown.between("person", "chair") == ("looking at", "in front of")


def test_beside(show):
    eye, target = (3.2, 2, 1.2), (2, 2, 0.75)
    room = [FLOOR, TABLE.at(2, 2), BOWL.at(2, 1.9, 0.75)]
    near = show([*room, CUP.at(2, 2.13, 0.76)], eye, target)
    assert near.between("cup", "bowl") == ("beside", "beside")
    far = show([*room, CUP.at(2, 2.4, 0.76)], eye, target)
    assert far.between("cup", "bowl") == (None, None)
    behind = show([*room, CUP.at(1.75, 1.95, 0.76)], eye, target)
    assert "beside" not in behind.between("cup", "bowl")
    room = [FLOOR, TABLE.at(2, 2), BOWL.at(2, 2.65), CUP.at(2, 2.4, 0.76)]
    apart = show(room, (3.6, 2, 1.2), target)  # one on the table, one on the floor
    assert apart.between("cup", "bowl") == (None, None)


def test_looking_at_counts_more_than_beside(show):
    room = [FLOOR, person(gaze=(0, 1, -1.6)).at(2, 2), PACK.at(2, 2.5)]
    eye, target = (4.5, 2.2, 1), (2, 2.2, 0.6)
    room[1] = gazing(room[1], (2, 2.5, 0.3))
    assert show(room, eye, target).between("person", "backpack") == ("looking at", None)
    room[1] = replace(room[1], gaze=None)
    assert show(room, eye, target).between("person", "backpack") == ("beside", "beside")


def test_beside_depends_on_where_the_camera_is(show):
    """What is side by side from one place is one behind the other from another."""
    suitcase = Item("suitcase", (plank(-0.15, 0.15, -0.2, 0.2, 0, 0.4, RED),))
    room, target = [FLOOR, CHAIR.at(2, 2), suitcase.at(2, 2.5)], (2, 2.2, 0.3)
    shown = show(room, (4, 2.2, 1), target)
    assert shown.between("chair", "suitcase") == ("beside", "beside")
    shown = show(room, (2, 0, 1), target)
    assert shown.between("chair", "suitcase") == ("in front of", None)


def test_things_beside_each_other_may_stand_on_rug_and_floor(show):
    room = [FLOOR, RUG.at(2, 1.6), CHAIR.at(2, 1.95, 0.01), PACK.at(2, 2.45)]
    shown = show(room, (4, 2.2, 1), (2, 2.2, 0.3))
    assert shown.between("chair", "backpack") == ("beside", "beside")
