"""Questions to scene graphs: `query(graph, "nearest ?x:cup where not ?p:person holding ?x")`.

docs/answers.md has the grammar, and says what it means.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from dsflash_ros.errors import QueryError
from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.planning.grammar import MOST_ANSWERS, parse
from dsflash_ros.planning.known_words import check_words
from dsflash_ros.planning.question import ORDERS, Question
from dsflash_ros.planning.search import Search

DEFAULT_LIMIT = 100

_Best = dict[tuple[int, ...], tuple[float, tuple[Relation, ...]]]
"""Indices of the variables' nodes to the best score with them, and what it rests on."""


@dataclass(frozen=True, repr=False)
class QueryAnswer:
    """One way in which a graph fulfils a question.

    Attributes:
        nodes: what the question's variables stand for, by name without `?`.
        relations: those that the answer rests on, one for each pattern outside of negations.
        score: the least score of these relations; 1 without any.
    """

    nodes: dict[str, Node]
    relations: tuple[Relation, ...]
    score: float

    def __getitem__(self, variable: str) -> Node:
        return self.nodes[variable]

    def __str__(self) -> str:
        return ", ".join(f"{name}: {node.name}" for name, node in self.nodes.items()) or "yes"

    def __repr__(self) -> str:
        return f"Answer({self}; {self.score:.2f})"


@dataclass(frozen=True)
class Answers(Sequence[QueryAnswer]):
    """What a graph answers, the best first; false when nothing.

    A question without variables has one answer without nodes, or none.

    Attributes:
        variables: the question's, in order of their first use, without `?`.
        found: the answers.
        is_cut: there were more than the limit.
        graph: that answered.
    """

    variables: tuple[str, ...]
    found: tuple[QueryAnswer, ...]
    is_cut: bool
    graph: SceneGraph = field(repr=False)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index):
        return self.found[index]

    def __iter__(self) -> Iterator[QueryAnswer]:
        return iter(self.found)


def query(
    graph: SceneGraph,
    text: str,
    limit: int | None = None,
    vocabulary: Vocabulary | None = None,
) -> Answers:
    """The graph's answers to a question.

    Args:
        graph: of which is asked.
        text: the question, as `?x on table#3`; docs/answers.md has the grammar.
        limit: the most answers, 1 to 1000, the best are kept; None: 100. A smaller limit in the
            text stands.
        vocabulary: of the model that made the graph; with it, classes and predicates that it does
            not know are an error. Without it, nothing has them.

    Raises `QueryError` when the text cannot be read, names what the vocabulary does not know, or
    asks for more combinations of nodes than are looked at.
    """
    question = read_question(text, graph, vocabulary)
    limit = _limit(limit, question)
    best: _Best = {}

    def found(nodes: dict[str, int], relations: tuple[Relation, ...], score: float) -> bool:
        key = tuple([nodes[name] for name in question.variables])
        known = best.get(key)
        if known is None or known[0] < score:
            best[key] = score, relations
        return not key and score == 1.0

    Search(graph, question.text).run(question.conditions, found)
    chosen = nsmallest(limit, best, key=_place(question, graph.nodes, best))
    return Answers(
        variables=question.variables,
        found=tuple(_answer(question, graph.nodes, key, best[key]) for key in chosen),
        is_cut=len(best) > limit,
        graph=graph,
    )


def read_question(
    text: str, graph: SceneGraph | None = None, vocabulary: Vocabulary | None = None
) -> Question:
    """Read and check a question without answering it; raises `QueryError` as `query` does."""
    if not isinstance(text, str):
        raise QueryError(f"a question is a text such as '?x on table#3', got {text!r:.60}")
    question = parse(text)
    if vocabulary is not None:
        check_words(question, vocabulary, graph)
    return question


def _limit(limit: int | None, question: Question) -> int:
    if limit is not None and not 1 <= limit <= MOST_ANSWERS:
        raise QueryError(f"a limit is from 1 to {MOST_ANSWERS}, got {limit}")
    return min(
        limit or (DEFAULT_LIMIT if question.limit is None else MOST_ANSWERS),
        question.limit or MOST_ANSWERS,
    )


def _place(question: Question, nodes: Sequence[Node], best: _Best):
    """What answers are sorted by: the question's order, then the score, then the graph's order."""
    if question.order is None:
        return lambda key: (-best[key][0], key)
    kind, variable = question.order
    index = question.variables.index(variable)

    def place(key: tuple[int, ...]) -> tuple:
        value = ORDERS[kind](nodes[key[index]])
        return (math.inf if value is None else value, -best[key][0], key)

    return place


def _answer(question: Question, nodes: Sequence[Node], key: tuple[int, ...], best) -> QueryAnswer:
    score, relations = best
    found = {name: nodes[i] for name, i in zip(question.variables, key, strict=True)}
    return QueryAnswer(found, relations, score)
