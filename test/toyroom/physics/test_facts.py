"""Facts where bounding boxes or single contacts alone would mislead."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import (
    BLUE,
    BOWL,
    CHAIR,
    CUP,
    FLOOR,
    GREY,
    PACK,
    RED,
    SMALL_BALL,
    TABLE,
    TV,
    WALL,
    gazing,
    person,
)

from dsflash_ros.toyroom.build.scene import Item, turn_y
from dsflash_ros.toyroom.build.solids import box, disc, plank


def test_what_is_held_rests_on_nothing_and_bears_nobody(show):
    wide = replace(CUP, solids=(disc(0.1, 0, 0.2, BLUE),), moves=False)
    cup = wide.at(2.2, 2, 0.755)  # touches the table's top
    eye, target = (2.2, 0, 1.3), (2.1, 2, 0.7)
    room = [FLOOR, person().at(1.7, 2), TABLE.at(2.2, 2)]
    assert show([*room, cup], eye, target).between("cup", "dining table") == ("on", None)
    held = replace(cup, holder=1, fastening="held")
    assert "on" not in show([*room, held], eye, target).between("cup", "dining table")
    someone = person("sitting")
    hand = plank(0, 0.1, -0.4, -0.15, 0.4, 0.5, BLUE)  # on a case that is lower than the seat
    someone = replace(someone, solids=(*someone.solids, hand)).at(2, 2)
    case = Item("suitcase", (plank(-0.1, 0.2, -0.6, -0.3, 0.1, 0.39, RED),)).at(2, 2)
    case = replace(case, holder=2, fastening="carried")
    shown = show([FLOOR, CHAIR.at(2, 2), someone, case], (2.8, 0, 1.3), (2.1, 2, 0.6))
    assert shown.between("person", "suitcase") == ("carrying", None)
    assert shown.between("person", "chair") == ("sitting on", None)


def test_what_is_in_a_bowl_rests_on_no_table(show):
    """Although only the thin bottom of the bowl is between them."""
    bowl = BOWL.at(2, 2, 0.75)
    inside = replace(SMALL_BALL, moves=False).at(2, 2, 0.764)
    shown = show([FLOOR, TABLE.at(2, 2), bowl, inside], (3.0, 2, 1.8), (2, 2, 0.8))
    assert shown.between("sports ball", "bowl") == ("in", "enclosing")
    assert shown.between("sports ball", "dining table") == (None, None)


def test_a_bowl_on_a_seat_contains_no_chair(show):
    """Although the middle of the chair's box is in the bowl's cavity."""
    bowl = BOWL.at(2, 2, 0.4)
    stool = Item(
        "chair",
        (plank(-0.2, 0.2, -0.2, 0.2, 0.3, 0.4, BLUE), plank(-0.2, -0.16, -0.2, 0.2, 0, 0.9, BLUE)),
    )
    shown = show([FLOOR, stool.at(2, 2), bowl], (3.2, 2, 1.2), (2, 2, 0.4))
    assert shown.between("bowl", "chair") == ("on", None)


def test_sitting_at_a_table_is_not_sitting_on_it(show):
    arm = plank(0.1, 0.4, 0.15, 0.2, 0.75, 0.8, BLUE)
    someone = person("sitting")
    someone = replace(someone, solids=(*someone.solids, arm)).at(2, 2)
    table = Item(
        "dining table",
        (plank(0, 0.6, -0.6, 0.6, 0.69, 0.75, RED), plank(0.5, 0.6, -0.6, 0.6, 0, 0.69, RED)),
    )
    shown = show(
        [FLOOR, CHAIR.at(2, 2), table.at(2.25, 2), someone], (2.2, -0.3, 1.2), (2.2, 2, 0.6)
    )
    assert shown.between("person", "chair") == ("sitting on", None)
    assert not {"sitting on", "on"} & set(shown.between("person", "dining table"))


def test_hair_leans_too(show):
    """The solid that touches the wall does not collide."""
    hair = box((0.03, 0.1, 0.1), (-0.13, 0, 1.52), GREY, collides=False)
    leaning = person(leans=True)
    leaning = replace(leaning, solids=(*leaning.solids, hair)).at(0.165, 2)
    shown = show([FLOOR, WALL, leaning], (3, 2, 1.3), (0, 2, 1))
    assert shown.between("person", "wall-brick") == ("leaning on", None)


def test_a_knee_below_a_table_does_not_bear_it(show):
    someone = person("sitting").at(2, 2)
    low = Item(
        "dining table",
        (plank(0, 0.6, -0.6, 0.6, 0.575, 0.63, RED), plank(0.5, 0.6, -0.6, 0.6, 0, 0.57, RED)),
    )
    shown = show([FLOOR, CHAIR.at(2, 2), low.at(2.2, 2), someone], (2.2, -0.3, 1.2), (2.2, 2, 0.6))
    assert shown.between("dining table", "floor-wood") == ("on", None)
    assert shown.between("dining table", "person")[0] != "on"


def test_gaze_passes_ones_own_head_and_what_one_holds(show):
    tv = replace(TV.at(0, 2, 1.4), holder=1, fastening="attached")
    someone = person(gaze=(1, 0, 0)).at(1.5, 2, 0, np.pi)
    inside_head = np.array([(0, 0, 1.52), (1, 0, 0)])
    someone = gazing(replace(someone, gaze=inside_head), (0, 2, 1.5))
    held = replace(PACK.at(1.2, 2, 1.3), holder=3, fastening="held")
    eye, target = (2.8, 0, 1.6), (0.8, 2, 1.2)
    shown = show([FLOOR, WALL, tv, someone, held], eye, target)
    assert shown.between("person", "tv")[0] == "looking at"
    assert shown.between("person", "backpack")[0] == "holding"
    free = replace(held, holder=None, fastening="")
    assert show([FLOOR, WALL, tv, someone, free], eye, target).between("person", "tv")[0] is None


def test_nobody_looks_further_than_six_metres(show):
    long_floor = Item("floor-wood", (plank(0, 9, 0, 4, -0.1, 0, GREY),))
    for distance, expected in ((5.5, "looking at"), (6.5, None)):
        someone = person(gaze=(1, 0, -0.1)).at(0.5, 2)
        plant = Item("potted plant", (disc(0.3, 0, 1.4, RED),)).at(0.5 + distance, 2)
        shown = show([long_floor, someone, plant], (4, -5, 2), (4, 2, 0.5))
        assert shown.between("person", "potted plant")[0] == expected


def test_a_tilted_solid_bears_and_props_by_its_slope(show):
    """A board 30 degrees from level bears what is on it; at 60 degrees they only touch."""
    for angle, expected in ((30, "on"), (60, None)):
        turn = turn_y(np.radians(angle))
        board = Item("bed", (box((0.6, 0.4, 0.03), (0, 0, 0), GREY),), np.array([2, 2, 0.8]), turn)
        cover = box((0.2, 0.2, 0.03), (0, 0, 0.065), RED)
        book = Item("book", (cover,), np.array([2, 2, 0.8]), turn)
        shown = show([FLOOR, board, book], (4, 2, 1.2), (2, 2, 0.8))
        assert shown.between("book", "bed")[0] == expected
