"""Scene graphs as short texts for language models."""

import math

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph

LEAST_CHARACTERS = 100
"""Less text than that says nothing."""

MOST_LABEL = 40
"""Characters of a class or predicate; the rest is cut off."""

NEAR_M = 2.0
"""At this distance a relation is worth half of what it is worth nearby."""

STUFF_WORTH = 0.5
"""What a relation is worth by each of its ends that is stuff, not a thing."""

_SHARE = 0.5
"""Of the characters, for relations, as long as there are nodes that want the rest."""


def to_text(graph: SceneGraph, max_characters: int = 2000) -> str:
    """What a graph says, the most useful first; the same graph always gives the same text.

    A line each for relations, those with a high score, of near nodes, and of things before stuff
    first; then nodes, things before stuff, the nearest first. Names are those of `Node.name`, which
    questions understand: `cup_7` is `cup#7`.

    Args:
        graph: as it is.
        max_characters: the text is never longer; at least 100.

    Raises `ValueError` for fewer.
    """
    if max_characters < LEAST_CHARACTERS:
        raise ValueError(f"max_characters is at least {LEAST_CHARACTERS}, got {max_characters}")
    by_id = {node.id: node for node in graph.nodes}
    relations = [r for r in graph.relations if r.subject in by_id and r.object in by_id]
    relations.sort(key=lambda r: -_worth(r, by_id))
    nodes = sorted(graph.nodes, key=_node_rank)
    told = [_relation_line(relation, by_id) for relation in relations]
    seen = [_node_line(node) for node in nodes]
    head = _head(graph, len(relations), max_characters)
    left = max_characters - len(head)
    for_nodes = _length("nodes:", seen)
    of_relations = _section("relations:", told, max(left - for_nodes, int(_SHARE * left)))
    of_nodes = _section("nodes:", seen, left - len(of_relations))
    return head + of_relations + of_nodes


def _head(graph: SceneGraph, relations: int, room: int) -> str:
    """The first line: counts, and of what else is to be known the most important that has room."""
    head = f"{_count(len(graph.nodes), 'node')}, {_count(relations, 'relation')}"
    notes = [] if graph.is_trained else ["; the model is untrained: this means nothing"]
    if graph.position_frame:
        notes.append(f"; positions in {_clean(graph.position_frame)}")
    for note in notes:
        head += note if len(head) + len(note) <= room else ""
    return head


def _worth(relation: Relation, nodes: dict[int, Node]) -> float:
    ends = nodes[relation.subject], nodes[relation.object]
    far = min((n.distance for n in ends if n.distance is not None), default=NEAR_M)
    stuff = sum(not node.is_thing for node in ends)
    return relation.score * STUFF_WORTH**stuff / (1 + max(far, 0.0) / NEAR_M)


def _node_rank(node: Node) -> tuple:
    distance = math.inf if node.distance is None else node.distance
    return (not node.is_thing, distance, -node.score, node.id)


def _relation_line(relation: Relation, nodes: dict[int, Node]) -> str:
    subject, object_ = nodes[relation.subject], nodes[relation.object]
    return f"{_name(subject)} {_clean(relation.predicate)} {_name(object_)} ({relation.score:.2f})"


def _node_line(node: Node) -> str:
    line = f"{_name(node)} ({node.score:.2f})"
    if node.distance is not None:
        line += f", {node.distance:.1f} m away"
    if node.position is not None:
        line += " at " + " ".join(f"{round(value, 2) + 0.0:.2f}" for value in node.position)
    return line if node.is_thing else line + ", stuff"


def _name(node: Node) -> str:
    number = node.id if node.track_id is None else node.track_id
    return f"{_clean(node.label)}_{number}"


def _clean(text: str) -> str:
    """A name in one line, so that no label can look like a line of ours."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MOST_LABEL]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _length(title: str, lines: list[str]) -> int:
    return len(title) + 1 + sum(len(line) + 1 for line in lines) if lines else 0


def _section(title: str, lines: list[str], room: int) -> str:
    """Title and as many lines as there is room for, each after a line break."""
    if _length(title, lines) <= room:
        return "".join(f"\n{line}" for line in (title, *lines)) if lines else ""
    found, used = [], len(title) + 1
    for line in lines:
        rest = len(f"\nand {len(lines)} more")
        if used + len(line) + 1 + rest > room:
            break
        found.append(line)
        used += len(line) + 1
    more = f"and {len(lines) - len(found)} more"
    kept = [title, *found, more] if found else [f"{title} {more[4:]}"]
    text = "".join(f"\n{line}" for line in kept)
    return text if len(text) <= room else ""
