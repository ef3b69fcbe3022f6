"""What other code bases call the tensors of a Mask2Former.

Encoder layers, of which ours are in three stages, have one row of numbers there. Rules and tensors
here have them so, too, as `pixel_decoder.layers.5`; `numbered` translates.
"""

import re
from collections.abc import Iterable

from dsflash_ros.conversion.layouts import Layout

_OTHERS = r"criterion\.empty_weight|.*relative_position_index|.*num_batches_tracked"


def _with_downsampling_first(layers: str) -> dict[str, str]:
    """timm scales down at the start of a stage of Swin, others at the end of the one before."""
    return {
        rf"^backbone\.timm_model\.layers\.{stage}\.downsample": f"{layers}.{stage - 1}.downsample"
        for stage in (1, 2, 3)
    }


_D2_PIXELS = "sem_seg_head.pixel_decoder."
_D2_QUERIES = "sem_seg_head.predictor."
DETECTRON2 = Layout(
    "detectron2's Mask2Former",
    "",
    "sem_seg_head.pixel_decoder.",
    {
        **_with_downsampling_first("backbone.layers"),
        r"^backbone\.norms\.(\d)\.": r"backbone.norm\1.",
        r"^backbone\.timm_model\.layer1\.": "backbone.res2.",
        r"^backbone\.timm_model\.layer2\.": "backbone.res3.",
        r"^backbone\.timm_model\.layer3\.": "backbone.res4.",
        r"^backbone\.timm_model\.layer4\.": "backbone.res5.",
        r"^backbone\.timm_model\.conv1\.": "backbone.stem.conv1.",
        r"^backbone\.timm_model\.bn1\.": "backbone.stem.conv1.norm.",
        r"^(backbone\.res\d\.\d+)\.bn(\d)\.": r"\1.conv\2.norm.",
        r"^(backbone\.res\d\.\d+)\.downsample\.0\.": r"\1.shortcut.",
        r"^(backbone\.res\d\.\d+)\.downsample\.1\.": r"\1.shortcut.norm.",
        r"^backbone\.timm_model\.": "backbone.",
        r"\.attention\.offsets\.": ".self_attn.sampling_offsets.",
        r"\.attention\.weights\.": ".self_attn.attention_weights.",
        r"\.attention\.(value|output)\.": r".self_attn.\1_proj.",
        r"^pixel_decoder\.projections\.": f"{_D2_PIXELS}input_proj.",
        r"^pixel_decoder\.level_embedding": f"{_D2_PIXELS}transformer.level_embed",
        r"^pixel_decoder\.layers\.": f"{_D2_PIXELS}transformer.encoder.layers.",
        r"^pixel_decoder\.recalibration\.linear\.": (
            f"{_D2_PIXELS}transformer.encoder.token_excite.ops."
        ),
        r"^pixel_decoder\.embedding\.lateral\.0\.": f"{_D2_PIXELS}adapter_1.",
        r"^pixel_decoder\.embedding\.lateral\.1\.": f"{_D2_PIXELS}adapter_1.norm.",
        r"^pixel_decoder\.embedding\.conv\.": f"{_D2_PIXELS}layer_1.",
        r"^pixel_decoder\.embedding\.norm\.": f"{_D2_PIXELS}layer_1.norm.",
        r"^pixel_decoder\.embedding\.project\.": f"{_D2_PIXELS}mask_features.",
        r"\.(cross|mutual)\.inputs\.": r".\1.in_proj_",
        r"\.(cross|mutual)\.output\.": r".\1.out_proj.",
        r"^decoder\.layers\.(\d+)\.cross\.": (
            rf"{_D2_QUERIES}transformer_cross_attention_layers.\1.multihead_attn."
        ),
        r"^decoder\.layers\.(\d+)\.mutual\.": (
            rf"{_D2_QUERIES}transformer_self_attention_layers.\1.self_attn."
        ),
        r"^decoder\.layers\.(\d+)\.cross_norm\.": (
            rf"{_D2_QUERIES}transformer_cross_attention_layers.\1.norm."
        ),
        r"^decoder\.layers\.(\d+)\.mutual_norm\.": (
            rf"{_D2_QUERIES}transformer_self_attention_layers.\1.norm."
        ),
        r"^decoder\.layers\.(\d+)\.": rf"{_D2_QUERIES}transformer_ffn_layers.\1.",
        r"^decoder\.norm\.": f"{_D2_QUERIES}decoder_norm.",
        r"^decoder\.query_features\.": f"{_D2_QUERIES}query_feat.",
        r"^decoder\.query_positions\.": f"{_D2_QUERIES}query_embed.",
        r"^decoder\.level_embedding\.": f"{_D2_QUERIES}level_embed.",
        r"^decoder\.class_head\.": f"{_D2_QUERIES}class_embed.",
        r"^decoder\.mask_head\.0\.": f"{_D2_QUERIES}mask_embed.layers.0.",
        r"^decoder\.mask_head\.2\.": f"{_D2_QUERIES}mask_embed.layers.1.",
        r"^decoder\.mask_head\.4\.": f"{_D2_QUERIES}mask_embed.layers.2.",
    },
    others=_OTHERS,
)

