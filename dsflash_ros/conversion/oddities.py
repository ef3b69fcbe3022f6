"""What is odd about a foreign EoMT, so that our model may differ from its source."""

from dsflash_ros.conversion.config_fields import check_fields
from dsflash_ros.conversion.foreign import ForeignCheckpoint
from dsflash_ros.conversion.layouts import TRANSFORMERS_DINOV2, TRANSFORMERS_DINOV3, Layout
from dsflash_ros.errors import WeightsError
from dsflash_ros.model.config import ModelConfig
from dsflash_ros.model.segmenters.vit import HEAD_DIM

_EPSILON = {"dinov2": 1e-6, "dinov3": 1e-5}
"""Of the backbones' layer normalisations, as they were trained."""

_FIXED = {"hidden_act": "gelu", "rope_parameters.rope_theta": 100.0, "rope_theta": 100.0}
"""What our model takes for granted, of transformers' config.json; its defaults are the same."""

_TRANSFORMERS_HEADS = 16
"""What a config.json means that does not say `num_attention_heads`."""


def oddities(
    foreign: ForeignCheckpoint,
    layout: Layout,
    config: ModelConfig,
    image_size: int | None,
    is_difference: bool,
) -> list[str]:
    """A note for each oddity.

    Args:
        config: of the foreign model.
        image_size: what the user asked for.
        is_difference: whether the tensors are differences to those that EoMT starts from.

    Raises `WeightsError` where our model would be another one.
    """
    if layout in (TRANSFORMERS_DINOV2, TRANSFORMERS_DINOV3):
        ours = {"num_attention_heads": config.architecture.dim // HEAD_DIM, **_FIXED}
        check_fields(foreign.config, ours, {"num_attention_heads": _TRANSFORMERS_HEADS})
    notes = _masked_attention(foreign, config, is_difference)
    usual = _EPSILON[layout.backbone]
    epsilon = foreign.config.get("layer_norm_eps", usual)
    if epsilon != usual:
        notes.append(
            f"note: its config.json has layer_norm_eps {epsilon}; {usual} is used, "
            f"with which {layout.backbone} and EoMT were trained"
        )
    is_known = layout.backbone == "dinov2" or image_size or foreign.image_size is not None
    if not is_known:
        notes.append(
            f"note: the file does not say its image size, {config.image_size} is taken; "
            "else give --image-size"
        )
    return notes


def _masked_attention(
    foreign: ForeignCheckpoint, config: ModelConfig, is_difference: bool
) -> list[str]:
    notes, query_blocks = [], config.architecture.query_blocks
    for name, tensor in foreign.tensors.items():
        if not name.endswith("attn_mask_probs"):
            continue
        if len(tensor) != query_blocks:
            raise WeightsError(
                f"its queries join before the last {len(tensor)} blocks, "
                f"but before the last {query_blocks} in our {config.size} model"
            )
        probabilities = tensor.float()
        if is_difference:
            probabilities = probabilities + 1  # EoMT starts training at 1
        if probabilities.abs().max() > 1e-3:
            notes.append(
                "note: trained with masked attention that was not annealed away "
                f"({name} is {[round(value, 3) for value in probabilities.tolist()]}); "
                "it is plain here, results will differ"
            )
    return notes
