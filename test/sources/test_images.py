"""Image files and folders, whole and broken ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from media_files import picture, read_source, write_image

from dsflash_ros.errors import SourceError
from dsflash_ros.sources import open_source


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".PNG"])
def test_image_file(tmp_path, suffix):
    rgb = picture()
    path = write_image(tmp_path / f"a{suffix}", rgb)
    [frame], source = read_source(path)
    np.testing.assert_array_equal(frame.rgb, rgb)
    assert (frame.name, frame.stamp, len(source), source.rate) == (str(path), 0.0, 1, None)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_image_file(tmp_path, suffix):
    rgb = cv2.resize(picture(4, 5), (64, 48))
    [frame], _ = read_source(write_image(tmp_path / f"a{suffix}", rgb))
    assert np.abs(frame.rgb.astype(int) - rgb).mean() < 8


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_alpha_and_16_bit_become_8_bit_rgb(tmp_path, suffix):
    grey, rgba = picture(channels=1), picture(channels=4)
    deep = grey.astype(np.uint16) * 257
    for name, stored, expected in (
        ("grey", grey, np.dstack([grey] * 3)),
        ("rgba", rgba, rgba[..., 2::-1]),
    ):
        cv2.imwrite(str(tmp_path / f"{name}{suffix}"), stored)
        [frame], _ = read_source(tmp_path / f"{name}{suffix}")
        np.testing.assert_array_equal(frame.rgb, expected)
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), deep)
    [frame], _ = read_source(tmp_path / f"deep{suffix}")
    np.testing.assert_array_equal(frame.rgb, np.dstack([grey] * 3))


def test_image_files_are_turned_as_their_exif_tag_says(tmp_path):
    jpeg = cv2.imencode(".jpg", picture(20, 30))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    [frame], _ = read_source(path)
    assert frame.rgb.shape == (30, 20, 3)


def test_folder_in_natural_order_images_only(tmp_path):
    for seed, name in enumerate(["10.png", "2.png", "B1.jpg", "a20.png", "a3.png"]):
        write_image(tmp_path / name, picture(seed=seed))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_text("no image")
    frames, source = read_source(tmp_path)
    assert [Path(f.name).name for f in frames] == ["2.png", "10.png", "a3.png", "a20.png", "B1.jpg"]
    assert [f.stamp for f in frames] == [0, 1, 2, 3, 4]
    assert len(source) == 5 and not source.is_sequence


def test_broken_images_in_a_folder_are_skipped_counted_and_reported(tmp_path, caplog):
    write_image(tmp_path / "1.png", picture())
    (tmp_path / "2.png").write_bytes(b"not a picture")
    (tmp_path / "3.png").write_bytes(b"")
    whole = cv2.imencode(".jpg", picture(60, 60))[1].tobytes()
    (tmp_path / "4.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "5.png").mkdir()
    write_image(tmp_path / "6.png", picture())
    frames, source = read_source(tmp_path)
    assert [f.stamp for f in frames] == [0, 5]
    assert source.skipped == 4
    for sentence in (
        "2.png: the image cannot be decoded",
        "3.png: the image has no data",
        "4.jpg: the JPEG image is cut off",
        "5.png",
    ):
        assert sentence in caplog.text


def test_reports_do_not_flood(tmp_path, caplog):
    write_image(tmp_path / "1.png", picture())
    for number in range(20):
        (tmp_path / f"x{number}.png").write_bytes(b"")
    _, source = read_source(tmp_path)
    assert source.skipped == 20 and len(caplog.records) == 5


def test_folder_of_broken_images(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(SourceError, match=r"none of the 2 images of .* can be read"):
        read_source(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(SourceError, match=r"has no images .*and is no bag"):
        open_source(str(tmp_path))
