"""From the names that a model tells apart to those that were asked for."""

from dataclasses import dataclass, replace

import numpy as np

from dsflash_ros.graph.scene_graph import NOTHING, SceneGraph, pack_panoptic, unpack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.ranking import RankedRelations


@dataclass(frozen=True)
class Translation:
    """Ids of what the model tells apart (*inner* ones) to ids of what was asked for, and back.

    Attributes:
        known: the names that the weights learned.
        inner: the names that the model tells apart.
        asked: the names of the graphs.
        classes: (inner classes,) int64, the asked class of each, or -1.
        predicates: (inner predicates,) int64, the asked predicate of each, or -1.
        meant_classes, meant_predicates: for each asked name the one that the weights learned for
            it; empty for a new word.
    """

    known: Vocabulary
    inner: Vocabulary
    asked: Vocabulary
    classes: np.ndarray
    predicates: np.ndarray
    meant_classes: tuple[str, ...]
    meant_predicates: tuple[str, ...]

    @classmethod
    def without_change(cls, vocabulary: Vocabulary) -> "Translation":
        """That of weights which are asked for nothing but what they know."""
        ids = np.arange(len(vocabulary.classes)), np.arange(len(vocabulary.predicates))
        return cls(
            vocabulary, vocabulary, vocabulary, *ids, vocabulary.classes, vocabulary.predicates
        )

    @property
    def changes(self) -> bool:
        """Whether anything that was asked for differs from what the model tells apart."""
        return self.inner != self.asked

    @property
    def of_known(self) -> "Translation":
        """From the names that the weights learned, which truths speak, to the asked ones."""
        places = [self.inner.classes.index(name) for name in self.known.classes]
        predicates = self.predicates[: len(self.known.predicates)]  # new ones come behind them
        return replace(self, inner=self.known, classes=self.classes[places], predicates=predicates)

    def inner_classes(self, asked: np.ndarray) -> np.ndarray:
        """Inner ids of asked classes, (n,) int; -1 for -1, and for those that no output is."""
        table = np.full(len(self.asked.classes) + 1, -1)
        said = np.flatnonzero(self.classes >= 0)
        table[self.classes[said]] = said
        return table[asked]  # -1 takes the last entry

    def relations(self, ranked: RankedRelations, limit: int | None = None) -> RankedRelations:
        """The best relations whose predicates were asked for, with their asked ids."""
        pairs, predicates, scores = ranked.as_arrays()
        predicates = self.predicates[predicates]
        kept = np.flatnonzero(predicates >= 0)[:limit]
        return RankedRelations(pairs[kept], predicates[kept], scores[kept])

    def graph(self, graph: SceneGraph, limit: int) -> SceneGraph:
        """The part of a graph of the model that was asked for, in the asked names.

        Nodes are numbered anew. `limit`: relations to keep, the best.
        """
        kept = [node for node in graph.nodes if self.classes[node.class_id] >= 0]
        numbers = {node.id: number for number, node in enumerate(kept)}
        nodes = tuple(
            replace(node, id=numbers[node.id], **self._class(node.class_id)) for node in kept
        )
        relations = [
            replace(
                relation,
                subject=numbers[relation.subject],
                object=numbers[relation.object],
                predicate_id=predicate,
                predicate=self.asked.predicates[predicate],
            )
            for relation in graph.relations
            if (predicate := int(self.predicates[relation.predicate_id])) >= 0
            and relation.subject in numbers
            and relation.object in numbers
        ]
        looks = graph.appearance
        if looks is not None:
            looks = looks[[index for index, node in enumerate(graph.nodes) if node.id in numbers]]
        return replace(
            graph,
            nodes=nodes,
            relations=tuple(relations[:limit]),
            panoptic=self._panoptic(graph, numbers),
            appearance=looks,
        )

    def _class(self, inner: int) -> dict:
        class_id = int(self.classes[inner])
        label, is_thing = self.asked.classes[class_id], self.asked.is_thing(class_id)
        return {"class_id": class_id, "label": label, "is_thing": is_thing}

    def _panoptic(self, graph: SceneGraph, numbers: dict[int, int]) -> np.ndarray:
        packed = np.full(max((node.id for node in graph.nodes), default=0) + 2, NOTHING)
        for node in graph.nodes:
            if node.id in numbers:
                class_id = int(self.classes[node.class_id])
                packed[node.id] = pack_panoptic(class_id, numbers[node.id])
        return packed[unpack_panoptic(graph.panoptic)[1]].astype(np.int32)
