"""Weights that come with the package, by their names. Imports no torch."""

from pathlib import Path

DEFAULT_WEIGHTS = "toyroom"
"""What everything takes that is not told which weights."""

SHIPPED = {
    name: Path(__file__).parents[1] / f"resources/{name}.safetensors"
    for name in ("toyroom", "toyroom-neck")
}
"""Where they lie. A file of the same name in the working folder is given as ./NAME."""
