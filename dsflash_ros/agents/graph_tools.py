"""What agents can do with a scene graph: read it, ask it, wait for it, look at it."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import cv2
import numpy as np

from dsflash_ros.agents.worlds import World
from dsflash_ros.errors import DSFlashError, NoGraphError
from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.planning.query import Answers, read_question

MOST_CALLS = 16
"""So many calls are worked on at once; others are refused."""

MOST_WAIT_S = 60.0
MOST_ANSWERS = 50
MOST_CHARACTERS = 20_000
MOST_PIXELS = 1024
"""Of the longer side of a picture."""

Result = TypeVar("Result")


class GraphTools:
    """The tools, without a protocol; each may be called from any thread.

    All raise `DSFlashError` with a sentence for the agent.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._calls = threading.Semaphore(MOST_CALLS)

    def run(self, job: Callable[[], Result]) -> Result:
        """Run a call of a tool, unless there are too many already."""
        if not self._calls.acquire(blocking=False):
            raise DSFlashError(
                f"{MOST_CALLS} calls are being worked on: wait for their results, then call again"
            )
        try:
            return job()
        finally:
            self._calls.release()

    def text(self, max_characters: int) -> str:
        """The newest graph as a text."""
        latest = self._world.latest
        if (graph := latest.graph) is None:
            raise NoGraphError("there is no graph yet; call wait_for, or try again in a second")
        age = f"image of {graph.stamp:.3f} s, graph {latest.age_s:.1f} s old"
        return f"{age}\n{graph.to_text(max(max_characters - len(age) - 1, 100))}"

    def query(self, question: str, limit: int) -> dict[str, Any]:
        """Answers of the newest graph."""
        return self._told(self._world.latest.query(question, limit))

    def wait_for(
        self, question: str, timeout_s: float, limit: int, is_cancelled: Callable[[], bool]
    ) -> dict[str, Any]:
        """Answers of the first graph that has one."""
        latest = self._world.latest
        read_question(question, latest.graph, latest.vocabulary)

        def condition(graph: SceneGraph) -> Answers:
            if is_cancelled():
                raise NoGraphError("the call was cancelled")
            return graph.query(question, limit, latest.vocabulary)

        return self._told(latest.wait_for(condition, timeout_s))

    def look(self) -> bytes:
        """The overlay as a JPEG."""
        picture = self._world.picture()
        scale = MOST_PIXELS / max(picture.shape[:2])
        if scale < 1:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        done, jpeg = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]))
        if not done:
            raise DSFlashError("the picture cannot be made a JPEG")
        return jpeg.tobytes()

    def _told(self, answers: Answers) -> dict[str, Any]:
        graph = answers.graph
        names = {node.id: node.name for node in graph.nodes}
        return {
            "stamp": graph.stamp,
            "age_s": round(self._world.latest.age_s, 2),
            "answers": [
                {
                    "nodes": {name: _node(node) for name, node in answer.nodes.items()},
                    "relations": [_relation(relation, names) for relation in answer.relations],
                    "score": round(answer.score, 3),
                }
                for answer in answers
            ],
            "is_cut": answers.is_cut,
        }


def _node(node: Node) -> dict[str, Any]:
    told = {
        "name": node.name,
        "class": node.label,
        "number": node.id if node.track_id is None else node.track_id,
        "score": round(float(node.score), 3),
        "box": list(node.box),
    }
    if node.position is not None:
        told["position_m"] = [round(float(value), 3) for value in node.position]
    if node.distance is not None:
        told["distance_m"] = round(float(node.distance), 3)
    return told


def _relation(relation: Relation, names: dict[int, str]) -> str:
    subject, object_ = names[relation.subject], names[relation.object]
    return f"{subject} {relation.predicate} {object_} ({relation.score:.2f})"
