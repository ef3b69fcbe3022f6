"""Where the nodes of a graph are, from a depth image."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from dsflash_ros.errors import ImageError
from dsflash_ros.geometry.camera import Intrinsics
from dsflash_ros.geometry.transforms import Transform
from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import Node, SceneGraph

WIDTH = 160
"""Pixels along the longer side of the grid in which depth is looked up."""

LEAST_POINTS, MOST_POINTS = 4, 400
"""A node with fewer measured points gets no position; of more, only every n-th is looked at."""

_JUMP = 0.04
"""A point whose depth differs from a neighbour's by more than this share lies on an edge, where
cameras mix the depths of front and back.
"""

_OUTLIER = 3.0
"""Points this many times the median deviation away from the median depth are left out."""

_EDGES = 0.05, 0.95
"""Quantiles between which an object extends."""


@dataclass(frozen=True, eq=False)
class Depth:
    """A depth image, in the frame of the colour image's camera (registered).

    Attributes:
        metres: (H, W) float32 along the optical axis; 0, negative, NaN and infinity mean that
            nothing was measured.
        camera: of the image that it is registered to, at any size.
    """

    metres: np.ndarray
    camera: Intrinsics

    def __post_init__(self) -> None:
        if self.metres.ndim != 2 or not self.metres.size:
            raise ImageError(f"a depth image must be (H, W), got {self.metres.shape}")
        height, width = self.metres.shape
        if abs(width * self.camera.height - height * self.camera.width) > max(
            self.camera.width, self.camera.height
        ):
            raise ImageError(
                f"the depth image is {width}x{height}, and camera_info says "
                f"{self.camera.width}x{self.camera.height}: it must be registered to the colour "
                "image, at its size or a scaled one"
            )


def locate(
    graph: SceneGraph, depth: Depth, pose: Transform | None = None, frame: str = ""
) -> SceneGraph:
    """The graph with position, extent and distance of each node that has enough depth.

    A node's points are those in its mask whose depth is like that of its inside, away from the
    mask's edges. The position is the middle between their 5 % and 95 % quantiles along each axis,
    the extent 1/0.9 of the distance between these: of what is seen of it, which is its front.

    Args:
        graph: of the colour image.
        depth: of the same time.
        pose: from the camera's optical frame to `frame`; None: positions are in the former.
        frame: name of the coordinate frame of the positions.

    Raises `ImageError` when the depth image has another shape than the graph's image.
    """
    _refuse_other_shape(graph, depth)
    rays, z = _seen(depth, graph.panoptic.shape)
    step = _step(*graph.panoptic.shape)
    small = graph.panoptic[step // 2 :: step, step // 2 :: step]
    numbers = node_labels(small, [node.id for node in graph.nodes])
    if len(graph.nodes) < 2**15:
        numbers = numbers.astype(np.int16)  # which is sorted several times as fast
    is_inner = _inner(numbers).ravel()
    order = np.argsort(numbers, axis=None, kind="stable")
    bounds = np.searchsorted(numbers.ravel()[order], np.arange(len(graph.nodes) + 1))
    nodes = []
    for index, node in enumerate(graph.nodes):
        every = max(1, (bounds[index + 1] - bounds[index]) // MOST_POINTS)
        mine = order[bounds[index] : bounds[index + 1] : every]
        points = rays[mine] * z[mine, None]
        nodes.append(_located(node, points, is_inner[mine], pose))
    camera = _camera_position(pose)
    return replace(graph, nodes=tuple(nodes), position_frame=frame, camera_position=camera)


def _located(node: Node, points: np.ndarray, is_inner: np.ndarray, pose: Transform | None) -> Node:
    kept = _robust(points, is_inner)
    if len(kept) < LEAST_POINTS:
        return replace(node, position=None, extent=None, distance=None)
    placed = kept if pose is None else pose(kept)
    low, high = _quantiles(placed)
    position, extent = (low + high) / 2, (high - low) / (_EDGES[1] - _EDGES[0])
    return replace(
        node,
        position=tuple(position.tolist()),
        extent=tuple(extent.tolist()),
        distance=math.dist(position, _camera_position(pose)),
    )


def _camera_position(pose: Transform | None) -> tuple[float, float, float]:
    return (0.0, 0.0, 0.0) if pose is None else tuple(pose.translation.tolist())


def _robust(points: np.ndarray, is_inner: np.ndarray) -> np.ndarray:
    """The points to go by, of all those in a mask; NaN where nothing was measured."""
    measured = np.isfinite(points[:, 2])
    points, is_inner = points[measured], is_inner[measured]
    if len(points) < LEAST_POINTS:
        return points
    depth = points[:, 2]
    inner = depth[is_inner] if np.count_nonzero(is_inner) >= LEAST_POINTS else depth
    middle = _median(inner)
    usual = max(_median(np.abs(inner - middle)), 0.01 * middle)
    return points[np.abs(depth - middle) <= _OUTLIER * usual]


def _median(values: np.ndarray) -> float:
    """Of an odd number of values the median, else the upper of both in the middle.

    `np.median` takes five times as long on a few hundred values.
    """
    half = len(values) // 2
    return float(np.partition(values, half)[half])


def _quantiles(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end along each axis, (3,) each."""
    last = len(points) - 1
    ends = [round(share * last) for share in _EDGES]
    sorted_points = np.sort(points, axis=0)
    return sorted_points[ends[0]].astype(float), sorted_points[ends[1]].astype(float)


