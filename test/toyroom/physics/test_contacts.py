from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("mujoco")

from hand_made import FLOOR, RED, WALL

from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import ball, plank
from dsflash_ros.toyroom.physics.contacts import contacts
from dsflash_ros.toyroom.physics.simulation import Simulation


def test_contacts_of_fixed_things_that_meet_exactly():
    """Their distance is 0, which has no direction of its own."""
    table = Item("dining table", (plank(-0.4, 0.4, -0.4, 0.4, 0, 0.7, RED),))
    found = {
        (contact.a, contact.b): contact.normal.round(6).tolist()
        for contact in contacts(Simulation([FLOOR, table.at(0.4, 2), WALL]))
        if contact.a != 0 or contact.b != 2
    }
    assert found == {(0, 1): [0, 0, 1], (1, 2): [-1, 0, 0]}


@pytest.mark.parametrize(
    ("distance", "touches"), [(-0.004, True), (0.0, True), (0.018, True), (0.022, False)]
)
def test_contacts_reach_as_far_as_the_gap(distance, touches):
    """Two balls, one diagonally above the other."""
    way = np.array([1, 2, 3]) / np.sqrt(14)
    globe = Item("sports ball", (ball(0.1, (0, 0, 0), RED),))
    found = list(contacts(Simulation([globe, replace(globe, position=way * (0.2 + distance))])))
    assert len(found) == touches
    if touches and distance:
        assert found[0].normal == pytest.approx(way, abs=1e-6)
