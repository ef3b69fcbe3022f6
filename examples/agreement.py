"""How far scene graphs agree with the true ones."""

from collections import Counter

from planner import answers

from dsflash_ros.msg import SceneGraph, SceneNode

LEAST_IOU = 0.5


class Agreement:
    """Counts of objects, relations and parts of answers over frames.

    Each is counted three times: the true ones, those that the graphs tell, and those in both. Two
    objects are the same if class and place are, two relations if both objects and the predicate
    are. Of an answer each part counts, such as "cup" of what is on the table.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.true: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.both: Counter[str] = Counter()

    def add(self, graph: SceneGraph, truth: SceneGraph) -> None:
        """Compare the graph of a frame with the true one."""
        same, said = matches(graph, truth), answers(graph)
        told = {(r.subject_id, r.object_id, r.predicate) for r in graph.relations}
        true = {
            (same.get(r.subject_id), same.get(r.object_id), r.predicate) for r in truth.relations
        }
        self.frames += 1
        self._count("objects", len(truth.nodes), len(graph.nodes), len(same))
        self._count("relations", len(truth.relations), len(told), len(told & true))
        for question, answer in answers(truth).items():
            self._count(question, len(answer), len(said[question]), len(answer & said[question]))

    def report(self) -> str:
        """As lines of text."""
        lines = [f"graphs beside the truth, in {self.frames} frames that have both:"]
        for what, true in self.true.items():
            told, both = self.told[what], self.both[what]
            recall = f"{_percent(both, true)} of {true} true ones told"
            precision = f"{_percent(both, told)} of {told} told are true"
            lines.append(f"  {what:<30} {recall}, {precision}")
        return "\n".join(lines)

    def _count(self, what: str, true: int, told: int, both: int) -> None:
        self.true[what] += true
        self.told[what] += told
        self.both[what] += both


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def matches(graph: SceneGraph, truth: SceneGraph) -> dict[int, int]:
    """Ids of true nodes, and for each the id of the node that shows the same object.

    That is one of the same class whose box overlaps by half at least; the best pairs come first.
    """
    overlaps = [
        (iou(a, b), a.id, b.id) for a in truth.nodes for b in graph.nodes if a.label == b.label
    ]
    same: dict[int, int] = {}
    for overlap, true_id, found_id in sorted(overlaps, reverse=True):
        if overlap >= LEAST_IOU and true_id not in same and found_id not in same.values():
            same[true_id] = found_id
    return same


def iou(a: SceneNode, b: SceneNode) -> float:
    """Intersection over union of the boxes."""
    left, top = max(a.box.x_offset, b.box.x_offset), max(a.box.y_offset, b.box.y_offset)
    right = min(a.box.x_offset + a.box.width, b.box.x_offset + b.box.width)
    bottom = min(a.box.y_offset + a.box.height, b.box.y_offset + b.box.height)
    both = max(right - left, 0) * max(bottom - top, 0)
    return both / (a.box.width * a.box.height + b.box.width * b.box.height - both)
