"""Rigid transforms, and where coordinate frames are at which time."""

import threading
from bisect import bisect
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dsflash_ros.errors import DSFlashError, ImageError
from dsflash_ros.graph.messages import stamp_seconds

KEPT_S = 10.0
"""Seconds of the past that are kept of each moving frame."""

LAG_S = 0.2
"""A frame's last transform is taken for times so much later: poses come after images."""

_JUMP_S = 1.0
"""A stamp that goes back by more is a jump of the clock; less is a message that came late."""

MAX_POSES = 20_000
"""Of a frame at most; the oldest go first. Ten seconds have fewer unless stamps are wrong."""

MAX_FRAMES = 1000
"""Further frames are refused."""

_FIXED = ("map", "odom", "world", "earth")
"""How names of frames end that do not move with the robot (REP-105)."""


class TransformError(DSFlashError):
    """A frame is not known, not connected, or not at that time."""


@dataclass(frozen=True, eq=False)
class Transform:
    """From one frame's coordinates to another's: rotate, then translate.

    Attributes:
        rotation: (3, 3).
        translation: (3,) metres.
    """

    rotation: np.ndarray
    translation: np.ndarray

    @classmethod
    def identity(cls) -> "Transform":
        return cls(np.eye(3), np.zeros(3))

    @classmethod
    def of_quaternion(cls, xyzw: np.ndarray, translation: np.ndarray) -> "Transform":
        """Raises `TransformError` for numbers that are no rotation or no place."""
        q, t = np.asarray(xyzw, float), np.asarray(translation, float)
        length = np.linalg.norm(q)
        if not np.isfinite(q).all() or not np.isfinite(t).all() or abs(length - 1) > 0.1:
            raise TransformError(f"a transform has the quaternion {q} and the translation {t}")
        x, y, z, w = q / length
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, t)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Points, (..., 3), in the other frame."""
        return points @ self.rotation.T + self.translation

    def after(self, other: "Transform") -> "Transform":
        """First the other, then this."""
        return Transform(
            self.rotation @ other.rotation, self.rotation @ other.translation + self.translation
        )

    def inverse(self) -> "Transform":
        return Transform(self.rotation.T, -self.rotation.T @ self.translation)


@dataclass
class _Frame:
    """A frame's place in its parent, at several times; quaternions (x, y, z, w)."""

    parent: str
    is_static: bool
    stamps: deque[float] = field(default_factory=deque)
    poses: deque[tuple[np.ndarray, np.ndarray]] = field(default_factory=deque)


