"""For each predicate that needs no camera, a room where it holds and one where it nearly holds."""

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
    SMALL_BALL,
    TABLE,
    TV,
    WALL,
    gazing,
    person,
)

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import egg, plank
from dsflash_ros.toyroom.truth.relation_rules import ORDER


def test_every_predicate_has_its_place():
    assert sorted(ORDER) == sorted(VOCABULARY.predicates)


def test_attached_to(show):
    tv = replace(TV.at(0, 2, 1.4), holder=1, fastening="attached")
    shown = show([FLOOR, WALL, tv], (3, 2, 1.4), (0, 2, 1.2))
    assert shown.between("tv", "wall-brick") == ("attached to", None)
    stands = TV.at(0, 2, 0.3)  # touches the wall, but stands on the floor
    shown = show([FLOOR, WALL, stands], (3, 2, 1.4), (0, 2, 0.5))
    assert shown.between("tv", "wall-brick") == (None, None)
    assert shown.between("tv", "floor-wood") == ("on", None)


def test_hanging_from(show):
    lamp = replace(LAMP.at(2, 2, 1.9), holder=1, fastening="hanging")
    shown = show([FLOOR, CEILING, lamp], (4.5, 2, 1.2), (2, 2, 2.0))
    assert shown.between("light", "ceiling-merged") == ("hanging from", None)
    shown = show([FLOOR, CEILING, LAMP.at(2, 2, 0)], (4.5, 2, 1.2), (1, 2, 1.2))
    assert shown.between("light", "ceiling-merged") == (None, None)
    assert shown.between("light", "floor-wood") == ("on", None)


@pytest.mark.parametrize(("fastening", "predicate"), [("held", "holding"), ("carried", "carrying")])
def test_holding_and_carrying(show, fastening, predicate):
    pack = replace(PACK.at(2.25, 2, 1.0), holder=1, fastening=fastening)
    eye, target = (2.5, 0, 1.2), (2.1, 2, 0.8)
    someone = person(gaze=(1, 0, -0.4)).at(2, 2)
    shown = show([FLOOR, someone, pack], eye, target)
    assert shown.between("person", "backpack") == (predicate, None)
    assert shown.between("person", "floor-wood") == ("standing on", None)
    table = TABLE.at(2.55, 2)
    reading = gazing(someone, (2.2, 2, 1.1))
    lying = PACK.at(2.2, 2, 0.75)  # touches the person
    shown = show([FLOOR, reading, lying, table], (2.5, 0, 1.6), target)
    assert shown.between("person", "backpack")[0] == "looking at"
    assert shown.between("backpack", "dining table") == ("on", None)


def test_on_back_of(show):
    worn = replace(PACK.at(1.8, 2, 1.0), holder=1, fastening="worn")
    eye, target = (1.6, 0, 1.2), (2, 2, 0.9)
    someone = person().at(2, 2)
    shown = show([FLOOR, someone, worn], eye, target)
    assert shown.between("backpack", "person") == ("on back of", None)
    held = replace(worn, position=np.array([2.2, 2, 1.0]), fastening="carried")
    shown = show([FLOOR, someone, held], eye, target)
    assert shown.between("backpack", "person") == (None, "carrying")
    behind = PACK.at(1.8, 2)
    shown = show([FLOOR, someone, behind], eye, target)
    assert "on back of" not in shown.between("backpack", "person")


def test_in_and_enclosing(show):
    bowl = BOWL.at(2, 2, 0.75)
    eye, target = (3.2, 2, 1.4), (2, 2, 0.8)
    shown = show([FLOOR, TABLE.at(2, 2), bowl, SMALL_BALL.at(2, 2, 0.85)], eye, target)
    assert shown.between("sports ball", "bowl") == ("in", "enclosing")
    assert shown.between("sports ball", "dining table") == (None, None)
    behind = BALL.at(1.7, 2, 0.75)
    shown = show([FLOOR, TABLE.at(2, 2), bowl, behind], (3.2, 2, 0.9), target)
    assert shown.between("sports ball", "bowl") == (None, "in front of")
    assert shown.between("sports ball", "dining table") == ("on", None)
    shown = show([FLOOR, TABLE.at(2, 2), bowl, SMALL_BALL.at(2, 2.22, 0.75)], eye, target)
    assert not {"in", "enclosing"} & set(shown.between("sports ball", "bowl"))


def test_in_an_open_suitcase(show):
    x, y, z = 0.25, 0.35, 0.15
    sides = [plank(-x, x, s - 0.01, s + 0.01, 0, z, BLUE) for s in (-y, y)]
    sides += [plank(s - 0.01, s + 0.01, -y, y, 0, z, BLUE) for s in (-x, x)]
    cavity = np.array([[-x, -y, 0], [x, y, 2 * z]])
    suitcase = Item("suitcase", (plank(-x, x, -y, y, 0, 0.01, GREY), *sides), cavity=cavity)
    shown = show([FLOOR, suitcase.at(2, 2, 0, 0.8), BALL.at(2, 2, 0.02)], (3.2, 2, 1.2), (2, 2, 0))
    assert shown.between("sports ball", "suitcase") == ("in", "enclosing")
    shown = show([FLOOR, suitcase.at(2, 2, 0, 0.8), BALL.at(2, 2.6, 0)], (3.2, 2, 1.2), (2, 2, 0))
    assert not {"in", "enclosing"} & set(shown.between("sports ball", "suitcase"))


