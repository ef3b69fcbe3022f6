"""Reading and checking of `ModelConfig.relater_settings`."""

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.size_limits import refuse_huge


def merged(kind: str, given: dict, defaults: dict) -> dict:
    """The settings of a relation stage, with the defaults of those that are not given.

    Raises `WeightsError` for unknown names, for numbers that are too large, and for those that
    should be whole and 1 or more and are not: those whose default is an int.
    """
    unknown = given.keys() - defaults.keys()
    if unknown:
        raise WeightsError(
            f"relater_settings of {kind!r} have no {', '.join(sorted(unknown))}; "
            f"there are {', '.join(defaults)}"
        )
    settings = {**defaults, **given}
    for name, default in defaults.items():
        value = settings[name]
        if type(default) is int and (type(value) is not int or value < 1):
            raise WeightsError(
                f"relater_settings: {name} must be a whole number, 1 or more, got {value!r}"
            )
    refuse_huge(settings)
    return settings


def refuse_small_images(config: ModelConfig, patch: int) -> None:
    """Raise `WeightsError` when not one patch of so many pixels fits into an image."""
    if config.image_size < patch:
        raise WeightsError(
            f"the patches of a neck have {patch} pixels, more than image_size={config.image_size}"
        )


def check_parts(parts: object, known: tuple[str, ...]) -> None:
    """Raise `WeightsError` when `parts` is no list of some of those known."""
    if not isinstance(parts, list) or any(part not in known for part in parts):
        raise WeightsError(
            f"relater_settings: parts must be a list of some of {', '.join(known)}, got {parts!r}"
        )


def check_sizes(settings: dict) -> None:
    """Raise `WeightsError` when `dim`, `heads` or `dropout` of a relation stage cannot be."""
    dropout = settings["dropout"]
    if settings["dim"] % settings["heads"]:
        raise WeightsError(
            f"relater_settings: dim {settings['dim']} must be a multiple of heads "
            f"{settings['heads']}"
        )
    if not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise WeightsError(f"relater_settings: dropout must be from 0 to below 1, got {dropout!r}")
