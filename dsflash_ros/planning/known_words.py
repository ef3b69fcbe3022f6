"""Whether a vocabulary has the classes and predicates that a question names."""

from difflib import SequenceMatcher

from dsflash_ros.geometry.spatial_relations import PREDICATES
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.planning.grammar import KEYWORDS
from dsflash_ros.planning.question import Question, plain
from dsflash_ros.planning.question_tokens import WORD, refusal

MOST_NAMED = 3
LEAST_LIKENESS = 0.7
"""So many names, so alike, are proposed instead of one that nobody knows."""


def check_words(
    question: Question, vocabulary: Vocabulary, graph: SceneGraph | None = None
) -> None:
    """Raise `QueryError` for the first word that neither the vocabulary nor the graph has.

    Geometric predicates are known, too.
    """
    known = {
        "class": {plain(name) for name in vocabulary.classes},
        "predicate": {plain(name) for name in (*vocabulary.predicates, *PREDICATES)},
    }
    for word in question.words:
        if word.name in known[word.kind] or word.name in _in_graph(word.kind, graph):
            continue
        problem = f"no {word.kind} is called {word.name!r}{_instead(word.name, known[word.kind])}"
        raise refusal(question.text, word.position, problem)


def written(name: str) -> str:
    """A class or predicate as questions name it, as in `dining_table`."""
    text = plain(name).replace(" ", "_")
    if WORD.fullmatch(text) and text not in KEYWORDS:
        return text
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_graph(kind: str, graph: SceneGraph | None) -> set[str]:
    if graph is None:
        return set()
    if kind == "class":
        return {plain(node.label) for node in graph.nodes}
    return {plain(relation.predicate) for relation in graph.relations}


def _instead(name: str, known: set[str]) -> str:
    """The names that are spelt most alike, as wholes or in one of their words."""
    by_likeness = sorted(known, key=lambda one: (-_likeness(name, one), one))
    near = [one for one in by_likeness[:MOST_NAMED] if _likeness(name, one) >= LEAST_LIKENESS]
    if not near:
        return f"; there are {', '.join(map(written, sorted(known)[:10]))} and others"
    return f"; did you mean {' or '.join(map(written, near))}?"


def _likeness(name: str, other: str) -> float:
    """From 0 to 1: how alike two names are, or one with a word of the other."""
    words = (other, *other.replace("-", " ").split())
    return max(SequenceMatcher(None, name[:60], word).ratio() for word in words)
