"""Finds the nodes that fulfil the conditions of a question, in a bounded number of steps."""

from collections.abc import Callable
from dataclasses import dataclass

from dsflash_ros.errors import QueryError
from dsflash_ros.graph.scene_graph import Relation, SceneGraph
from dsflash_ros.planning.question import (
    COMPARISONS,
    Conjunction,
    RelationPattern,
    Sameness,
    plain,
)

MOST_STEPS = 10_000
"""So many nodes and relations are tried for variables of one question; then it is an error."""


Found = Callable[[dict[str, int], tuple[Relation, ...], float], bool]
"""Is told of a match: the index of each variable's node, the relations that it rests on, and the
least of their scores. Returns whether that is enough."""


@dataclass(frozen=True)
class _Edges:
    """The best relation of each pair of nodes that fits a pattern, and the pairs both ways."""

    best: dict[tuple[int, int], Relation]
    objects: dict[int, list[int]]
    subjects: dict[int, list[int]]


@dataclass(frozen=True)
class _Plan:
    """A conjunction with the order in which its variables are found.

    Attributes:
        steps: variables (tried over their candidates), patterns, and what is only checked, which
            comes as soon as its variables are known.
        candidates: indices of the nodes that pass the tests of each variable.
        edges: of each pattern.
    """

    steps: list
    candidates: dict[str, list[int]]
    edges: dict[RelationPattern, _Edges]


class Search:
    """Searches one graph.

    Args:
        graph: that is searched.
        text: the question, for errors.
    """

    def __init__(self, graph: SceneGraph, text: str) -> None:
        self._nodes, self._text = graph.nodes, text
        index = {node.id: i for i, node in enumerate(graph.nodes)}
        self._relations: dict[str, list[tuple[int, int, Relation]]] = {}
        for relation in graph.relations:
            a, b = index.get(relation.subject), index.get(relation.object)
            if a is not None and b is not None:
                found = self._relations.setdefault(plain(relation.predicate), [])
                found.append((a, b, relation))
        self._steps_left = MOST_STEPS

    def run(self, conditions: Conjunction, found: Found) -> None:
        """Find all ways to fulfil the conditions; raises `QueryError` when there are too many.

        `found` must not keep the dict that it is given, which changes.
        """
        self._extend(self._plan(conditions, frozenset()), 0, {}, (), 1.0, found)

    def _plan(self, conditions: Conjunction, known: frozenset[str]) -> _Plan:
        """The order to search in: what has the fewest candidates first, then what hangs on it.

        `known`: variables that have their nodes already.
        """
        candidates = {
            name: [i for i, node in enumerate(self._nodes) if all(t.holds(node) for t in tests)]
            for name, tests in conditions.tests.items()
        }
        sets = {name: set(found) for name, found in candidates.items()}
        edges = {one: self._edges(one, sets) for one in conditions.patterns}
        checks: list = [*conditions.sames]
        checks += [
            (part, self._plan(part, frozenset(known | conditions.tests.keys())))
            for part in conditions.negations
        ]
        found, steps = set(known), []
        steps += [(name, sets[name]) for name in conditions.tests if name in known]
        patterns, variables = set(conditions.patterns), set(conditions.tests) - found
        _add_checks(steps, checks, found, known | conditions.tests.keys())
        while patterns or variables:
            step = _cheapest(patterns, variables, found, candidates, edges)
            steps.append(step)
            if isinstance(step, str):
                found.add(step)
            else:
                patterns.discard(step)
                found.update(step.variables)
            variables -= found
            _add_checks(steps, checks, found, known | conditions.tests.keys())
        return _Plan(steps, candidates, edges)

    def _edges(self, pattern: RelationPattern, candidates: dict[str, set[int]]) -> _Edges:
        subjects, objects = candidates[pattern.subject], candidates[pattern.object]
        compare, value = COMPARISONS[pattern.comparison], pattern.value
        edges = _Edges({}, {}, {})
        for name in pattern.predicates or self._relations:
            for a, b, relation in self._relations.get(name, ()):
                if a in subjects and b in objects and compare(relation.score, value):
                    before = edges.best.get((a, b))
                    if before is None:
                        edges.objects.setdefault(a, []).append(b)
                        edges.subjects.setdefault(b, []).append(a)
                    if before is None or before.score < relation.score:
                        edges.best[a, b] = relation
        return edges

    def _extend(
        self, plan: _Plan, step: int, nodes: dict, used: tuple, score: float, found: Found
    ) -> bool:
        """Find ways to go on from a partial match. Returns whether it is enough."""
        if step == len(plan.steps):
            return found(nodes, used, score)
        todo = plan.steps[step]
        if isinstance(todo, RelationPattern):
            return self._follow(plan, step, nodes, used, score, found)
        if not isinstance(todo, str):
            return self._holds(todo, nodes) and self._extend(
                plan, step + 1, nodes, used, score, found
            )
        for i in plan.candidates[todo]:
            self._count()
            nodes[todo] = i
            if self._extend(plan, step + 1, nodes, used, score, found):
                return True
        nodes.pop(todo, None)
        return False

    def _follow(
        self, plan: _Plan, step: int, nodes: dict, used: tuple, score: float, found: Found
    ) -> bool:
        """Go on with each relation that fits the step's pattern."""
        pattern = plan.steps[step]
        best = plan.edges[pattern].best
        new = [name for name in set(pattern.variables) if name not in nodes]
        for a, b in _pairs(pattern, plan.edges[pattern], nodes):
            self._count()
            nodes[pattern.subject], nodes[pattern.object] = a, b
            relation = best[a, b]
            least = min(score, relation.score)
            if self._extend(plan, step + 1, nodes, (*used, relation), least, found):
                return True
        for name in new:
            nodes.pop(name, None)
        return False

    def _holds(self, check, nodes: dict[str, int]) -> bool:
        self._count()
        if isinstance(check, Sameness):
            return (nodes[check.left] == nodes[check.right]) == check.is_same
        what, more = check
        if isinstance(what, str):
            return nodes[what] in more
        return not self._extend(more, 0, dict(nodes), (), 1.0, lambda *_: True)

    def _count(self) -> None:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise QueryError(
                f"the question {self._text!r:.80} has more combinations than the {MOST_STEPS} that "
                "are looked at: give its variables classes, or relations that connect them"
            )


