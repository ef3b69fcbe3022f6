"""The catalogue of things, except people: which function makes an item of which class.

Each call makes another item, with random shape, size and colour. It stands on z = 0 around the
origin and faces x.
"""

from collections.abc import Callable

import numpy as np

from dsflash_ros.toyroom.build.belongings import book, clock, laptop, sports_ball, teddy_bear
from dsflash_ros.toyroom.build.fittings import potted_plant, television
from dsflash_ros.toyroom.build.furniture import bed, chair, couch, dining_table
from dsflash_ros.toyroom.build.luggage import backpack, suitcase, umbrella
from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.tableware import bottle, bowl, cup

MAKERS: dict[str, Callable[[np.random.Generator], Item]] = {
    "backpack": backpack,
    "umbrella": umbrella,
    "suitcase": suitcase,
    "sports ball": sports_ball,
    "bottle": bottle,
    "cup": cup,
    "bowl": bowl,
    "chair": chair,
    "couch": couch,
    "potted plant": potted_plant,
    "bed": bed,
    "dining table": dining_table,
    "tv": lambda random: television(random, on_foot=True),
    "laptop": laptop,
    "book": book,
    "clock": clock,
    "teddy bear": teddy_bear,
}


def make(name: str, random: np.random.Generator) -> Item:
    """Make an item of this class. Raises `KeyError` for a class that is not in `MAKERS`."""
    return MAKERS[name](random)