_HF_BACKBONE = "model.pixel_level_module.encoder."
_HF_PIXELS = "model.pixel_level_module.decoder."
_HF_QUERIES = "model.transformer_module."
TRANSFORMERS = Layout(
    "transformers' mask2former",
    "",
    "model.transformer_module.",
    {
        **_with_downsampling_first(f"{_HF_BACKBONE}encoder.layers"),
        r"^backbone\.timm_model\.patch_embed\.proj\.": (
            f"{_HF_BACKBONE}embeddings.patch_embeddings.projection."
        ),
        r"^backbone\.timm_model\.patch_embed\.": f"{_HF_BACKBONE}embeddings.",
        r"^backbone\.norms\.0\.": f"{_HF_BACKBONE}hidden_states_norms.stage1.",
        r"^backbone\.norms\.1\.": f"{_HF_BACKBONE}hidden_states_norms.stage2.",
        r"^backbone\.norms\.2\.": f"{_HF_BACKBONE}hidden_states_norms.stage3.",
        r"^backbone\.norms\.3\.": f"{_HF_BACKBONE}hidden_states_norms.stage4.",
        r"^backbone\.timm_model\.": f"{_HF_BACKBONE}encoder.",
        r"\.attn\.qkv\.": ".attention.self.{long}.",
        r"\.attn\.relative_position_bias_table": ".attention.self.relative_position_bias_table",
        r"\.attn\.proj\.": ".attention.output.dense.",
        r"(\.blocks\.\d+)\.norm1\.": r"\1.layernorm_before.",
        r"(\.blocks\.\d+)\.norm2\.": r"\1.layernorm_after.",
        r"\.mlp\.fc1\.": ".intermediate.dense.",
        r"\.mlp\.fc2\.": ".output.dense.",
        r"\.attention\.offsets\.": ".self_attn.sampling_offsets.",
        r"\.attention\.weights\.": ".self_attn.attention_weights.",
        r"\.attention\.(value|output)\.(weight|bias)": r".self_attn.\1_proj.\2",
        r"\.linear([12])\.": r".fc\1.",
        r"(^pixel_decoder\.layers\.\d+)\.norm1\.": r"\1.self_attn_layer_norm.",
        r"(^pixel_decoder\.layers\.\d+)\.norm2\.": r"\1.final_layer_norm.",
        r"^pixel_decoder\.projections\.": f"{_HF_PIXELS}input_projections.",
        r"^pixel_decoder\.level_embedding": f"{_HF_PIXELS}level_embed",
        r"^pixel_decoder\.layers\.": f"{_HF_PIXELS}encoder.layers.",
        r"^pixel_decoder\.embedding\.lateral\.": f"{_HF_PIXELS}adapter_1.",
        r"^pixel_decoder\.embedding\.conv\.": f"{_HF_PIXELS}layer_1.0.",
        r"^pixel_decoder\.embedding\.norm\.": f"{_HF_PIXELS}layer_1.1.",
        r"^pixel_decoder\.embedding\.project\.": f"{_HF_PIXELS}mask_projection.",
        r"\.cross\.inputs\.": ".cross_attn.in_proj_",
        r"\.cross\.output\.": ".cross_attn.out_proj.",
        r"\.cross_norm\.": ".cross_attn_layer_norm.",
        r"\.mutual\.inputs\.": ".self_attn.{}_proj.",
        r"\.mutual\.output\.": ".self_attn.out_proj.",
        r"\.mutual_norm\.": ".self_attn_layer_norm.",
        r"^(decoder\.layers\.\d+)\.norm\.": r"\1.final_layer_norm.",
        r"^decoder\.layers\.": f"{_HF_QUERIES}decoder.layers.",
        r"^decoder\.norm\.": f"{_HF_QUERIES}decoder.layernorm.",
        r"^decoder\.query_features\.": f"{_HF_QUERIES}queries_features.",
        r"^decoder\.query_positions\.": f"{_HF_QUERIES}queries_embedder.",
        r"^decoder\.level_embedding\.": f"{_HF_QUERIES}level_embed.",
        r"^decoder\.class_head\.": "class_predictor.",
        r"^decoder\.mask_head\.0\.": f"{_HF_QUERIES}decoder.mask_predictor.mask_embedder.0.0.",
        r"^decoder\.mask_head\.2\.": f"{_HF_QUERIES}decoder.mask_predictor.mask_embedder.1.0.",
        r"^decoder\.mask_head\.4\.": f"{_HF_QUERIES}decoder.mask_predictor.mask_embedder.2.0.",
    },
    # the backbone's own last normalisation, which Mask2Former does not use
    others=rf"{_OTHERS}|model\.pixel_level_module\.encoder\.(swin\.)?layernorm\..*",
)
LAYOUTS = (DETECTRON2, TRANSFORMERS)


def detect_mask2former(names: Iterable[str]) -> Layout | None:
    """The layout of a Mask2Former's tensors, None when it is none of those known."""
    names = list(names)
    return next(
        (layout for layout in LAYOUTS if any(name.startswith(layout.marker) for name in names)),
        None,
    )


def numbered(name: str, layers: tuple[int, int, int]) -> str:
    """Our name of a tensor with the encoder's layers in one row; `layers` is (p1, p2, p3)."""

    def flat(match: re.Match) -> str:
        stage, index = int(match[1]), int(match[2])
        return f"pixel_decoder.layers.{sum(layers[:stage]) + index}."

    return re.sub(r"^pixel_decoder\.stages\.(\d)\.(\d+)\.", flat, name)
