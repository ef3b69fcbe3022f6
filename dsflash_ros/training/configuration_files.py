"""Configurations of training runs as YAML files, the package's own and others."""

import difflib
from importlib import resources
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from dsflash_ros.errors import ConfigError
from dsflash_ros.files import expand

Config = TypeVar("Config", bound=BaseModel)


def load_config(
    kind: type[Config], name: str, overrides: list[str], folder: str, **defaults: str
) -> Config:
    """Read a configuration.

    Args:
        kind: of the configuration.
        name: path of a YAML file, or the name of one that comes with the package, as in `small`.
        overrides: `key=value`, the value in YAML; they replace what the file says.
        folder: where the package's own ones of this kind are: `relations`, `segmenter` or
            `calibration`.
        defaults: values of settings that neither the file nor the overrides give.

    Raises:
        ConfigError: no such file, not YAML, an unknown key, a value of a wrong type or out of
            range.
    """
    raw = {**defaults, **_read(name, folder)}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError(f"{override!r} is not of the form key=value, as in lr=1e-4")
        raw[key] = _parse(value, override)
    try:
        return kind(**raw)
    except ValidationError as error:
        problems = "; ".join(_sentence(kind, one) for one in error.errors())
        raise ConfigError(f"{name}: {problems}") from None


def shipped(folder: str) -> list[str]:
    """Names of the package's own configurations of a kind."""
    names = [file.name for file in _shipped_folder(folder).iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def dump_config(config: BaseModel) -> str:
    """YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _shipped_folder(folder: str):
    return resources.files("dsflash_ros").joinpath("resources", "train", folder)


def _read(name: str, folder: str) -> dict:
    if name in shipped(folder):
        text = _shipped_folder(folder).joinpath(f"{name}.yaml").read_text()
    else:
        try:
            text = expand(name).read_text()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"cannot read the configuration {name!r} ({error}); "
                f"give a YAML file or one of {', '.join(shipped(folder))}"
            ) from error
    raw = _parse(text, name)
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise ConfigError(
            f"the configuration {name} must be a mapping of names to values, as in `lr: 1e-4`"
        )
    return raw


def _parse(text: str, what: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{what} is not YAML: {' '.join(str(error).split())}") from error


def _sentence(kind: type[BaseModel], error: dict) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, kind.model_fields, 1)
        return f"unknown key {key!r}{f'; did you mean {close[0]!r}?' if close else ''}"
    if error["type"] == "missing" and len(error["loc"]) > 1:
        return f"{error['loc'][0]} has too few values: {error['input']!r}"
    if error["type"] == "missing":
        return f"{key} is missing; give it in the file or as {key}=..."
    told = f"{key} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}"
    if isinstance(error["input"], bool):
        told += '; YAML reads on, off, yes and no as true and false unless quoted, as in "on"'
    return told
