"""What is replayed of bags, and how: the same for all bags of a command, on every machine."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from dsflash_ros.option import Value
from dsflash_ros.pipeline.choice import settings_of
from dsflash_ros.ros.replay.bag_replay import Replay, Written, replay_bag
from dsflash_ros.ros.replay.cameras import Cameras
from dsflash_ros.ros.replay.graph_maker import GraphMaker
from dsflash_ros.ros.replay.parts import Parts
from dsflash_ros.sources.bag_names import local_bag
from dsflash_ros.tracking.tracking_options import TrackingOptions


class Replayed(NamedTuple):
    """How a replay ended.

    Attributes:
        graphs: made, those of earlier attempts included.
        skipped: images or messages that could not be used.
        was_complete: everything was there already.
    """

    graphs: int = 0
    skipped: int = 0
    was_complete: bool = False


@dataclass(frozen=True)
class Recipe:
    """What is replayed of each bag, and how.

    Attributes:
        topics: of the images; empty: the only one of a bag.
        start_s, end_s, stride: as of `Cameras`.
        is_tracked: identities and steady relations; else each image alone.
        target_frame: of positions, see `GraphFollower`.
        written: what goes into the results.
        choice: values of all options of the model, of images and of tracking, by name.
        overwrite: begin anew where results are.
    """

    topics: tuple[str, ...]
    start_s: float
    end_s: float | None
    stride: int
    is_tracked: bool
    target_frame: str
    written: Written
    choice: Mapping[str, Value]
    overwrite: bool = False

    @property
    def tracking(self) -> TrackingOptions | None:
        """Options of the tracker; None: without."""
        return TrackingOptions.of(self.choice) if self.is_tracked else None

    def settings(self, bag: dict[str, str]) -> dict:
        """What must not change when a replay goes on, as far as the bag need not be read for it.

        `bag` says which bag it is.
        """
        return {
            **bag,
            "start": self.start_s,
            "end": self.end_s,
            "stride": self.stride,
            "track": self.is_tracked,
            "target_frame": self.target_frame,
            "written": asdict(self.written),
            "options": settings_of(self.choice),
        }

    def replay(
        self, maker: GraphMaker, path: Path, folder: Path, bag: dict[str, str] | None = None
    ) -> Replayed:
        """Replay the bag at `path` into `folder`, or what is missing there.

        `bag` says which bag it is; None: the one of that path.

        Raises:
            SourceError: the bag cannot be read, or none of its images can be used.
            OutputError: the folder holds something else, or cannot be written.
        """
        with Cameras(path, self.topics, self.start_s, self.end_s, self.stride) as cameras:
            settings = {
                **self.settings(bag or local_bag(path)),
                "begin_ns": cameras.sources[0].begin_ns,
                "topics": [source.topic for source in cameras.sources],
            }
            with Parts(folder, settings, self.overwrite) as parts:
                if parts.is_complete:
                    return Replayed(was_complete=True)
                replay = Replay(maker, cameras, self.tracking, self.target_frame)
                replay_bag(replay, path, parts, self.written)
            skipped = sum(source.skipped for source in cameras.sources)
        return Replayed(replay.position.graphs, skipped)
