"""Errors a user can mend. Each message says what was wrong and what to do about it."""


class DSFlashError(Exception):
    """Base of all errors that are the input's or the set-up's fault, never a bug's."""


class ImageError(DSFlashError):
    """An image or image message cannot be read: empty, truncated, of an unknown encoding, of a wrong shape or type."""


class SourceError(DSFlashError):
    """A file, folder, video, camera or bag cannot be opened or holds no image."""


class WeightsError(DSFlashError):
    """Weights are missing, corrupt, or were made for another model size or vocabulary."""


class DeviceError(DSFlashError):
    """The device or precision asked for is not there."""


class OutputError(DSFlashError):
    """A result cannot be written: disk full, no permission, not a directory."""
