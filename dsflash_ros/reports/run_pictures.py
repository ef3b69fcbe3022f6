"""The overlays that a run left in its folder, as small pictures of some of its frames."""

import json
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from dsflash_ros.errors import EvaluationError
from dsflash_ros.evaluation.runs import Place, microseconds
from dsflash_ros.graph.topics import camera_prefixes, overlay_topic
from dsflash_ros.images.decoding import decode_image
from dsflash_ros.reports.thumbnails import thumbnail
from dsflash_ros.sinks.sink import UniqueNames
from dsflash_ros.sources.bag_reader import open_bag
from dsflash_ros.sources.video import VideoSource

Found = tuple[dict[Place, bytes], str]
"""JPEGs by the places of their frames; and why some are missing, a sentence or nothing."""


def pictures_of(run: Path, places: list[Place], wanted: Collection[Place]) -> Found:
    """The overlays of the wanted frames that `dsflash replay` or `dsflash run` wrote.

    What cannot be read is left out, and the sentence says why.

    Args:
        run: its folder, or the scene_graph.jsonl in it.
        places: of all its frames, in their order.
        wanted: those of the frames that the pictures are of.
    """
    folder = run if run.is_dir() else run.parent
    try:
        if (folder / "replay.json").is_file():
            found = _of_replay(folder, wanted)
        else:
            found = _of_run(folder / "overlay", places, wanted)
        found = dict(found)
    except Exception as error:  # of damaged bags rosbags raises anything; the numbers are there
        return {}, f"The pictures of {folder} cannot be read: {error}."
    if not found:
        return {}, f"{folder} has no pictures: it was made with --no-overlay."
    return found, ""


def _of_replay(folder: Path, wanted: Collection[Place]) -> Iterator[tuple[Place, bytes]]:
    sources = json.loads((folder / "replay.json").read_text())["settings"]["topics"]
    prefixes = camera_prefixes(sources)
    source_of = {
        overlay_topic(prefix): source for prefix, source in zip(prefixes, sources, strict=True)
    }
    with closing(open_bag(folder / "bag")) as reader:
        chosen = [c for c in reader.connections if c.topic in source_of]
        for connection, _, data in reader.messages(chosen) if chosen else ():
            message = reader.deserialize(data, connection.msgtype)
            stamp = message.header.stamp
            place = source_of[connection.topic], microseconds(stamp.sec + stamp.nanosec / 1e9)
            if place in wanted:
                yield place, thumbnail(decode_image(message.data))


def _of_run(
    folder: Path, places: list[Place], wanted: Collection[Place]
) -> Iterator[tuple[Place, bytes]]:
    """As `Pictures` writes them, a file for each image, or `Videos`, one for a video or bag."""
    videos = sorted(folder.glob("*.mp4"))
    if videos:
        yield from _of_video(videos, places, wanted)
        return
    names = UniqueNames()
    for place in places:
        path = folder / names.unused(Path(place[0]).stem, ".jpg")
        if place in wanted and path.is_file():
            yield place, thumbnail(decode_image(np.fromfile(path, np.uint8)))


def _of_video(
    videos: list[Path], places: list[Place], wanted: Collection[Place]
) -> Iterator[tuple[Place, bytes]]:
    """The overlays of a run over a single video or bag, a frame of the video for each graph."""
    with VideoSource(videos[0]) as video:
        if len(videos) > 1 or len(video) != len(places):
            raise EvaluationError(
                "its videos do not tell which picture belongs to which graph; use a run over a "
                "single video or bag"
            )
        for place, frame in zip(places, video, strict=False):
            if place in wanted:
                yield place, thumbnail(frame.rgb)
