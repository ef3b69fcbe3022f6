import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dsflash_ros.graph.label_maps import label_boxes, node_labels

# Few values, so that there are runs, and segments without a pixel.
maps = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.int32, shape, elements=st.integers(-1, 4))
)


@given(maps)
def test_boxes_are_tight(labels):
    boxes = label_boxes(labels, 6)
    for index in range(6):
        y, x = np.nonzero(labels == index)
        expected = [x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [0, 0, 0, 0]
        assert boxes[index].tolist() == expected


def test_nodes_of_a_packed_map():
    random = np.random.default_rng(0)
    ids = [65535, 0, 7, 300]
    owners = random.integers(-1, 4, (9, 11))
    classes = random.integers(0, 500, 5)
    packed = np.where(owners < 0, -1, classes[owners] << 16 | np.array(ids)[owners])
    assert np.array_equal(node_labels(packed.astype(np.int32), ids), owners)
    left_out = node_labels(packed.astype(np.int32), ids[1:])
    assert np.array_equal(left_out, np.where(owners <= 0, -1, owners - 1))
