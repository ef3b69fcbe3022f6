"""How often scene graphs agree with the true ones."""

from collections import Counter

from planner import NOTHING, answers

from dsflash_ros.msg import SceneGraph, SceneNode

LEAST_IOU = 0.5


class Agreement:
    """Counts over frames: what is really there, and how much of it the graphs have.

    An answer counts where graph or truth have one other than nothing.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.true: Counter[str] = Counter()
        self.found: Counter[str] = Counter()

    def add(self, graph: SceneGraph, truth: SceneGraph) -> None:
        """Compare the graph of a frame with the true one."""
        same, said = matches(graph, truth), answers(graph)
        relations = {(r.subject_id, r.object_id, r.predicate) for r in graph.relations}
        true_relations = [(same.get(r.subject_id), same.get(r.object_id), r.predicate) for r in truth.relations]
        self.frames += 1
        self._count("objects", len(truth.nodes), len(same))
        self._count("relations", len(true_relations), sum(relation in relations for relation in true_relations))
        for question, answer in answers(truth).items():
            if {answer, said[question]} != {NOTHING}:  # whoever says nothing is right too often
                self._count(question, 1, said[question] == answer)

    def report(self) -> str:
        """As lines of text."""
        lines = [f"graph and truth agreed, in {self.frames} frames that have both:"]
        for what, number in self.true.items():
            of_what = "answers" if what.endswith("?") else f"true {what}"
            share = f" ({self.found[what] / number:.1%})" if number else ""
            lines.append(f"  {what:<30} {self.found[what]:5} of {number:5} {of_what}{share}")
        return "\n".join(lines)

    def _count(self, what: str, true: int, found: int) -> None:
        self.true[what] += true
        self.found[what] += found


def matches(graph: SceneGraph, truth: SceneGraph) -> dict[int, int]:
    """Ids of true nodes and of the nodes that show the same: of one class, boxes overlapping by half, best first."""
    overlaps = [(iou(a, b), a.id, b.id) for a in truth.nodes for b in graph.nodes if a.label == b.label]
    same: dict[int, int] = {}
    for overlap, true_id, found_id in sorted(overlaps, reverse=True):
        if overlap >= LEAST_IOU and true_id not in same and found_id not in same.values():
            same[true_id] = found_id
    return same


def iou(a: SceneNode, b: SceneNode) -> float:
    """Intersection over union of the boxes."""
    width = min(a.box.x_offset + a.box.width, b.box.x_offset + b.box.width) - max(a.box.x_offset, b.box.x_offset)
    height = min(a.box.y_offset + a.box.height, b.box.y_offset + b.box.height) - max(a.box.y_offset, b.box.y_offset)
    both = max(width, 0) * max(height, 0)
    return both / (a.box.width * a.box.height + b.box.width * b.box.height - both)
