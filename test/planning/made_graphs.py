"""Any graphs, and any questions about them with their answers by trying all nodes."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from hypothesis import strategies as st

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.planning.question import COMPARISONS

CLASSES = ("cup", "dining table", "person")
PREDICATES = ("on", "standing on", "holding")
SCORES = (0.25, 0.5, 0.75, 1.0)


def node(number, label="cup", **fields):
    """A node without a mask."""
    given = {"class_id": 0, "is_thing": True, "score": 1.0, "area": 1} | fields
    return Node(number, label=label, box=(0, 0, 1, 1), centroid=(0.5, 0.5), **given)


def graph_of(nodes, relations=(), **fields):
    """A graph of an image with one pixel; relations are (subject, predicate, object, score)."""
    made = tuple(Relation(a, b, 0, name, score) for a, name, b, score in relations)
    return SceneGraph(tuple(nodes), made, np.full((1, 1), -1, np.int32), **fields)


@st.composite
def graphs(draw):
    """Up to five nodes, with and without tracks and distances, and all kinds of relations."""
    count = draw(st.integers(0, 5))
    nodes = [
        node(
            10 * number,
            draw(st.sampled_from(CLASSES)),
            score=draw(st.sampled_from(SCORES)),
            distance=draw(st.sampled_from((None, 1.0, 2.0, 3.0))),
            track_id=draw(st.sampled_from((None, number + 1))),
        )
        for number in range(count)
    ]
    if not nodes:
        return graph_of(())
    ids = st.sampled_from([one.id for one in nodes])
    found = st.tuples(ids, st.sampled_from(PREDICATES), ids, st.sampled_from(SCORES))
    return graph_of(nodes, draw(st.lists(found, max_size=12)))


@dataclass(frozen=True)
class Part:
    """A term of a question: its variable, whether that is written, and what is said of it."""

    variable: str
    is_named: bool = True
    classes: tuple = ()
    number: int | None = None

    def __str__(self):
        classes = "|".join(name.replace(" ", "_") for name in self.classes)
        number = "" if self.number is None else f"#{self.number}"
        if self.is_named:
            return f"?{self.variable}" + (f":{classes}" if classes else "") + number
        return f"{classes}{number}" or "?"

    def holds(self, node):
        own = node.id if node.track_id is None else node.track_id
        return (not self.classes or node.label in self.classes) and self.number in (None, own)


_counter = iter(range(10**9))
_names = st.sampled_from("abc")


@st.composite
def parts(draw):
    is_named = draw(st.booleans())
    return Part(
        draw(_names) if is_named else f"unnamed {next(_counter)}",
        is_named,
        tuple(draw(st.lists(st.sampled_from(CLASSES), max_size=2, unique=True))),
        draw(st.sampled_from((None, None, None, 1, 2, 10))),
    )


_least = st.one_of(
    st.just((">=", 0.0)),
    st.tuples(st.sampled_from(sorted(COMPARISONS)), st.sampled_from(SCORES)),
)
_predicates = st.lists(st.sampled_from(PREDICATES), max_size=2, unique=True).map(tuple)
_values = st.tuples(
    st.just("value"),
    _names,
    st.sampled_from(("score", "distance", "track", "id")),
    st.sampled_from(sorted(COMPARISONS)),
    st.sampled_from((0.5, 1, 2)),
)
simple_conditions = st.one_of(
    st.tuples(st.just("relation"), parts(), _predicates, parts(), _least),
    st.tuples(st.just("relation"), parts(), _predicates, parts(), _least),
    st.tuples(st.just("part"), parts()),
    _values,
    st.tuples(st.just("same"), _names, _names, st.booleans()),
)
conditions = st.recursive(
    simple_conditions,
    lambda inner: st.tuples(st.just("not"), st.lists(inner, min_size=1, max_size=2)),
    max_leaves=3,
)
questions = st.lists(conditions, min_size=1, max_size=3)


def text_of(question):
    return " and ".join(map(_text, question))


def _text(condition):
    kind, *rest = condition
    if kind == "relation":
        subject, predicates, object_, (sign, value) = rest
        names = "|".join(name.replace(" ", "_") for name in predicates) or "?"
        score = "" if (sign, value) == (">=", 0.0) else f" with score {sign} {value}"
        return f"{subject} {names} {object_}{score}"
    if kind == "part":
        return str(rest[0])
    if kind == "same":
        return f"?{rest[0]} {'=' if rest[2] else '!='} ?{rest[1]}"
    if kind == "value":
        return "?{}.{} {} {}".format(*rest)
    return f"not ({text_of(rest[0])})"


def named_variables(question):
    """The names that answers tell, in order of their first use."""
    found = [name for one in question for name in _variables(one) if " " not in name]
    return list(dict.fromkeys(found))


def _variables(condition):
    kind, *rest = condition
    if kind == "relation":
        return [rest[0].variable, rest[2].variable]
    if kind == "part":
        return [rest[0].variable]
    return {"same": rest[:2], "value": rest[:1], "not": []}[kind]


def by_trying_all(graph, question, bound=()):
    """Node ids of the named variables to the best score: what `query` is to find."""
    bound = dict(bound)
    names = list(dict.fromkeys(name for one in question for name in _variables(one)))
    new = [name for name in names if name not in bound]
    told = named_variables(question)
    found = {}
    for chosen in product(graph.nodes, repeat=len(new)):
        nodes = bound | dict(zip(new, chosen, strict=True))
        scores = [_score(graph, one, nodes) for one in question]
        if None not in scores:
            key = tuple(nodes[name].id for name in told)
            found[key] = max(found.get(key, 0.0), min(scores))
    return found


def _score(graph, condition, nodes):
    """The best score with which a condition holds; None where it does not."""
    kind, *rest = condition
    if kind == "relation":
        subject, predicates, object_, (sign, value) = rest
        a, b = nodes[subject.variable], nodes[object_.variable]
        fitting = [
            r.score
            for r in graph.relations
            if (r.subject, r.object) == (a.id, b.id)
            and (not predicates or r.predicate in predicates)
            and COMPARISONS[sign](r.score, value)
        ]
        return max(fitting, default=None) if subject.holds(a) and object_.holds(b) else None
    if kind == "part":
        holds = rest[0].holds(nodes[rest[0].variable])
    elif kind == "same":
        holds = (nodes[rest[0]] is nodes[rest[1]]) == rest[2]
    elif kind == "value":
        name, attribute, sign, value = rest
        own = getattr(nodes[name], "track_id" if attribute == "track" else attribute)
        holds = own is not None and COMPARISONS[sign](own, value)
    else:
        holds = not by_trying_all(graph, rest[0], nodes)
    return 1.0 if holds else None
