"""Video files and cameras, whole and broken ones."""

import cv2
import numpy as np
import pytest
from media_files import picture, read_source, write_video

from dsflash_ros.errors import SourceError
from dsflash_ros.sources import open_source


def test_video(tmp_path):
    frames, source = read_source(write_video(tmp_path / "v.mp4"))
    assert len(source) == len(frames) == 12 and source.rate == 25 and source.is_sequence
    np.testing.assert_allclose([f.stamp for f in frames], np.arange(12) / 25, atol=1e-3)
    red = [f.rgb[..., 0].mean() for f in frames]
    np.testing.assert_allclose(red, 20 * np.arange(12), atol=8)
    assert all(f.rgb[..., 2].mean() < 8 for f in frames)


def test_sources_can_be_read_again(tmp_path):
    source = open_source(str(write_video(tmp_path / "v.mp4")))
    assert len(list(source)) == len(list(source)) == 12


def test_cut_off_video(tmp_path, caplog):
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        writer.write(picture(48, 64, seed=number))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, source = read_source(path)
    assert 0 < len(frames) < 19 and source.skipped == 1
    assert f"ends after {len(frames)} of 20 frames: it is damaged" in caplog.text


def test_cut_off_mp4(tmp_path):
    path = write_video(tmp_path / "v.mp4", 50)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=r"v\.mp4"):
        read_source(path)


def test_no_such_camera():
    with pytest.raises(SourceError, match="camera 97 cannot be opened"):
        open_source("97")
