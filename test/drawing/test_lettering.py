"""Texts on a picture keep apart and stay within it."""

from itertools import combinations

import numpy as np
import pytest

from dsflash_ros.drawing.lettering import Box, Lettering

BLACK, WHITE, RED = (0, 0, 0), (255, 255, 255), (255, 0, 0)


def overlap(a: Box, b: Box) -> bool:
    return a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1


@pytest.mark.parametrize("size", [(480, 640), (120, 160), (2160, 3840), (100, 2000)])
def test_texts_at_one_point_do_not_overlap(size):
    height, width = size
    lettering = Lettering(np.zeros((*size, 3), np.uint8))
    places = [
        lettering.place(f"dining table_{i}", (width / 2, height / 2), BLACK, WHITE)
        for i in range(12)
    ]
    boxes = [box for box in places if box]
    assert len(boxes) >= 3
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert all(0 <= b.x0 < b.x1 <= width and 0 <= b.y0 < b.y1 <= height for b in boxes)


def test_the_nearest_free_place_is_taken():
    lettering = Lettering(np.zeros((480, 640, 3), np.uint8))
    first = lettering.place("cup", (300, 200), BLACK, WHITE)
    second = lettering.place("cup", (300, 200), BLACK, WHITE)
    elsewhere = lettering.place("cup", (100, 400), BLACK, WHITE)
    assert np.allclose(first.centre, (300, 200), atol=1) and np.allclose(
        elsewhere.centre, (100, 400), atol=1
    )
    assert (
        not overlap(first, second)
        and abs(second.centre[1] - 200) < 40
        and abs(second.centre[0] - 300) < 80
    )


def test_a_text_near_the_border_is_moved_inside():
    box = Lettering(np.zeros((480, 640, 3), np.uint8)).place("refrigerator", (639, 0), BLACK, WHITE)
    assert box.x1 == 640 and box.y0 == 0


def test_a_full_picture_leaves_texts_out():
    picture = np.zeros((60, 80, 3), np.uint8)
    lettering = Lettering(picture)
    places = [lettering.place("cup", (40, 30), WHITE, RED) for _ in range(50)]
    assert places[0] and places[-1] is None
    lettering.draw()
    assert (picture == 0).all(axis=2).mean() > 0.5
    assert (
        Lettering(np.zeros((16, 16, 3), np.uint8)).place("dining table", (8, 8), WHITE, RED) is None
    )


def test_texts_are_drawn_in_their_boxes():
    picture = np.zeros((480, 640, 3), np.uint8)
    lettering = Lettering(picture)
    box = lettering.place("giraffe_3 0.97", (320, 240), WHITE, RED)
    assert not picture.any()
    lettering.draw()
    y, x = picture.any(axis=2).nonzero()
    assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == tuple(map(int, box))
    ink = (picture > 100).all(axis=2)
    y, x = ink.nonzero()
    assert y.min() > box.y0 and y.max() < box.y1 - 1 and x.min() > box.x0 and x.max() < box.x1 - 1


@pytest.mark.parametrize(
    "size", [(16, 16), (48, 64), (480, 640), (2160, 3840), (16, 4000), (4000, 16)]
)
def test_banner_fits_any_picture_and_keeps_texts_off(size):
    picture = np.zeros((*size, 3), np.uint8)
    lettering = Lettering(picture)
    lettering.banner("UNTRAINED MODEL", WHITE, RED)
    box = lettering.place("cup", (0, 0), WHITE, BLACK)
    lettering.draw()
    strip = (picture[:, 0] == RED).all(axis=1)
    height = strip.argmin()
    assert 0 < height <= max(3, size[0] // 5) and not strip[height:].any()
    if min(size) > 100:  # the text stays within
        assert (picture[0] == RED).all() and (picture[height - 1] == RED).all()
    assert box is None or box.y0 >= height
    has_text = (picture[:height] > 100).all(axis=2).any()
    assert has_text or min(size) < 200
