"""What a checkpoint is: ours, or one that can be converted."""

from math import prod
from pathlib import Path

from safetensors import safe_open

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.conversion.dinov3 import is_delta
from dsflash_ros.conversion.dsformer import is_dsformer
from dsflash_ros.conversion.foreign import read_foreign
from dsflash_ros.conversion.layouts import ORIGINAL_DINOV3, config_of, detect
from dsflash_ros.errors import WeightsError
from dsflash_ros.files import expand
from dsflash_ros.model.checkpoints import FORMAT, read_header

_NUMBERS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def describe(path: str | Path) -> dict:
    """Plain values about a checkpoint, in the order in which a person wants them.

    Raises `WeightsError`.
    """
    path = expand(path)
    return _describe_ours(path) if path.is_file() and _is_ours(path) else _describe_foreign(path)


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, "pt") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (
        Exception
    ):  # whatever it is, it is no file of ours; the reader of foreign files says what is wrong
        return False


def _describe_ours(path: Path) -> dict:
    header = read_header(path)
    config = header.config
    with safe_open(path, "pt") as file:
        stored = [file.get_slice(name) for name in file.keys()]  # noqa: SIM118, no mapping
    parameters = sum(prod(tensor.get_shape()) for tensor in stored)
    return {
        "file": str(path),
        "layout": "dsflash_ros",
        "size": config.size,
        "backbone": config.backbone,
        "image_size": config.image_size,
        "queries": config.num_queries,
        "parameters": parameters,
        "numbers": sorted(
            {_NUMBERS.get(tensor.get_dtype(), tensor.get_dtype()) for tensor in stored}
        ),
        "vocabulary": {
            "things": config.num_things,
            "stuff": config.num_stuff,
            "predicates": config.num_predicates,
        },
        "trained": list(header.trained),
        "recipe": header.recipe,
        "scores": header.scores,
        "bytes": path.stat().st_size,
        "sha256": {path.name: sha256_of(path)},
    }


def _describe_foreign(path: Path) -> dict:
    foreign = read_foreign(path)
    about = {
        "bytes": sum(foreign.path.with_name(name).stat().st_size for name in foreign.sha256),
        "sha256": foreign.sha256,
    }
    command = f"dsflash weights convert {foreign.path} --out NEW.safetensors"
    if is_dsformer(foreign.tensors):
        command += " --into OURS.safetensors"
        return {
            "file": str(foreign.path),
            "layout": "DSFormer (fair-psgg)",
            **about,
            "convert": command,
        }
    layout = detect(foreign.tensors)
    if layout is None:
        raise WeightsError(
            f"{foreign.path} is neither a checkpoint of dsflash_ros nor in a layout that can be converted"
        )
    said = foreign.config.get("image_size")
    said = said if isinstance(said, int) else None
    config = config_of(layout, foreign.tensors, said)
    if layout is ORIGINAL_DINOV3 and is_delta(foreign.tensors):
        about["differences"] = "to the weights of DINOv3"
        command += " --base DINOV3"
    if config.num_classes != 133:
        command += " --vocabulary NAMES.json"
    return {
        "file": str(foreign.path),
        "layout": layout.name,
        "size": config.size,
        "backbone": config.backbone,
        # rotary positions have no size, and the file need not say it
        "image_size": config.image_size if said or config.backbone == "dinov2" else None,
        "queries": config.num_queries,
        "classes": config.num_classes,
        **about,
        "convert": command,
    }
