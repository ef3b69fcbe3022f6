import numpy as np
import pytest

pytest.importorskip("mujoco")

from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.build.rooms import make_room

ROOM_0 = """
floor-other-merged ceiling-merged
wall-other-merged wall-other-merged wall-other-merged wall-other-merged
door-stuff window-other curtain window-other rug-merged bed couch dining_table chair paper-merged
clock light person person sports_ball person umbrella person bottle potted_plant book cup bowl cup
book book backpack potted_plant backpack teddy_bear suitcase sports_ball
"""


def test_a_seed_gives_the_room_that_it_always_gave():
    """A change of any draw of random numbers changes all that comes after it."""
    items, lights = make_room(np.random.default_rng(0))
    assert [item.name.replace(" ", "_") for item in items] == ROOM_0.split()
    assert items[-1].position == pytest.approx([4.183662279558791, 2.2748909738474365, 0.0])
    assert len(lights) == 2


def test_rooms_have_what_the_vocabulary_has():
    rooms = [make_room(np.random.default_rng(seed))[0] for seed in range(8)]
    names = {item.name for items in rooms for item in items}
    assert names == set(VOCABULARY.classes)
    for items in rooms:
        assert items[0].name.startswith("floor")
        for index, item in enumerate(items):
            assert item.holder is None or item.holder < index
            assert not (item.moves and item.holder is not None)
