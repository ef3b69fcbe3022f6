"""Items made by hand, which tests can place to the millimetre."""

from dataclasses import replace

import numpy as np

from dsflash_ros.toyroom.build.scene import Item
from dsflash_ros.toyroom.build.solids import ball, box, disc, lathe, plain, plank, rod
from dsflash_ros.toyroom.build.tableware import bowl

GREY, RED, BLUE = plain((0.6, 0.6, 0.6)), plain((0.8, 0.2, 0.2)), plain((0.2, 0.3, 0.8))
FLOOR = Item("floor-wood", (plank(0, 5, 0, 4, -0.1, 0, GREY),))
WALL = Item("wall-brick", (plank(-0.1, 0, 0, 4, 0, 2.5, RED),))
CEILING = Item("ceiling-merged", (plank(0, 5, 0, 4, 2.5, 2.6, GREY),))
RUG = Item("rug-merged", (plank(-0.6, 0.6, -0.6, 0.6, 0, 0.01, BLUE),))
LEGS = [
    plank(x - 0.03, x + 0.03, y - 0.03, y + 0.03, 0, 0.7, RED)
    for x in (-0.35, 0.35)
    for y in (-0.45, 0.45)
]
TABLE = Item("dining table", (plank(-0.4, 0.4, -0.5, 0.5, 0.7, 0.75, RED), *LEGS))
CHAIR = Item(
    "chair",
    (plank(-0.2, 0.2, -0.2, 0.2, 0, 0.45, BLUE), plank(-0.2, -0.16, -0.2, 0.2, 0.45, 0.9, BLUE)),
    tops=np.array([[-0.15, -0.2, 0.2, 0.2, 0.45]]),
)
BED = Item("bed", (plank(-1.0, 1.0, -0.5, 0.5, 0, 0.45, BLUE),))
BOWL = replace(bowl(np.random.default_rng(0)), moves=False)
CUP = Item("cup", (disc(0.06, 0, 0.13, BLUE),), moves=True)
BALL = Item("sports ball", (ball(0.12, (0, 0, 0.12), RED),), moves=True)
SMALL_BALL = Item("sports ball", (ball(0.05, (0, 0, 0.05), RED),), moves=True)
PACK = Item("backpack", (box((0.1, 0.15, 0.2), (0, 0, 0.2), RED),))
TV = Item("tv", (plank(0, 0.05, -0.5, 0.5, -0.3, 0.3, GREY),))
LAMP = Item(
    "light", (lathe([(0.2, 0), (0.05, 0.25)], RED), rod(0.01, (0, 0, 0.2), (0, 0, 0.6), GREY))
)


def person(posture: str = "standing", gaze=None, leans: bool = False) -> Item:
    """A person who faces x: stands, sits with the feet 0.45 m below the seat, or lies along x."""
    if posture == "sitting":
        solids = [plank(-0.1, 0.1, -0.15, 0.15, 0.45, 1.05, BLUE), ball(0.11, (0, 0, 1.17), RED)]
        solids += [plank(0.0, 0.4, y - 0.06, y + 0.06, 0.45, 0.57, GREY) for y in (-0.08, 0.08)]
        solids += [plank(0.28, 0.4, y - 0.06, y + 0.06, 0, 0.45, GREY) for y in (-0.08, 0.08)]
        eye = (0.12, 0, 1.17)
    elif posture == "lying":
        solids = [plank(-0.7, 0.6, -0.18, 0.18, 0, 0.22, BLUE), ball(0.11, (0.72, 0, 0.11), RED)]
        eye = (0.72, 0, 0.23)
    else:
        solids = [plank(-0.1, 0.1, -0.2, 0.2, 0.8, 1.4, BLUE), ball(0.11, (0, 0, 1.52), RED)]
        solids += [plank(-0.08, 0.08, y - 0.07, y + 0.07, 0, 0.8, GREY) for y in (-0.1, 0.1)]
        eye = (0.12, 0, 1.52)
    looks = None if gaze is None else np.array([eye, gaze], float)
    return Item("person", tuple(solids), posture=posture, leans=leans, gaze=looks)


def gazing(item: Item, target) -> Item:
    """A copy of the item that looks at a point of the world."""
    eye = item.to_world(item.gaze[0])
    direction = item.rotation.T @ (np.asarray(target) - eye)
    return replace(item, gaze=np.array([item.gaze[0], direction]))
