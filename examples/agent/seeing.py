"""What makes graphs of a simulated robot's images, without ROS: the truth, or a model."""

import numpy as np

from dsflash_ros.geometry.positions import Depth, locate
from dsflash_ros.graph.scene_graph import TRUTH, Node, Relation, SceneGraph
from dsflash_ros.toyroom import VOCABULARY
from dsflash_ros.toyroom.camera.true_positions import MAP_FRAME, lens, located_truth, pose
from dsflash_ros.toyroom.robot.robot_room import RobotRoom


def see_truth(room: RobotRoom) -> SceneGraph:
    """The true graph of what is in view."""
    return located_truth(room.observe(), room.time_s)


def see_everything(room: RobotRoom) -> SceneGraph:
    """The true graph of the whole room, also of what is not in view. Renders nothing."""
    facts, nodes = room.facts, []
    for index, (name, (low, high)) in enumerate(zip(facts.names, facts.extents, strict=True)):
        class_id = VOCABULARY.classes.index(name)
        nodes.append(
            Node(
                index,
                class_id,
                name,
                VOCABULARY.is_thing(class_id),
                score=1.0,
                box=(0, 0, 1, 1),
                area=1,
                centroid=(0.5, 0.5),
                track_id=index,
                position=tuple(((low + high) / 2).tolist()),
                extent=tuple((high - low).tolist()),
                distance=0.0,
            )
        )
    bears = {"on": facts.rests_on, "in": facts.encloses.T}
    relations = [
        Relation(int(a), int(b), VOCABULARY.predicates.index(predicate), predicate, 1.0, TRUTH)
        for predicate, pairs in bears.items()
        for a, b in np.argwhere(pairs)
    ]
    nothing = np.full((1, 1), -1, np.int32)
    return SceneGraph(
        tuple(nodes), tuple(relations), nothing, room.time_s, position_frame=MAP_FRAME
    )


class ModelEyes:
    """A model's graphs of what is in view, with positions in the map; tracked or not."""

    def __init__(self, weights: str, is_tracked: bool = True) -> None:
        from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

        self._pipeline = SceneGraphPipeline.from_weights(weights)
        self._pipeline.for_trackers = is_tracked
        self._is_tracked = is_tracked
        self.reset()

    def reset(self) -> None:
        """Forget all tracks: another room follows."""
        from dsflash_ros.tracking.tracker import Tracker

        self._tracker = Tracker(fixed_frame=MAP_FRAME) if self._is_tracked else None

    def __call__(self, room: RobotRoom) -> SceneGraph:
        """The graph of what the robot sees now."""
        from dsflash_ros.pipeline.tracked import track

        shot = room.observe()
        graph = self._pipeline(shot.picture.rgb, room.time_s)
        graph = locate(graph, Depth(shot.depth, lens(shot.camera)), pose(shot.camera), MAP_FRAME)
        if self._tracker is None:
            return graph
        return track(self._tracker, graph, shot.picture.rgb, self._pipeline.options)
