"""What falls, what rests, and what moves along."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import FLOOR, GREY, RED

from dsflash_ros.errors import ToyroomError
from dsflash_ros.toyroom.build.scene import Item, turn_x
from dsflash_ros.toyroom.build.solids import ball, disc
from dsflash_ros.toyroom.physics.simulation import Simulation

CUP = Item("cup", (disc(0.05, 0, 0.12, RED),), moves=True)
BALL = Item("sports ball", (ball(0.1, (0, 0, 0.1), RED),), moves=True)
BOTTLE = Item("bottle", (disc(0.03, 0, 0.3, RED),), moves=True)


def test_what_moves_falls_and_comes_to_rest():
    simulation = Simulation(
        [FLOOR, CUP.at(1, 1, 0.1), BALL.at(2, 2, 0.05), replace(CUP, moves=False).at(3, 3, 0.5)]
    )
    assert simulation.settle()
    assert [round(item.position[2], 2) for item in simulation.items] == [0, 0, 0, 0.5]
    assert np.abs(simulation.items[1].position[:2] - 1).max() < 0.01


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(CUP.at(6, 2, 0.1), id="falls past the floor"),
        pytest.param(replace(BOTTLE.at(2, 2, 0.01), rotation=turn_x(0.7)), id="falls over"),
        pytest.param(CUP.at(2, 2, 0.5), id="falls too far"),
    ],
)
def test_a_room_that_does_not_settle_is_found_out(thing):
    assert not Simulation([FLOOR, thing]).settle()


def test_what_is_held_moves_with_its_holder():
    bowl = Item("bowl", (disc(0.1, 0, 0.05, GREY),), moves=True).at(2, 2, 0.1, 0.5)
    inside = replace(BALL, moves=False, holder=1, position=np.array([2.02, 2, 0.16]))
    simulation = Simulation([FLOOR, bowl, inside])
    assert simulation.settle()
    assert simulation.items[2].position == pytest.approx([2.02, 2, 0.06], abs=0.01)


def test_an_item_that_holds_itself_is_refused_with_one_sentence():
    with pytest.raises(ToyroomError, match="holds itself"):
        Simulation([FLOOR, replace(CUP, moves=False, holder=1)])


def test_an_item_that_falls_and_is_held_is_refused_with_one_sentence():
    with pytest.raises(ToyroomError, match="item 1, a cup, cannot both fall and be held"):
        Simulation([FLOOR, replace(CUP, holder=0)])
