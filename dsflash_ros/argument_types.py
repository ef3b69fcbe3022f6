"""Types of arguments, for argparse."""

import argparse
import math
from pathlib import Path


def positive(text: str) -> int:
    """A whole number from 1 to 999999999, for argparse."""
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 999999999")
    return number


def positive_float(text: str) -> float:
    """A number from 0.001 to 1e6, for argparse."""
    return _number(text, 0.001, 1_000_000)


def not_negative_float(text: str) -> float:
    """A number from 0 to 1e6, for argparse."""
    return _number(text, 0, 1_000_000)


def share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    return _number(text, 0, 1)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
    return number


def natural(text: str) -> int:
    """A whole number from 0 to 9999999999, as seeds are, for argparse."""
    if not text.isdecimal() or len(text) > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 9999999999")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """Width and height of an image, for argparse."""
    sides = text.split("x")
    if len(sides) != 2 or not all(side.isdecimal() and 16 <= int(side) <= 4096 for side in sides):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size such as 640x480, from 16x16 to 4096x4096"
        )
    return int(sides[0]), int(sides[1])


def folder(text: str) -> str:
    """The name of a folder, for argparse. An empty one would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a folder for the results")
    try:
        Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be: {error}") from error
    return text