def _pairs(pattern: RelationPattern, edges: _Edges, nodes: dict[str, int]) -> list[tuple[int, int]]:
    """Subjects and objects of a pattern, some of which may be known."""
    a, b = nodes.get(pattern.subject), nodes.get(pattern.object)
    if a is None and b is None:
        if pattern.subject == pattern.object:
            return [pair for pair in edges.best if pair[0] == pair[1]]
        return list(edges.best)
    if a is None:
        return [(one, b) for one in edges.subjects.get(b, ())]
    if b is None:
        return [(a, one) for one in edges.objects.get(a, ())]
    return [(a, b)] if (a, b) in edges.best else []


def _cheapest(patterns, variables, found, candidates, edges) -> str | RelationPattern:
    """The next step: a pattern that hangs on what is known, else what has the fewest candidates."""

    def cost(step) -> tuple:
        if isinstance(step, str):
            return 2, len(candidates[step]), step
        known = len(found.intersection(step.variables))
        return 2 - known / len(set(step.variables)) * 2, len(edges[step].best), str(step)

    return min((*patterns, *variables), key=cost)


def _add_checks(steps: list, checks: list, found: set[str], outside: set[str]) -> None:
    """Move checks whose variables are all found to the steps."""
    for check in list(checks):
        if isinstance(check, Sameness):
            needed = set(check.variables)
        else:
            needed = check[0].all_variables() & outside
        if needed <= found:
            steps.append(check)
            checks.remove(check)
