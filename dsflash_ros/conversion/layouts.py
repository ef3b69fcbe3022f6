"""What other code bases call the tensors of an EoMT."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.eomt import make_eomt
from dsflash_ros.model.segmenters.eomt_sizes import ARCHITECTURES, PATCH


@dataclass(frozen=True)
class Layout:
    """A way to name tensors.

    Attributes:
        name: what people call it.
        backbone: the backbone of its models.
        marker: a start of names that no other layout has.
        rules: our names to theirs: patterns and replacements, applied one after the other. `{}` in
            the outcome stands for q, k and v, `{long}` for query, key and value: three tensors
            there, one here.
        others: pattern of names that are no weights of the model at inference.
    """

    name: str
    backbone: str
    marker: str
    rules: Mapping[str, str]
    others: str = field(default=r"criterion\.empty_weight|.*attn_mask_probs")

    def sources(self, name: str) -> tuple[str, ...]:
        """The names of the tensors that make our tensor `name` when put one below the other."""
        for pattern, replacement in self.rules.items():
            name = re.sub(pattern, replacement, name)
        if "{" not in name:
            return (name,)
        return tuple(name.format(word[0], long=word) for word in ("query", "key", "value"))

    def is_other(self, name: str) -> bool:
        """Whether it is known that a model needs no such tensor at inference."""
        return bool(re.fullmatch(self.others, name))


def _dinov3(embeddings: str, blocks: str) -> dict[str, str]:
    """transformers' DINOv3ViTModel, whose modules the original EoMT calls by other names."""
    return {
        r"vit\.cls_token": f"vit.{embeddings}.cls_token",
        r"vit\.reg_token": f"vit.{embeddings}.register_tokens",
        r"vit\.patch_embed\.proj": f"vit.{embeddings}.patch_embeddings",
        r"vit\.blocks": f"vit.{blocks}",
        r"attn\.qkv": "attention.{}_proj",
        r"attn\.([qv])_bias": r"attention.\1_proj.bias",
        r"attn\.proj": "attention.o_proj",
        r"\.gamma_([12])": r".layer_scale\1.lambda1",
        r"mlp\.fc1": "mlp.up_proj",
        r"mlp\.fc2": "mlp.down_proj",
    }


_DINOV2 = {
    r"vit\.cls_token": "vit.embeddings.cls_token",
    r"vit\.reg_token": "vit.embeddings.register_tokens",
    r"vit\.pos_embed": "vit.embeddings.position_embeddings.weight",
    r"vit\.patch_embed\.proj": "vit.embeddings.patch_embeddings.projection",
    r"vit\.blocks": "vit.layers",
    r"attn\.qkv": "attention.{}_proj",
    r"attn\.proj": "attention.out_proj",
    r"\.ls([12])\.gamma": r".layer_scale\1.lambda1",
}
_ORIGINAL = {r"^backbone\.vit\.": "encoder.backbone.", r"^": "network."}
_TRANSFORMERS = {
    r"^q\.": "query.",
    r"^class_head\.": "class_predictor.",
    r"^mask_head\.0": "mask_head.fc1",
    r"^mask_head\.2": "mask_head.fc2",
    r"^mask_head\.4": "mask_head.fc3",
    r"^upscale\.(\d+)\.norm": r"upscale_block.block.\1.layernorm2d",
    r"^upscale\.": "upscale_block.block.",
    r"^backbone\.vit\.norm\.": "layernorm.",
    r"^backbone\.vit\.": "",
}

ORIGINAL_DINOV2 = Layout(
    "original EoMT, DINOv2", "dinov2", "network.encoder.backbone.blocks.0.attn.", _ORIGINAL
)
ORIGINAL_DINOV3 = Layout(
    "original EoMT, DINOv3",
    "dinov3",
    "network.encoder.backbone.blocks.0.attention.",
    _dinov3("patch_embed", "blocks") | _ORIGINAL,
)
TRANSFORMERS_DINOV2 = Layout(
    "transformers' eomt", "dinov2", "layers.0.attention.out_proj.", _DINOV2 | _TRANSFORMERS
)
TRANSFORMERS_DINOV3 = Layout(
    "transformers' eomt_dinov3",
    "dinov3",
    "layers.0.attention.o_proj.",
    _dinov3("embeddings", "layers") | _TRANSFORMERS,
)
LAYOUTS = (ORIGINAL_DINOV2, ORIGINAL_DINOV3, TRANSFORMERS_DINOV2, TRANSFORMERS_DINOV3)

DINOV3 = Layout(
    "transformers' DINOv3",
    "dinov3",
    "layer.0.attention.o_proj.",
    _dinov3("embeddings", "layer") | {r"^backbone\.vit\.": ""},
    others=r"embeddings\.mask_token",
)
"""A backbone alone."""


