"""Random EoMT models of transformers, and their weights under our names."""

import pytest
import torch

transformers = pytest.importorskip("transformers")

WIDTHS = {"small": (384, 6, 12, 3), "base": (768, 12, 12, 3), "large": (1024, 16, 24, 4)}
COMMON = {
    "query.weight": "q.weight",
    "class_predictor.": "class_head.",
    "mask_head.fc1.": "mask_head.0.",
    "mask_head.fc2.": "mask_head.2.",
    "mask_head.fc3.": "mask_head.4.",
    "upscale_block.block.": "upscale.",
    "layernorm2d.": "norm.",
    "layernorm.": "backbone.vit.norm.",
    "embeddings.cls_token": "backbone.vit.cls_token",
    "layers.": "backbone.vit.blocks.",
    ".attention.": ".attn.",
    ".out_proj.": ".proj.",
    ".o_proj.": ".proj.",
    ".mlp.up_proj.": ".mlp.fc1.",
    ".mlp.down_proj.": ".mlp.fc2.",
    "embeddings.register_tokens": "backbone.vit.reg_token",
}
DINOV2 = {
    "embeddings.patch_embeddings.projection.": "backbone.vit.patch_embed.proj.",
    ".layer_scale1.lambda1": ".ls1.gamma",
    ".layer_scale2.lambda1": ".ls2.gamma",
}
DINOV3 = {
    "embeddings.patch_embeddings.": "backbone.vit.patch_embed.proj.",
    ".layer_scale1.lambda1": ".gamma_1",
    ".layer_scale2.lambda1": ".gamma_2",
}


def reference_model(size: str, backbone: str, image_size: int, num_classes: int, **more):
    """A random model of transformers in eval mode. Attention is plain, no tensor trivial.

    `more` goes into its config.
    """
    width, heads, depth, num_blocks = WIDTHS[size]
    sizes = {
        "hidden_size": width,
        "num_attention_heads": heads,
        "num_hidden_layers": depth,
        "num_blocks": num_blocks,
        "image_size": image_size,
        "num_labels": num_classes,
        **more,
    }
    if backbone == "dinov2":
        model = transformers.EomtForUniversalSegmentation(transformers.EomtConfig(**sizes))
    else:
        # DINOv3's own epsilon is 1e-5; transformers' EoMT config defaults to 1e-6.
        config = transformers.EomtDinov3Config(
            **{"intermediate_size": 4 * width, "layer_norm_eps": 1e-5} | sizes
        )
        model = transformers.EomtDinov3ForUniversalSegmentation(config)
    model.attn_mask_probs.zero_()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 or "token" in name or "position" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def weights_of(model, backbone: str) -> dict[str, torch.Tensor]:
    """The model's state dict under the names of `dsflash_ros.model.segmenters.eomt.EoMT`."""
    state = {}
    for name, tensor in model.state_dict().items():
        if name.startswith(("attn_mask_probs", "criterion")):
            continue
        if name == "embeddings.position_embeddings.weight":
            state["backbone.vit.pos_embed"] = tensor.unsqueeze(0)
            continue
        for theirs, ours in (DINOV2 if backbone == "dinov2" else DINOV3).items() | COMMON.items():
            if theirs in name and not (theirs == "layernorm." and "layernorm2d" in name):
                name = name.replace(theirs, ours, 1)
        state[name] = tensor
    return _fuse_qkv(state, backbone)


def _fuse_qkv(state: dict[str, torch.Tensor], backbone: str) -> dict[str, torch.Tensor]:
    fused = {
        name: tensor
        for name, tensor in state.items()
        if ".attn." not in name or ".attn.proj." in name
    }
    for name in [name for name in state if name.endswith("attn.q_proj.weight")]:
        attn = name.removesuffix("q_proj.weight")
        fused[f"{attn}qkv.weight"] = torch.cat(
            [state[f"{attn}{part}_proj.weight"] for part in "qkv"]
        )
        if backbone == "dinov2":
            fused[f"{attn}qkv.bias"] = torch.cat(
                [state[f"{attn}{part}_proj.bias"] for part in "qkv"]
            )
        else:
            for part in "qv":
                fused[f"{attn}{part}_bias"] = state[f"{attn}{part}_proj.bias"]
    return fused
