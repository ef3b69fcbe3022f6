"""Scene graphs as problems in PDDL, the language of task planners."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dsflash_ros.graph.scene_graph import SceneGraph

PDDL_WORDS = (
    "and",
    "assign",
    "define",
    "either",
    "exists",
    "forall",
    "imply",
    "not",
    "number",
    "object",
    "or",
    "when",
)
"""Names that PDDL keeps to itself."""


def to_pddl(graph: "SceneGraph", name: str = "scene", domain: str = "scene_graph") -> str:
    """A PDDL problem: nodes are typed objects, relations are initial facts, the goal is empty.

    An object is called after its class and id, as in `cup_3`, and its type is its class.
    """
    types = {node.class_id: _pddl_symbol(node.label, node.class_id) for node in graph.nodes}
    symbols = {node.id: f"{types[node.class_id]}_{node.id}" for node in graph.nodes}
    objects = "".join(f"\n    {symbols[n.id]} - {types[n.class_id]}" for n in graph.nodes)
    facts = "".join(
        f"\n    ({_pddl_symbol(r.predicate, r.predicate_id)} {symbols[r.subject]} {symbols[r.object]})"
        for r in graph.relations
    )
    return (
        f"(define (problem {_pddl_symbol(name)})\n  (:domain {_pddl_symbol(domain)})\n"
        f"  (:objects{objects})\n  (:init{facts})\n  (:goal (and)))\n"
    )


def _pddl_symbol(text: str, number: int | None = None) -> str:
    """PDDL names are letters, digits, `-` and `_`, start with a letter, and are none of its own
    words.

    Spaces become `-`. Where more than that must go, `number`, the name's id, keeps different names
    apart.
    """
    symbol = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")
    loses = symbol != text.lower().replace(" ", "-")
    symbol = symbol if symbol[:1].isalpha() else f"x{symbol}"
    return (
        f"{symbol}-{number}" if number is not None and (loses or symbol in PDDL_WORDS) else symbol
    )