def detect(names: Iterable[str]) -> Layout | None:
    """The layout of an EoMT's tensors, None when it is none of those known."""
    names = list(names)
    return next(
        (layout for layout in LAYOUTS if any(name.startswith(layout.marker) for name in names)),
        None,
    )


def config_of(
    layout: Layout, tensors: Mapping[str, torch.Tensor], image_size: int | None = None
) -> ModelConfig:
    """The sizes of the EoMT that the tensors' shapes tell; all classes count as things.

    `image_size`: where positions are rotary, tensors do not tell it; None leaves our default.
    """
    queries, width = _shape(layout, tensors, "q.weight")
    sizes = {
        architecture.dim: size for size, architecture in ARCHITECTURES.items() if size != "tiny"
    }
    if width not in sizes:
        known = ", ".join(f"{size} ({dim})" for dim, size in sizes.items())
        raise WeightsError(f"this is an EoMT of width {width}; there are only {known}")
    given = {"image_size": image_size} if image_size else {}
    if layout.backbone == "dinov2":
        count = _shape(layout, tensors, "backbone.vit.pos_embed")[-2]
        given = {"image_size": round(count**0.5) * PATCH}
    classes = _shape(layout, tensors, "class_head.weight")[0] - 1
    return ModelConfig(
        sizes[width], layout.backbone, num_queries=queries, num_things=classes, num_stuff=0, **given
    )


def rename(
    layout: Layout,
    tensors: Mapping[str, torch.Tensor],
    expected: Mapping[str, torch.Tensor],
    what: str,
) -> dict[str, torch.Tensor]:
    """The tensors under our names, in float32.

    Args:
        layout: how they are called.
        tensors: those of the other code base.
        expected: names and shapes of ours, all of which must come of them; values do not count.
        what: the model, for the error.

    Raises `WeightsError` with what is missing, left over, of a wrong shape, not finite or not in
    floating point.
    """
    state, wrong, used = {}, [], set()
    for name, like in expected.items():
        sources = layout.sources(name)
        used.update(sources)
        parts, problems = _parts(tensors, sources, like.shape, name.endswith("pos_embed"))
        if problems:
            wrong += problems
        else:
            state[name] = torch.cat([part.float() for part in parts])
    left_over = sorted(set(tensors) - used)
    wrong += [f"left over: {name}" for name in left_over if not layout.is_other(name)]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise WeightsError(
            f"the tensors do not fit {what} in the layout of {layout.name}: "
            f"{'; '.join(wrong[:5])}{more}"
        )
    return state


def _parts(
    tensors: Mapping[str, torch.Tensor],
    sources: tuple[str, ...],
    shape: torch.Size,
    is_positions: bool,
) -> tuple[list[torch.Tensor], list[str]]:
    """The tensors that, one below the other, have that shape, and what is wrong with them."""
    missing = [f"missing: {source}" for source in sources if source not in tensors]
    if missing:
        return [], missing
    parts = [tensors[source] for source in sources]
    if is_positions and parts[0].ndim == 2:
        parts = [parts[0].unsqueeze(0)]  # an nn.Embedding in transformers
    share = (shape[0] // len(parts), *shape[1:])
    problems = [
        f"{source} is {tuple(part.shape)}, should be {share}"
        for source, part in zip(sources, parts, strict=True)
        if tuple(part.shape) != share
    ]
    if not problems:
        problems = [
            f"{source} is {problem}"
            for source, part in zip(sources, parts, strict=True)
            if (problem := _problem_of(part))
        ]
    return parts, problems


def _problem_of(part: torch.Tensor) -> str:
    """What is wrong with the values of a tensor; empty where nothing is."""
    if not part.is_floating_point():
        kind = str(part.dtype).removeprefix("torch.")
        return f"{kind}, not floating point: quantised weights are not read"
    return "" if part.isfinite().all() else "not finite"


def expected_tensors(config: ModelConfig) -> dict[str, torch.Tensor]:
    """The state dict of an `EoMT` without its values."""
    with torch.device("meta"):
        return make_eomt(config).state_dict()


def _shape(layout: Layout, tensors: Mapping[str, torch.Tensor], name: str) -> torch.Size:
    (source,) = layout.sources(name)
    if source not in tensors:
        raise WeightsError(
            f"the tensor {source} is missing, which tells the size of an EoMT in {layout.name}"
        )
    shape = tensors[source].shape
    if len(shape) < 2:
        raise WeightsError(f"the tensor {source} is {tuple(shape)}, which tells no size")
    return shape
