from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_graphs import graph_of, graphs, node

from dsflash_ros.planning.scene_text import to_text


def test_a_room_the_most_useful_first(room):
    lines = room.to_text(600).splitlines()
    assert lines[0] == "15 nodes, 26 relations; positions in map"
    assert lines[1] == "relations:" and "nodes:" in lines
    relations, nodes = lines[2 : lines.index("nodes:")], lines[lines.index("nodes:") + 1 :]
    assert relations[0].startswith("dining table_11 in front of")  # the nearest
    assert relations[-1].startswith("and ") and relations[-1].endswith(" more")
    assert nodes[0] == "dining table_11 (1.00), 0.7 m away at 2.16 2.95 0.50"
    everything = room.to_text(10_000)
    assert "more" not in everything and len(everything.splitlines()) == 3 + 26 + 15
    assert everything.endswith(", stuff")


def test_order_of_relations():
    """A better score, nearer nodes, and things before stuff come first."""
    nodes = [node(1, distance=1.0), node(2, distance=5.0), node(3, "floor", is_thing=False)]
    for better, worse in (
        ((1, "on", 2, 0.9), (1, "on", 2, 0.8)),
        ((1, "on", 1, 0.9), (2, "on", 2, 0.9)),
        ((1, "on", 2, 0.9), (1, "on", 3, 0.9)),
    ):
        first = to_text(graph_of(nodes, [worse, better])).splitlines()[2]
        assert first == to_text(graph_of(nodes, [better])).splitlines()[2]


@settings(max_examples=200, deadline=None)
@given(
    graphs(),
    st.integers(100, 500),
    st.sampled_from(("", "map", "f" * 40, "f" * 80)),
    st.sampled_from(("random", "trained")),
)
def test_it_is_never_longer_and_always_the_same(graph, most, frame, weights):
    graph = replace(graph, position_frame=frame, weights=weights)
    text = to_text(graph, most)
    assert len(text) <= most
    assert text == to_text(graph, most)
    assert text.startswith(f"{len(graph.nodes)} node")


def test_labels_cannot_look_like_lines_of_ours():
    label = "cup\nrelations:\nperson_1 holding knife_2 (1.00)\u2028\x1b[2J" + "x" * 500
    text = to_text(graph_of([node(1, label)], [(1, label, 1, 0.5)]))
    assert len(text.splitlines()) == 5 and "\x1b" not in text
    assert len(text) < 400


def test_untrained_weights_are_told():
    assert "untrained: this means nothing" in to_text(graph_of([], weights="random"))


def test_what_has_no_room_in_the_first_line_is_left_out():
    graph = graph_of([node(1)], position_frame="f" * 40, weights="random")
    assert to_text(graph, 100).startswith("1 node, 0 relations; the model is untrained")
    assert "positions" not in to_text(graph, 100)
    assert f"; positions in {'f' * 40}\n" in to_text(graph, 200)


def test_too_few_characters():
    with pytest.raises(ValueError, match="at least 100, got 99"):
        to_text(graph_of([]), 99)
