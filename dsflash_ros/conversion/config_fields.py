"""What a config.json of transformers says of a model and its tensors do not."""

from collections.abc import Mapping

from dsflash_ros.errors import WeightsError


def check_fields(config: Mapping, ours: Mapping, defaults: Mapping) -> None:
    """Raise `WeightsError` where a model would give other numbers than ours with its tensors.

    Args:
        config: the content of a config.json; empty where there is none.
        ours: what our model has, by the name of the field, as in `backbone_config.hidden_act`.
        defaults: what transformers takes for those fields that are absent, where it is not ours.
    """
    is_from_transformers = "model_type" in config
    for name, value in ours.items():
        found, said = _field(config, name), ""
        if found is None and is_from_transformers and name in defaults:
            found, said = defaults[name], ", as transformers takes it when it is absent"
        if found is not None and found != value:
            raise WeightsError(
                f"its config.json has {name} {found!r}{said}; only {value!r} is known here"
            )


def _field(config: Mapping, name: str) -> object:
    """The value of a field, None where it is absent."""
    found: object = config
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
