"""Graphs from measured segments and ranked relations. Imports no torch."""

from typing import TYPE_CHECKING

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.ranking import RankedRelations

if TYPE_CHECKING:
    from dsflash_ros.pipeline.arrays.array_segments import ArraySegments
    from dsflash_ros.pipeline.segments import ImageSegments


def build_graph(
    found: "ImageSegments | ArraySegments",
    ranked: RankedRelations,
    vocabulary: Vocabulary,
    **fields,
) -> SceneGraph:
    """The graph of one image; `fields` are further attributes of `SceneGraph`, such as `stamp`."""
    class_ids, scores = found.segments.class_ids.tolist(), found.segments.scores.tolist()
    nodes = tuple(
        Node(
            id=index,
            class_id=class_ids[index],
            label=vocabulary.classes[class_ids[index]],
            is_thing=vocabulary.is_thing(class_ids[index]),
            score=scores[index],
            box=tuple(found.boxes[index].tolist()),
            area=int(found.areas[index]),
            centroid=tuple(found.centroids[index].tolist()),
        )
        for index in range(len(found))
    )
    triplets = zip(
        ranked.pairs.tolist(), ranked.predicates.tolist(), ranked.scores.tolist(), strict=True
    )
    relations = tuple(
        Relation(subject, object, predicate, vocabulary.predicates[predicate], score)
        for (subject, object), predicate, score in triplets
    )
    return SceneGraph(nodes, relations, found.panoptic(), **fields)
