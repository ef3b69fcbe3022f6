"""The neck and head of DSFormer (Lorenz et al., WACV 2024; github.com/lorjul/fair-psgg), as a start
for training.

Its transformer is ours: patch tokens plus mask tokens, a class token and a location token. Its head
is ours, too: index 0 is "no relation", and its (subject, object) is our (a, b). It has no gate.
"""

import re
from dataclasses import replace
from pathlib import Path

import torch

from dsflash_ros.conversion.checkpoint_files import sha256_of
from dsflash_ros.conversion.convert import Conversion
from dsflash_ros.conversion.foreign import ForeignCheckpoint, read_foreign
from dsflash_ros.errors import WeightsError
from dsflash_ros.files import expand
from dsflash_ros.model.checkpoints import Header, load_checkpoint

_NAMES = {
    r"^mask_embedding\.token_a$": "sbjobj_encoder.sbj_token",
    r"^mask_embedding\.token_b$": "sbjobj_encoder.obj_token",
    r"^mask_embedding\.token_background": "sbjobj_encoder.background_token",
    r"^class_token": "classification_token",
    r"^location\.": "coord_embed.coord_embed.",
    r"^blocks\.(\d+)\.(qkv|proj)\.": r"transformer_blocks.\1.attn.\2.",
    r"^blocks\.(\d+)\.mlp\.0": r"transformer_blocks.\1.mlp.fc1",
    r"^blocks\.(\d+)\.mlp\.2": r"transformer_blocks.\1.mlp.fc2",
    r"^blocks\.": "transformer_blocks.",
    r"^head\.": "final_layers.",
}
"""Our names to theirs: patterns and replacements, applied one after the other."""

# Ours makes patch tokens from other features.
_OURS_ALONE = ("gate.", "patch_embed.")
_THEIRS_ALONE = {
    "extractor": "another backbone",
    "patch_embed": "made for another backbone's features",
    "pos_encoding": "computed, not learned",
    "final_node": "classifies segments, which the segmenter does here",
    "freq_bias": "a token of both classes, which DSFlash does without",
}


def is_dsformer(names) -> bool:
    """Whether tensors of these names are a DSFormer's."""
    has_blocks = any(name.startswith("transformer_blocks.0.") for name in names)
    return has_blocks and "classification_token" in names


def convert_dsformer(source: str | Path, into: str | Path) -> Conversion:
    """Our checkpoint `into`, with the neck and head of a DSFormer where shapes agree.

    The relation stage counts as untrained: gate and patch embedding have not seen these weights.
    Raises `WeightsError` when a file is damaged, `source` is no DSFormer, or no block of its neck
    fits.
    """
    foreign = read_foreign(source)
    if not is_dsformer(foreign.tensors):
        raise WeightsError(
            f"{foreign.path} is no DSFormer (fair-psgg's last_state.pth); "
            "only that goes into another"
        )
    model, header = load_checkpoint(into)
    ours = model.relations.state_dict()
    taken, differing = _fitting(foreign, ours)
    taken = _whole_blocks(taken, ours)
    if not any(name.startswith("blocks.") for name in taken):
        raise WeightsError(
            f"no block of {foreign.path} fits a neck of width {header.config.neck_dim}: "
            f"{'; '.join(differing[:5]) or 'its tensors are missing'}"
        )
    if not all(tensor.isfinite().all() for tensor in taken.values()):
        raise WeightsError(f"{foreign.path} holds numbers that are not finite")
    model.relations.load_state_dict(ours | taken)
    return Conversion(
        model,
        _header(header, foreign, len(taken), Path(into)),
        _summary(foreign, ours, taken, differing),
    )


def _fitting(
    foreign: ForeignCheckpoint, ours: dict[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The tensors that have the shapes of ours, under our names, and a line for each other."""
    fitting, differing = {}, []
    for name, like in ours.items():
        theirs = _their_name(name)
        if name.startswith(_OURS_ALONE) or theirs not in foreign.tensors:
            continue
        tensor = foreign.tensors[theirs]
        if tensor.shape == like.shape:
            fitting[name] = tensor.float()
        else:
            differing.append(f"{theirs} is {tuple(tensor.shape)}, here {tuple(like.shape)}")
    return fitting, differing


def _whole_blocks(
    fitting: dict[str, torch.Tensor], ours: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Those that are no part of a block, or of one of which all tensors fit.

    A block with some of its tensors would be neither theirs nor ours.
    """
    broken = {_block(name) for name in ours if name not in fitting and _block(name)}
    return {name: tensor for name, tensor in fitting.items() if _block(name) not in broken}


def _block(name: str) -> str | None:
    """The block that one of our tensors belongs to, as `blocks.0`."""
    found = re.match(r"blocks\.\d+", name)
    return found[0] if found else None


def _header(header: Header, foreign: ForeignCheckpoint, taken: int, into: Path) -> Header:
    recipe = header.recipe | {
        "relations": {
            "source": foreign.path.name,
            "layout": "DSFormer",
            "sha256": foreign.sha256,
            "taken": taken,
        },
        "into": {"source": into.name, "sha256": sha256_of(expand(into))},
    }
    trained = tuple(stage for stage in header.trained if stage != "relations")
    return replace(header, recipe=recipe, trained=trained)


def _their_name(name: str) -> str:
    for pattern, replacement in _NAMES.items():
        name = re.sub(pattern, replacement, name)
    return name


def _summary(
    foreign: ForeignCheckpoint,
    ours: dict[str, torch.Tensor],
    taken: dict[str, torch.Tensor],
    differing: list[str],
) -> list[str]:
    used = {_their_name(name) for name in taken} | {line.split(" is ")[0] for line in differing}
    rest = sorted({name.split(".")[0] for name in foreign.tensors if name not in used})
    architecture = foreign.config.get("architecture", {})
    lines = [
        "layout: DSFormer (fair-psgg)",
        f"taken: {len(taken)} tensors: {_groups(taken)}",
        *(f"not taken: {line}" for line in differing),
        *(f"no counterpart: {name} ({_THEIRS_ALONE.get(name, 'unknown')})" for name in rest),
        f"untouched: {_groups([name for name in ours if name not in taken])}",
        "note: index 0 of its head is no relation, as in ours; "
        "its predicates must be in our order (PSG's)",
    ]
    if architecture.get("bg_ratio_strategy") == "onoff":
        lines.append(
            "note: it took patches as covered wholly or not at all; here their share counts"
        )
    if architecture.get("use_masks") is False:
        lines.append("note: it was trained on boxes in place of masks")
    return lines


def _groups(names) -> str:
    return ", ".join(
        dict.fromkeys(re.sub(r"^(blocks\.\d+|[a-z_]+).*", r"\1", name) for name in names)
    )
