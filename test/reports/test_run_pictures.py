"""The pictures of runs for the page of a comparison."""

import json

import cv2
import numpy as np
import pytest
from media_files import image_message, write_bag

from dsflash_ros.images.decoding import decode_image
from dsflash_ros.reports.run_pictures import pictures_of
from dsflash_ros.reports.thumbnails import MOST_BYTES, WIDEST, spread, thumbnail
from dsflash_ros.sinks.video_file import VideoFile

GREYS = (40, 90, 140, 190)


def grey(level):
    return np.full((48, 64, 3), level, np.uint8)


def levels(found):
    return {
        place: round(float(decode_image(np.frombuffer(jpeg, np.uint8)).mean()), -1)
        for place, jpeg in found.items()
    }


def test_pictures_of_images_are_found_by_their_names(tmp_path):
    (tmp_path / "overlay").mkdir()
    places = [("one/cup.png", 0), ("two/cup.png", 1_000_000), ("bowl.png", 2_000_000)]
    for name, level in zip(("cup.jpg", "cup_2.jpg", "bowl.jpg"), GREYS, strict=False):
        cv2.imwrite(str(tmp_path / "overlay" / name), grey(level))
    found, why = pictures_of(tmp_path, places, set(places[1:]))
    assert levels(found) == {places[1]: 90, places[2]: 140} and why == ""
    of_file, _ = pictures_of(tmp_path / "scene_graph.jsonl", places, set(places))
    assert set(of_file) == set(places)


def write_video(path):
    path.parent.mkdir(exist_ok=True)
    video = VideoFile(path, 48, 64, 10.0)
    for level in GREYS:
        video.write(grey(level))
    video.close()


def test_pictures_of_a_video_are_its_frames(tmp_path):
    write_video(tmp_path / "overlay" / "clip.mp4")
    places = [("clip.mp4", 100_000 * k) for k in range(4)]
    found, why = pictures_of(tmp_path, places, {places[0], places[3]})
    assert levels(found) == {places[0]: 40, places[3]: 190} and why == ""


@pytest.mark.parametrize("case", ["none", "several", "length", "replay", "settings"])
def test_what_is_missing_is_said(tmp_path, case):
    places = [("clip.mp4", 100_000 * k) for k in range(4)]
    if case in ("several", "length"):
        write_video(tmp_path / "overlay" / "clip.mp4")
    if case == "several":
        write_video(tmp_path / "overlay" / "clip_2.mp4")
    if case == "length":
        places.pop()
    if case == "replay":
        (tmp_path / "replay.json").write_text('{"settings": {"topics": ["/image"]}}')
    if case == "settings":
        (tmp_path / "replay.json").write_text("no JSON")
    found, why = pictures_of(tmp_path, places, set(places))
    reason = "has no pictures" if case == "none" else "cannot be read"
    assert found == {} and reason in why and str(tmp_path) in why


def test_thumbnails_are_small():
    noise = np.random.default_rng(0).integers(0, 256, (960, 1280, 3), np.uint8)
    jpeg = thumbnail(noise)
    assert len(jpeg) <= MOST_BYTES
    smooth = np.tile(np.linspace(0, 255, 1280).astype(np.uint8)[None, :, None], (960, 1, 3))
    assert decode_image(np.frombuffer(thumbnail(smooth), np.uint8)).shape == (480, WIDEST, 3)
    assert decode_image(np.frombuffer(thumbnail(smooth[:30, :40]), np.uint8)).shape == (30, 40, 3)


def test_pictured_frames_are_spread():
    assert spread(5, 60) == [0, 1, 2, 3, 4] and spread(1, 60) == [0]
    assert spread(101, 5) == [0, 25, 50, 75, 100]


def jpeg_of(level, stamp):
    def make(store):
        header = image_message(store, grey(level), stamp).header
        data = cv2.imencode(".jpg", grey(level))[1].ravel()
        return store.types["sensor_msgs/msg/CompressedImage"](header, "jpeg", data)

    return make


def test_pictures_of_a_replay_are_those_of_the_cameras_and_stamps(tmp_path):
    settings = {"settings": {"topics": ["/front/image/compressed", "/rear/image"]}}
    (tmp_path / "replay.json").write_text(json.dumps(settings))
    stamps = [(7, 100_000_000), (7, 300_000_000)]
    write_bag(
        tmp_path / "bag",
        {
            "/dsflash/front/overlay/compressed": [
                jpeg_of(level, stamp) for level, stamp in zip(GREYS, stamps, strict=False)
            ],
            "/dsflash/rear/overlay/compressed": [jpeg_of(GREYS[2], stamps[0])],
            "/overlay/compressed": [jpeg_of(GREYS[3], stamps[0])],
        },
    )
    front, rear = settings["settings"]["topics"]
    wanted = {(front, 7_300_000), (rear, 7_100_000), (rear, 9_000_000)}
    found, why = pictures_of(tmp_path, [], wanted)
    assert levels(found) == {(front, 7_300_000): 90, (rear, 7_100_000): 140} and why == ""
