"""Errors a user can mend. Each message says what was wrong and what to do about it."""


class DSFlashError(Exception):
    """Base of all errors that are the input's or the set-up's fault, never a bug's."""


class ImageError(DSFlashError):
    """An image or image message cannot be read: empty, cut off, of an unknown encoding or shape."""


class SourceError(DSFlashError):
    """A file, folder, video, camera or bag cannot be opened or holds no image."""


class WeightsError(DSFlashError):
    """Weights are missing, corrupt, or were made for another model size or vocabulary."""


class ForeignWeightsError(WeightsError):
    """Weights can be read, but are no checkpoint of dsflash_ros."""


class OptionError(DSFlashError, ValueError):
    """An option is out of range, or asks for what the weights' parts do not do."""


class DeviceError(DSFlashError):
    """The device or precision asked for is not there."""


class ExportError(DSFlashError):
    """An exported model does not compute what it was exported from."""


class OutputError(DSFlashError):
    """A result cannot be written: disk full, no permission, not a directory."""


class DatasetError(DSFlashError):
    """A data set is missing, damaged, or disagrees with itself or with the model."""


class ConfigError(DSFlashError):
    """A training configuration is wrong: an unknown key, a value out of range, a contradiction."""


class LanguageError(DSFlashError):
    """Words that weights cannot be asked for, or a text encoder that cannot be had."""


class TrainingError(DSFlashError):
    """A training run cannot start or go on."""


class EvaluationError(DSFlashError):
    """Predictions break the evaluation protocol."""


class QueryError(DSFlashError, ValueError):
    """A question to a scene graph cannot be read, names what nobody knows, or costs too much."""


class NoGraphError(DSFlashError, TimeoutError):
    """No scene graph came in time, or none that fulfils a condition."""


class ToyroomError(DSFlashError):
    """A simulated room cannot be built, settled or rendered."""


class FleetError(DSFlashError):
    """A Ray cluster does not answer, has no room, or lost what it worked on again and again."""


class MissingExtraError(DSFlashError):
    """A library is not installed that only some commands need."""


def missing_extra(extra: str, error: ImportError) -> MissingExtraError:
    """What to raise when an optional library cannot be imported."""
    if (error.name or "").startswith("dsflash_ros"):
        raise error  # a bug of ours
    return MissingExtraError(
        f"this needs {error.name or error}, which is not installed: "
        f"pip install 'dsflash_ros[{extra}]'"
    )


def missing_torch(error: ImportError, weights: str) -> MissingExtraError:
    """The error for weights that need PyTorch, in an installation without it."""
    if (error.name or "").startswith("dsflash_ros"):
        raise error  # a bug of ours
    return MissingExtraError(
        f"the weights {weights!r} are a checkpoint, which needs {error.name or error}, and that is "
        f"not installed: where PyTorch is, `dsflash export onnx {weights} --out FOLDER`, and give "
        "FOLDER here as weights; or install dsflash_ros without DSFLASH_WITHOUT_TORCH"
    )


def missing_ros(error: ImportError) -> DSFlashError:
    """The error for an installation without ROS 2."""
    return DSFlashError(
        f"this needs ROS 2, which is not here ({error}): source a ROS 2 set-up file, or install "
        "dsflash_ros with ROS"
    )


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line; its kind where it says nothing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
