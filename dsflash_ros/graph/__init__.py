"""The result type, its vocabulary, its pixel maps, its topics. Imports neither torch nor ROS."""

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary

__all__ = ["Node", "Relation", "SceneGraph", "Vocabulary"]