class TransformBuffer:
    """Remembers what /tf and /tf_static say, and answers where frames are, as tf2's buffer does.

    Between two transforms it interpolates. It does not look into the future: see `LAG_S`. Threads
    may share it.
    """

    def __init__(self) -> None:
        self._frames: dict[str, _Frame] = {}
        self._lock = threading.Lock()

    def add(
        self,
        parent: str,
        child: str,
        stamp: float,
        xyzw: np.ndarray,
        translation: np.ndarray,
        is_static: bool = False,
    ) -> None:
        """Take in where `child` is in `parent`. `stamp`: seconds.

        When the clock has jumped back, what was known of the frame is forgotten.

        Quaternions are brought to unit length. Raises `TransformError` for what cannot be.
        """
        Transform.of_quaternion(xyzw, translation)  # raises
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            raise TransformError(f"a transform is from {parent!r} to {child!r}")
        quaternion = np.asarray(xyzw, float)
        pose = quaternion / np.linalg.norm(quaternion), np.asarray(translation, float)
        with self._lock:
            self._add(parent, child, stamp, pose, is_static)

    def _add(self, parent: str, child: str, stamp: float, pose: tuple, is_static: bool) -> None:
        known = self._frames.get(child)
        if known is None and len(self._frames) >= MAX_FRAMES:
            raise TransformError(f"there are more than {MAX_FRAMES} frames; {child!r} is one more")
        if known is None or known.parent != parent or known.is_static != is_static or is_static:
            known = self._frames[child] = _Frame(parent, is_static)
        if known.stamps and stamp < known.stamps[-1] - _JUMP_S:
            known.stamps.clear()
            known.poses.clear()
        place = bisect(known.stamps, stamp)
        if place and known.stamps[place - 1] == stamp:
            known.poses[place - 1] = pose
            return
        known.stamps.insert(place, stamp)
        known.poses.insert(place, pose)
        while known.stamps[-1] - known.stamps[0] > KEPT_S or len(known.stamps) > MAX_POSES:
            known.stamps.popleft()
            known.poses.popleft()

    def add_message(self, message: Any, is_static: bool) -> None:
        """Take in a `tf2_msgs/TFMessage`, or an object with its fields.

        Raises `TransformError` for the first transform that cannot be, after all others.
        """
        errors = []
        for one in message.transforms:
            q, t = one.transform.rotation, one.transform.translation
            try:
                self.add(
                    one.header.frame_id,
                    one.child_frame_id,
                    stamp_seconds(one.header.stamp),
                    (q.x, q.y, q.z, q.w),
                    (t.x, t.y, t.z),
                    is_static,
                )
            except (TransformError, ImageError) as error:
                errors.append(error)
        if errors:
            raise TransformError(f"/tf: {errors[0]}") from errors[0]

    def lookup(self, target: str, source: str, stamp: float) -> Transform:
        """From coordinates in `source` to coordinates in `target`, at that time.

        Raises `TransformError`, which says what is missing.
        """
        with self._lock:
            return self._lookup(target.lstrip("/"), source.lstrip("/"), stamp)

    def _lookup(self, target: str, source: str, stamp: float) -> Transform:
        up, down = self._path(source), self._path(target)
        common = next((frame for frame in up if frame in down), None)
        if common is None:
            for name in (target, source):
                if name not in self._frames and not any(
                    frame.parent == name for frame in self._frames.values()
                ):
                    raise TransformError(
                        f"nothing on /tf or /tf_static tells of the frame {name!r}"
                    )
            raise TransformError(f"/tf does not connect the frames {source!r} and {target!r}")
        rise = self._rise(up[: up.index(common)], stamp)
        return self._rise(down[: down.index(common)], stamp).inverse().after(rise)

    def root(self, name: str) -> str:
        """The outermost frame that this one is in; the frame itself when nothing is known of it."""
        with self._lock:
            return self._path(name.lstrip("/"))[-1]

    def copy(self) -> "TransformBuffer":
        """What is known now; what comes later changes this one alone."""
        found = TransformBuffer()
        with self._lock:
            found._frames = {
                name: _Frame(one.parent, one.is_static, one.stamps.copy(), one.poses.copy())
                for name, one in self._frames.items()
            }
        return found

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._frames.clear()

    def _path(self, name: str) -> list[str]:
        """The frame and those that it is in, up to the root."""
        path = [name]
        while (frame := self._frames.get(path[-1])) is not None:
            if frame.parent in path:
                raise TransformError(f"/tf goes round in a circle: {' in '.join(path)}")
            path.append(frame.parent)
        return path

    def _rise(self, names: list[str], stamp: float) -> Transform:
        """From the first of these frames to the parent of the last."""
        total = Transform.identity()
        for name in names:
            total = self._place(name, stamp).after(total)
        return total

    def _place(self, name: str, stamp: float) -> Transform:
        frame = self._frames[name]
        stamps, poses = frame.stamps, frame.poses
        if frame.is_static or stamps[-1] == stamp:
            return Transform.of_quaternion(*poses[-1])
        if stamp > stamps[-1] + LAG_S or stamp < stamps[0]:
            raise TransformError(
                f"/tf knows the frame {name!r} from {stamps[0]:.3f} to {stamps[-1]:.3f} s, "
                f"not at {stamp:.3f} s"
            )
        if stamp > stamps[-1]:
            return Transform.of_quaternion(*poses[-1])
        after = max(bisect(stamps, stamp), 1)
        if after == len(stamps):
            return Transform.of_quaternion(*poses[-1])
        share = (stamp - stamps[after - 1]) / max(stamps[after] - stamps[after - 1], 1e-9)
        (q0, t0), (q1, t1) = poses[after - 1], poses[after]
        return Transform.of_quaternion(_between(q0, q1, share), (1 - share) * t0 + share * t1)


def _between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """The rotation so far on the way between two (slerp), as quaternions (x, y, z, w)."""
    cosine = float(first @ second)
    if cosine < 0:  # q and -q are the same rotation
        second, cosine = -second, -cosine
    if cosine > 0.9999:
        mixed = (1 - share) * first + share * second
        return mixed / np.linalg.norm(mixed)
    angle = np.arccos(cosine)
    return (np.sin((1 - share) * angle) * first + np.sin(share * angle) * second) / np.sin(angle)


def fixed_frame(name: str) -> str:
    """The frame's name if it does not move with the robot, going by the name (REP-105); else ""."""
    return name if name.lower().endswith(_FIXED) else ""
