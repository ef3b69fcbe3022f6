"""Encoded images, whole and broken ones."""

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsflash_ros.errors import ImageError
from dsflash_ros.images.decoding import decode_image

NOISE = np.random.default_rng(0).integers(0, 255, (40, 50, 4), np.uint8)


def encoded(suffix, image, *params):
    return cv2.imencode(suffix, image, params)[1].tobytes()


def decode(data, **settings):
    return decode_image(np.frombuffer(data, np.uint8), **settings)


def test_colour():
    np.testing.assert_array_equal(decode(encoded(".png", NOISE[..., 2::-1])), NOISE[..., :3])


def test_jpeg():
    smooth = cv2.resize(NOISE[:4, :5, :3], (50, 40))
    decoded = decode(encoded(".jpg", smooth[..., ::-1], cv2.IMWRITE_JPEG_QUALITY, 98))
    assert np.abs(decoded.astype(int) - smooth).mean() < 3


def test_grey_alpha_and_16_bit():
    grey = NOISE[..., 0]
    three = np.dstack([grey] * 3)
    np.testing.assert_array_equal(decode(encoded(".png", grey)), three)
    np.testing.assert_array_equal(decode(encoded(".png", NOISE)), NOISE[..., 2::-1])
    np.testing.assert_array_equal(decode(encoded(".png", grey.astype(np.uint16) * 257)), three)


def test_the_orientation_tag_is_applied_on_demand():
    jpeg = encoded(".jpg", NOISE[..., :3])
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert decode(turned).shape == (50, 40, 3)
    assert decode(turned, apply_orientation=False).shape == (40, 50, 3)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no data: zero bytes"),
        (b"not an image", "cannot be decoded .12 bytes"),
        (encoded(".jpg", NOISE[..., :3])[:-200], "the JPEG image is cut off after"),
        (encoded(".jpg", NOISE[..., :3])[:60], "cannot be decoded"),
        (encoded(".png", NOISE)[:-200], "cannot be decoded"),
    ],
)
def test_broken(data, sentence):
    with pytest.raises(ImageError, match=sentence):
        decode(data)


def with_size(data, width, height):
    """The image with another size in its header."""
    if data.startswith(b"\x89PNG"):
        header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:29]
        return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("exif", [b"", b"\xff\xe1\x00\x0cthumb\xff\xc0nail"[:14]])
def test_a_damaged_size_neither_hangs_nor_fills_the_memory(suffix, exif):
    data = encoded(suffix, NOISE[..., :3])
    assert decode(with_size(data, 50, 40)).shape == (40, 50, 3)
    huge = with_size(data, 30000, 20000)
    if suffix == ".jpg":
        huge = huge[:2] + exif + huge[2:]
    with pytest.raises(ImageError, match="says that it is 30000x20000"):
        decode(huge)


def test_padding_after_a_jpeg_is_fine():
    data = encoded(".jpg", NOISE[..., :3])
    np.testing.assert_array_equal(decode(data + bytes(100)), decode(data))


@settings(max_examples=200)
@given(
    start=st.sampled_from(
        [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"II*\0", b"RIFF"]
    ),
    data=st.binary(max_size=200),
)
def test_any_data_is_decoded_or_refused(start, data):
    try:
        rgb = decode(start + data)
    except ImageError:
        return
    assert rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8


@settings(max_examples=200)
@given(
    whole=st.sampled_from(
        [encoded(".jpg", NOISE[..., :3]), encoded(".png", NOISE), encoded(".webp", NOISE[..., :3])]
    ),
    where=st.floats(0, 1),
    what=st.binary(min_size=1, max_size=8),
)
def test_any_damage_is_decoded_or_refused(whole, where, what):
    start = int(where * (len(whole) - len(what)))
    try:
        rgb = decode(whole[:start] + what + whole[start + len(what) :])
    except ImageError:
        return
    assert rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.dtype == np.uint8
