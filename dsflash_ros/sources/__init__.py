"""Where frames come from: image files, folders, videos, cameras and ROS bags, all read alike."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from dsflash_ros.errors import SourceError
from dsflash_ros.files import expand
from dsflash_ros.sources.bag_files import is_bag
from dsflash_ros.sources.images import IMAGE_SUFFIXES, ImageSource, images_in
from dsflash_ros.sources.source import Frame, Source
from dsflash_ros.sources.video import CameraSource, VideoSource

__all__ = ["Frame", "Source", "is_bag", "open_source", "open_sources"]


def open_source(text: str, topic: str | None = None) -> Source:
    """Open what `text` names.

    Args:
        text: an image, a folder of images, a video, a camera's index as in "0", or a bag: a folder
            with metadata.yaml, a .bag, .db3 or .mcap file.
        topic: the image topic of a bag; needed when it has several.

    Raises:
        SourceError: it is not there, cannot be read, or has no images.
    """
    if text.isdecimal() and len(text) < 6:
        return CameraSource(int(text))
    try:
        path = Path(text).expanduser()
        is_folder = path.is_dir()
        if not text or not (is_folder or path.is_file()):
            raise SourceError(
                f"{text!r} is not there: give an image, a folder, a video, a bag or a camera's "
                "index"
            )
        if not is_folder:
            path.open("rb").close()
    except (OSError, RuntimeError, ValueError) as error:  # no permission, ~nobody, a zero byte
        raise SourceError(
            f"{text!r} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if is_bag(path):
        from dsflash_ros.sources.bag import BagSource  # rosbags takes a while to import

        return BagSource(path, topic)
    if is_folder:
        return ImageSource(text, images_in(path))
    is_image = path.suffix.lower() in IMAGE_SUFFIXES
    return ImageSource(text, [path]) if is_image else VideoSource(path)


def open_sources(texts: Sequence[str], topic: str | None = None) -> list[Source]:
    """Open several; image files that follow each other make one source, as a folder does.

    Raises `SourceError` as `open_source` does, and when a topic is given but no bag.
    """
    sources = []
    for are_images, group in groupby(texts, key=_is_image_file):
        if are_images:
            paths = [Path(text).expanduser() for text in group]
            name = str(paths[0]) if len(paths) == 1 else f"{len(paths)} images"
            sources.append(ImageSource(name, paths))
        else:
            sources.extend(open_source(text, topic) for text in group)
    if topic is not None and not any(is_bag(expand(text)) for text in texts):
        for source in sources:
            source.close()
        raise SourceError(f"the topic {topic} is of a bag, and none is given: leave it out")
    return sources


def _is_image_file(text: str) -> bool:
    try:
        path = Path(text).expanduser()
        return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    except (OSError, RuntimeError, ValueError):
        return False  # open_source() says what is wrong
