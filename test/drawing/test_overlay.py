"""What the overlay shows, on graphs made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from dsflash_ros.drawing.overlay import draw_overlay, draw_panoptic
from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph, pack_panoptic

GREY = 128


def graph_of(size, masks, relations=(), weights="trained"):
    """A graph of {node id: (y, x) slices}; relations are (subject, predicate, object)."""
    panoptic = np.full(size, -1, np.int32)
    for node_id, region in masks.items():
        panoptic[region] = pack_panoptic(7, node_id)
    nodes = []
    for node_id in masks:
        y, x = (panoptic == pack_panoptic(7, node_id)).nonzero()
        box = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
        nodes.append(
            Node(node_id, 7, "cup", True, 0.9, box, len(x), (x.mean() + 0.5, y.mean() + 0.5))
        )
    relations = tuple(Relation(a, b, 0, predicate, 0.8) for a, predicate, b in relations)
    return SceneGraph(tuple(nodes), relations, panoptic, weights=weights)


def grey(size):
    return np.full((*size, 3), GREY, np.uint8)


def changed(a, b):
    """(H, W) bool: where two pictures differ."""
    return (a != b).any(axis=2)


LEFT = (slice(100, 380), slice(40, 280))
RIGHT = (slice(100, 380), slice(360, 600))
SIZE = (480, 640)


def test_an_empty_graph_leaves_the_image_as_it_is():
    image = grey(SIZE)
    picture = draw_overlay(image, graph_of(SIZE, {}))
    np.testing.assert_array_equal(picture, image)
    assert not np.shares_memory(picture, image)


def test_only_masks_and_labels_are_painted():
    image = grey(SIZE)
    picture = draw_overlay(image, graph_of(SIZE, {1: LEFT}))
    painted = changed(picture, image)
    assert painted[LEFT].all()
    assert not painted[:, 300:].any()
    assert (image == GREY).all()


def test_nodes_have_distinct_colours_that_stay():
    both = draw_overlay(grey(SIZE), graph_of(SIZE, {1: LEFT, 2: RIGHT}))
    alone = draw_overlay(grey(SIZE), graph_of(SIZE, {2: RIGHT}))
    corner = (120, 380)  # within RIGHT, away from border and label
    np.testing.assert_array_equal(both[corner], alone[corner])
    assert np.abs(both[corner].astype(int) - both[120, 60]).max() > 50


def test_colours_follow_the_track_not_the_id():
    def tracked(graph, **track_ids):
        nodes = (replace(n, track_id=track_ids[f"n{n.id}"]) for n in graph.nodes)
        return replace(graph, nodes=tuple(nodes))

    corner = (120, 380)
    one = draw_overlay(grey(SIZE), tracked(graph_of(SIZE, {1: LEFT, 2: RIGHT}), n1=7, n2=9))
    other = draw_overlay(grey(SIZE), tracked(graph_of(SIZE, {2: LEFT, 1: RIGHT}), n2=7, n1=9))
    np.testing.assert_array_equal(one[corner], other[corner])
    plain = draw_overlay(grey(SIZE), graph_of(SIZE, {1: LEFT, 2: RIGHT}))
    assert np.abs(one[corner].astype(int) - plain[corner]).max() > 50


def test_tracks_of_one_colour_are_labelled_each_at_its_own_mask():
    """There are 255 colours: the tracks 3 and 258 share one."""
    graph = graph_of(SIZE, {1: LEFT, 2: RIGHT})
    nodes = [replace(n, track_id=t) for n, t in zip(graph.nodes, (3, 258), strict=True)]
    picture = draw_overlay(grey(SIZE), replace(graph, nodes=tuple(nodes)))
    apart = draw_overlay(grey(SIZE), graph)
    for region in (LEFT, RIGHT):  # a label is the only black or white within a mask
        lettering = (picture[region] == 0).all(2) | (picture[region] == 255).all(2)
        assert lettering.any() and (apart[region] != GREY).any()


def test_masks_are_translucent_with_a_solid_border():
    image = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    picture = draw_overlay(image, graph_of(SIZE, {1: LEFT}))
    inside = (slice(110, 200), slice(50, 250))
    assert np.corrcoef(image[inside][..., 0].ravel(), picture[inside][..., 0].ravel())[0, 1] > 0.7
    assert (picture[100, 50:250] == picture[100, 50]).all()


def test_things_stand_out_from_stuff():
    graph = graph_of(SIZE, {1: LEFT})
    stuff = SceneGraph(
        tuple(
            Node(n.id, n.class_id, n.label, False, n.score, n.box, n.area, n.centroid)
            for n in graph.nodes
        ),
        (),
        graph.panoptic,
        weights="trained",
    )
    spot = (120, 60)
    shifts = [
        np.abs(draw_overlay(grey(SIZE), g)[spot].astype(int) - GREY).sum() for g in (graph, stuff)
    ]
    assert shifts[0] > 1.5 * shifts[1] > 0


def test_relations_are_arrows_between_their_nodes():
    masks = {1: LEFT, 2: RIGHT}
    bare = draw_overlay(grey(SIZE), graph_of(SIZE, masks))
    there = draw_overlay(grey(SIZE), graph_of(SIZE, masks, [(1, "on", 2)]))
    back = draw_overlay(grey(SIZE), graph_of(SIZE, masks, [(2, "on", 1)]))
    gap = slice(290, 350)  # between the two masks
    assert changed(there, bare)[:, gap].any(axis=0).all()
    assert changed(there, back)[:, gap].any()
    # The head is wider than the shaft: more ink at the object than at the subject.
    ink = changed(there, bare)
    assert ink[:, 400:440].sum() > ink[:, 200:240].sum()


def test_only_the_strongest_relations_are_drawn():
    graph = graph_of(SIZE, {1: LEFT, 2: RIGHT}, [(1, "on", 2), (2, "under", 1)])
    none, one, both, more = (draw_overlay(grey(SIZE), graph, max_relations=n) for n in (0, 1, 2, 3))
    assert changed(none, one).any() and changed(one, both).any()
    np.testing.assert_array_equal(both, more)
    first = graph_of(SIZE, {1: LEFT, 2: RIGHT}, [(1, "on", 2)])
    np.testing.assert_array_equal(one, draw_overlay(grey(SIZE), first))


@pytest.mark.parametrize("size", [(16, 16), (48, 64), (480, 640), (1080, 1920)])
def test_an_untrained_graph_says_so(size):
    trained, untrained = (
        draw_overlay(grey(size), graph_of(size, {}, weights=w)) for w in ("mine", "random-tiny")
    )
    assert not changed(trained, grey(size)).any()
    rows = changed(untrained, grey(size)).all(axis=1)
    assert rows[0] and 0 < rows.sum() <= max(3, size[0] // 5)
    assert (untrained[0].astype(int) @ [2, -1, -1] > 200).all()


@pytest.mark.parametrize(
    "size", [(16, 16), (17, 4000), (4000, 17), (64, 64), (97, 131), (2160, 3840)]
)
def test_any_size(size):
    height, width = size
    masks = {
        0: (slice(0, height // 2), slice(None)),
        65535: (slice(height // 2, None), slice(None)),
        3: (slice(height // 3, height // 2 + 1), slice(width // 3, width // 2 + 1)),
    }
    relations = [(0, "on", 65535), (65535, "over", 0), (3, "in", 0), (3, "in", 65535)]
    picture = draw_overlay(grey(size), graph_of(size, masks, relations, weights="random"))
    assert picture.shape == (*size, 3) and picture.dtype == np.uint8
    assert changed(picture, grey(size)).mean() > 0.99


def test_many_nodes():
    masks = {
        i: (slice(i // 20 * 20, i // 20 * 20 + 20), slice(i % 20 * 30, i % 20 * 30 + 30))
        for i in range(400)
    }
    relations = [(i, "beside", i + 1) for i in range(50)]
    picture = draw_overlay(
        grey((400, 600)), graph_of((400, 600), masks, relations), max_relations=50
    )
    assert changed(picture, grey((400, 600))).mean() > 0.99


def test_an_image_of_another_size_is_refused():
    with pytest.raises(
        ImageError,
        match=r"graph is of a 640x480 image, it cannot be drawn on \(100, 100, 3\) uint8",
    ):
        draw_overlay(grey((100, 100)), graph_of(SIZE, {}))
    with pytest.raises(ImageError, match="float64"):
        draw_overlay(grey(SIZE).astype(float), graph_of(SIZE, {}))


def test_strided_views_can_be_drawn_on():
    wide = np.random.default_rng(0).integers(0, 255, (480, 700, 3), np.uint8)
    graph = graph_of(SIZE, {1: LEFT})
    np.testing.assert_array_equal(
        draw_overlay(wide[:, :640], graph), draw_overlay(wide[:, :640].copy(), graph)
    )


def test_panoptic_picture_is_flat_and_black_where_nothing_is():
    picture = draw_panoptic(graph_of(SIZE, {0: LEFT, 7: RIGHT}))
    assert picture.shape == (*SIZE, 3) and picture.dtype == np.uint8
    colours = [np.unique(picture[region].reshape(-1, 3), axis=0) for region in (LEFT, RIGHT)]
    assert [len(of_node) for of_node in colours] == [1, 1]
    outside = np.ones(SIZE, bool)
    outside[LEFT] = outside[RIGHT] = False
    assert not picture[outside].any()
    assert (colours[0] != colours[1]).any() and colours[0].any() and colours[1].any()