def _refuse_other_shape(graph: SceneGraph, depth: Depth) -> None:
    height, width = graph.panoptic.shape
    own_height, own_width = depth.metres.shape
    if abs(width * own_height - height * own_width) > max(own_width, own_height):
        raise ImageError(
            f"the depth image is {own_width}x{own_height}, the colour image {width}x{height}: "
            "it must be registered to the colour image, at its size or a scaled one"
        )


def _step(height: int, width: int) -> int:
    """Every so-many-th row and column of an image is looked at."""
    return max(1, round(max(height, width) / WIDTH))


def _seen(depth: Depth, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """What is looked at of an image of that size, n pixels.

    Returns their rays, (n, 3) float32, where the third is 1, and metres along the optical axis,
    (n,) float32: NaN where nothing was measured, and at jumps of the depth.
    """
    places, rays = _looked_at(depth.camera, depth.metres.shape, size)
    z = depth.metres.ravel().take(places).astype(np.float32)
    with np.errstate(invalid="ignore"):
        z[~((z > 0) & np.isfinite(z))] = np.nan
    z[_jumps(z)] = np.nan
    return rays, z.ravel()


@lru_cache(maxsize=8)
def _looked_at(
    camera: Intrinsics, shape: tuple[int, int], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Where in a flat depth image the pixels are that are looked at, (h, w) int; and their rays."""
    step = _step(*size)
    rows, columns = (
        ((np.arange(step // 2, of, step) + 0.5) * own / of).astype(int)
        for own, of in zip(shape, size, strict=True)
    )
    rays = camera.scaled(shape[1], shape[0]).rays()[rows[:, None], columns].reshape(-1, 2)
    flat = rows[:, None] * shape[1] + columns
    return flat, np.hstack((rays, np.ones((len(rays), 1), rays.dtype)))


def _jumps(z: np.ndarray) -> np.ndarray:
    """(h, w) bool: where the depth is not between its neighbours' on both sides.

    A plane's depth grows steadily and is not taken for a jump, however steep it is.
    """
    found = np.zeros(z.shape, bool)
    with np.errstate(invalid="ignore"):
        for axis in (0, 1):
            before, after = np.roll(z, 1, axis), np.roll(z, -1, axis)
            bend = np.abs(before + after - 2 * z) > _JUMP * z
            edge = [slice(None)] * 2
            edge[axis] = [0, -1]
            bend[tuple(edge)] = False
            found |= bend
    return found


def _inner(numbers: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels whose neighbours are all of the same node."""
    values = numbers.astype(np.float32)
    kernel = np.ones((3, 3), np.uint8)
    return cv2.erode(values, kernel) == cv2.dilate(values, kernel)
