"""Counts how often the real safetensors opens a file and reads its header."""

from collections import Counter
from pathlib import Path

import safetensors

_safe_open = safetensors.safe_open


class OpenedFiles:
    """What `safe_open` was asked for.

    Attributes:
        opened, headers: how often, by the names of the files.
    """

    def __init__(self):
        self.opened, self.headers = Counter(), Counter()

    def safe_open(self, path, *arguments, **options):
        """In the place of the real one, which it calls."""
        self.opened[Path(path).name] += 1
        return _File(_safe_open(path, *arguments, **options), Path(path).name, self.headers)


class _File:
    def __init__(self, file, name, headers):
        self._file, self._name, self._headers = file, name, headers

    def __getattr__(self, attribute):
        return getattr(self._file, attribute)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)

    def metadata(self):
        self._headers[self._name] += 1
        return self._file.metadata()