def test_sitting_on(show):
    eye, target = (2.8, 0, 1.3), (2.1, 2, 0.6)
    shown = show([FLOOR, CHAIR.at(2, 2), person("sitting").at(2, 2)], eye, target)
    assert shown.between("person", "chair") == ("sitting on", None)
    assert shown.between("person", "floor-wood") == (None, None)  # although the feet touch it
    shown = show([FLOOR, CHAIR.at(2, 2), person().at(2.35, 2)], eye, target)  # stands before it
    assert "sitting on" not in shown.between("person", "chair")
    assert shown.between("person", "floor-wood") == ("standing on", None)


def test_lying_on(show):
    eye, target = (2, 0, 1.5), (2, 2, 0.5)
    shown = show([FLOOR, BED.at(2, 2), person("lying").at(2, 2, 0.45)], eye, target)
    assert shown.between("person", "bed") == ("lying on", None)
    before_bed = person("lying").at(2, 1.8)
    shown = show([FLOOR, BED.at(2, 2.6), before_bed], eye, target)
    assert shown.between("person", "bed") == ("in front of", None)
    assert shown.between("person", "floor-wood") == ("lying on", None)


def test_a_bear_sits_on_the_bed_or_before_it(show):
    bear = Item("teddy bear", (egg((0.1, 0.1, 0.15), (0, 0, 0.15), RED),), posture="sitting")
    eye, target = (2, 0.3, 1), (2, 2, 0.5)
    shown = show([FLOOR, BED.at(2, 2), bear.at(2, 1.7, 0.45)], eye, target)
    assert shown.between("teddy bear", "bed") == ("sitting on", None)
    shown = show([FLOOR, BED.at(2, 2), bear.at(2, 1.35)], eye, target)
    assert shown.between("teddy bear", "bed") == ("in front of", None)
    assert shown.between("teddy bear", "floor-wood") == ("sitting on", None)


def test_standing_on(show):
    eye, target = (4.5, 2, 1.3), (2, 2, 0.7)
    shown = show([FLOOR, RUG.at(2, 2), person().at(2, 2, 0.01)], eye, target)
    assert shown.between("person", "rug-merged") == ("standing on", None)
    assert shown.between("person", "floor-wood") == (None, None)
    shown = show([FLOOR, RUG.at(2, 2), person().at(2, 3)], eye, target)  # beside the rug
    assert shown.between("person", "rug-merged") == (None, None)
    assert shown.between("person", "floor-wood") == ("standing on", None)


def test_leaning_on(show):
    leaning, upright = person(leans=True), person()
    for someone, expected in (
        (leaning.at(0.1, 2), "leaning on"),
        (leaning.at(0.2, 2), None),
        (upright.at(0.1, 2), None),
    ):
        shown = show([FLOOR, WALL, someone], (3, 2, 1.3), (0, 2, 1))
        assert shown.between("person", "wall-brick") == (expected, None)


def test_nobody_leans_on_what_they_hold(show):
    pack = replace(PACK.at(2.2, 2, 1.0), holder=1, fastening="held")
    shown = show([FLOOR, person(leans=True).at(2, 2), pack], (2.2, 0, 1.2), (2, 2, 0.9))
    assert shown.between("person", "backpack") == ("holding", None)
    assert "leaning on" not in {predicate for _, predicate, _ in shown.said}


def test_nobody_leans_on_what_they_wear(show):
    worn = replace(PACK.at(0.1, 2, 1.0), holder=2, fastening="worn")
    shown = show([FLOOR, WALL, person(leans=True).at(0.3, 2), worn], (2, 0.5, 1.3), (0.2, 2, 0.9))
    assert shown.between("person", "backpack") == (None, "on back of")


def test_on(show):
    eye, target = (3, 2, 1.3), (2, 2, 0.75)
    shown = show([FLOOR, TABLE.at(2, 2), CUP.at(2, 2, 0.76)], eye, target)
    assert shown.between("cup", "dining table") == ("on", None)
    assert shown.between("cup", "floor-wood") == (None, None)
    fixed = replace(CUP, moves=False)
    for place in ((2, 2, 0.78), (2.46, 2, 0.65)):  # above the top, and touching its side
        shown = show([FLOOR, TABLE.at(2, 2), fixed.at(*place)], eye, target)
        assert "on" not in shown.between("cup", "dining table")


def test_furniture_stands_on_the_rug_and_the_rug_on_the_floor(show):
    shown = show([FLOOR, RUG.at(2, 2), CHAIR.at(2, 2, 0.01)], (4.5, 2, 1.5), (2, 2, 0.2))
    assert shown.said == {("chair", "on", "rug-merged"), ("rug-merged", "on", "floor-wood")}
    shown = show([FLOOR, RUG.at(2, 2), CHAIR.at(2, 2.81)], (4.5, 2, 1.5), (2, 2, 0.2))
    assert shown.said == {("chair", "on", "floor-wood"), ("rug-merged", "on", "floor-wood")}


def test_looking_at(show):
    tv = replace(TV.at(0, 2, 1.4), holder=1, fastening="attached")
    eye, target = (4.5, 0.5, 1.6), (1, 2, 1.2)
    someone = gazing(person(gaze=(1, 0, 0)).at(2, 3, 0, np.pi), (0, 2, 1.4))
    assert show([FLOOR, WALL, tv, someone], eye, target).between("person", "tv")[0] == "looking at"
    past = gazing(someone, (0, 2.58, 1.4))  # 8 cm past the edge
    assert show([FLOOR, WALL, tv, past], eye, target).between("person", "tv")[0] is None
    screen = Item("wall-other-merged", (plank(-0.02, 0.02, -0.4, 0.4, 0, 2, BLUE),)).at(1, 2.5)
    shown = show([FLOOR, WALL, tv, someone, screen], (4.5, 0, 1.6), target)
    assert shown.between("person", "tv")[0] is None  # nobody sees through a wall
