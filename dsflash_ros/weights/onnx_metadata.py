"""Metadata of ONNX files, read without loading the model, and without the onnx package.

An ONNX file is a message in Google's protocol buffers: fields one after the other, each a key
(number and kind) and a value.
"""

from pathlib import Path
from typing import BinaryIO

from dsflash_ros.errors import WeightsError

_METADATA_PROPS = 14
"""Number of the field of `ModelProto` that holds the metadata: pairs of a name and a text."""

_VARINT, _FIXED_64, _LENGTH, _FIXED_32 = 0, 1, 2, 5


def read_onnx_metadata(path: Path) -> dict[str, str]:
    """Texts by name; empty where the file has none.

    Raises `WeightsError` when it is missing, cut off, or no ONNX file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return dict(_pairs(file, size))
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}") from error
    except EOFError as error:
        raise WeightsError(f"{path} is cut off: get it again, or export it anew") from error
    except ValueError as error:
        raise WeightsError(f"{path} is no ONNX file ({error})") from error


def _pairs(file: BinaryIO, size: int):
    while file.tell() < size:
        number, length = _field(file, size)
        if number != _METADATA_PROPS:
            file.seek(length, 1)
            continue
        end, texts = file.tell() + length, {1: "", 2: ""}
        while file.tell() < end:
            inner, length = _field(file, end)
            texts[inner] = file.read(length).decode()
        yield texts[1], texts[2]


def _field(file: BinaryIO, end: int) -> tuple[int, int]:
    """The number of the next field, and the bytes of its value that follow.

    Raises `EOFError` when they would go beyond `end`.
    """
    key = _varint(file)
    number, kind = key >> 3, key & 7
    if kind == _VARINT:
        _varint(file)
        return number, 0
    if kind not in (_FIXED_64, _LENGTH, _FIXED_32) or not 1 <= number <= 100:
        raise ValueError(f"field {number} of kind {kind}")
    length = {_FIXED_64: 8, _FIXED_32: 4}.get(kind) or _varint(file)
    if file.tell() + length > end:
        raise EOFError
    return number, length


def _varint(file: BinaryIO) -> int:
    """A whole number in groups of 7 bits, the lowest first; all bytes but the last have bit 7."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("a number of more than 64 bits")
