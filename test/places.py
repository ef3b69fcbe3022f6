"""Where the repository lies, and data that some tests try and that need not be there."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

GENERATED = ("action", "msg", "srv")
"""Packages that are generated from the folders of definitions of the same names."""
