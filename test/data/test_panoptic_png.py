import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dsflash_ros.data.panoptic_png import colours_of, ids_of, labels_of

# Few values, so that there are runs, and segments without a pixel.
maps = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.integers(-1, 4))
)


def test_colours():
    rgb = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [255, 255, 255]]], np.uint8)
    assert ids_of(rgb).tolist() == [[1, 256], [65536, 2**24 - 1]]
    random = np.random.default_rng(0).integers(0, 2**24, (13, 17))
    assert np.array_equal(ids_of(colours_of(random)), random)


@given(maps, st.permutations(range(1, 7)))
def test_labels_are_indexes_of_segments(pixels, ids):
    """Of the six possible ids of the PNG, 0 and some others belong to no segment."""
    segment_ids = np.array(ids[:5]) * 1000003 % 2**24
    png = np.where(pixels < 0, 0, (pixels + 1) * 1000003 % 2**24).astype(np.int32)
    labels, areas = labels_of(png, segment_ids)
    known = segment_ids.tolist()
    expected = [[known.index(i) if i in known else -1 for i in row] for row in png.tolist()]
    assert labels.dtype == np.int32 and labels.tolist() == expected
    assert areas.tolist() == [int((png == i).sum()) for i in known]


def test_labels_without_segments():
    labels, areas = labels_of(np.full((2, 3), 7, np.int32), np.zeros(0, np.int64))
    assert (labels == -1).all() and labels.shape == (2, 3) and areas.shape == (0,)
