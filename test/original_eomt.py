"""The original EoMT, rebuilt from the public modules that it is made of, under its names.

Attention is plain. The backbones are timm's VisionTransformer and transformers' DINOv3ViTModel
themselves; nothing of ours is used.
"""

import timm
import torch
from reference_eomt import WIDTHS, transformers
from timm.layers import LayerNorm2d
from torch import nn


class OriginalEoMT(nn.Module):
    """What the original saves as a checkpoint is the state dict of this."""

    def __init__(self, size, backbone, image_size, queries=20, classes=133):
        super().__init__()
        width, _, _, last = WIDTHS[size]
        network = nn.Module()
        network.encoder = nn.Module()
        network.encoder.backbone = (
            _timm_dinov2(size, image_size) if backbone == "dinov2" else _relabelled(size)
        )
        network.encoder.register_buffer(
            "pixel_mean", torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
        )
        network.encoder.register_buffer(
            "pixel_std", torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
        )
        network.register_buffer("attn_mask_probs", torch.zeros(last))
        network.q = nn.Embedding(queries, width)
        network.class_head = nn.Linear(width, classes + 1)
        linear = [nn.Linear(width, width) for _ in range(3)]
        network.mask_head = nn.Sequential(linear[0], nn.GELU(), linear[1], nn.GELU(), linear[2])
        network.upscale = nn.Sequential(_upscale(width), _upscale(width))
        self.network = network
        self.criterion = nn.Module()
        self.criterion.register_buffer("empty_weight", torch.ones(classes + 1))
        self.last, self.grid = last, image_size // 16
        shake(self)
        self.eval()

    @torch.inference_mode()
    def forward(self, images):
        """Mask and class logits of images in 0..1."""
        net = self.network
        backbone = net.encoder.backbone
        x = (images - net.encoder.pixel_mean) / net.encoder.pixel_std
        rotary = {}
        if hasattr(backbone, "rope_embeddings"):
            rotary = {"position_embeddings": backbone.rope_embeddings(x)}
            x = backbone.patch_embed(x)
        else:
            x = backbone._pos_embed(backbone.patch_embed(x))
        for index, block in enumerate(backbone.blocks):
            if index == len(backbone.blocks) - self.last:
                x = torch.cat((net.q.weight[None].expand(len(x), -1, -1), x), dim=1)
            x = block(x, **rotary)
            x = x[0] if isinstance(x, tuple) else x
        x = backbone.norm(x)
        queries, patches = x[:, : len(net.q.weight)], x[:, -(self.grid**2) :]
        pixels = patches.transpose(1, 2).reshape(len(x), -1, self.grid, self.grid)
        for block in net.upscale:
            pixels = block.norm(block.conv2(block.act(block.conv1(pixels))))
        return torch.einsum("bqc,bchw->bqhw", net.mask_head(queries), pixels), net.class_head(
            queries
        )


def dinov3(size):
    """A random DINOv3 of transformers, every tensor away from its trivial value."""
    width, heads, depth, _ = WIDTHS[size]
    config = transformers.DINOv3ViTConfig(
        hidden_size=width,
        num_attention_heads=heads,
        num_hidden_layers=depth,
        intermediate_size=4 * width,
        num_register_tokens=4,
    )
    model = transformers.DINOv3ViTModel(config).eval()
    shake(model)
    return model


def differences(eomt, base):
    """What has to be added to EoMT as its loader starts (`base`, zeros, buffers) to get `eomt`."""
    start = {name: torch.zeros_like(tensor) for name, tensor in eomt.state_dict().items()}
    start["network.attn_mask_probs"] += 1
    for name, tensor in as_backbone(base).state_dict().items():
        start[f"network.encoder.backbone.{name}"] = tensor
    for name in ("network.encoder.pixel_mean", "network.encoder.pixel_std"):
        start[name] = eomt.state_dict()[name]
    return {name: tensor - start[name] for name, tensor in eomt.state_dict().items()}


def as_backbone(model):
    """transformers' DINOv3 with its parts called as the original EoMT calls them."""
    backbone = nn.Module()
    backbone.patch_embed = model.embeddings
    backbone.rope_embeddings = model.rope_embeddings
    backbone.blocks = model.model.layer
    backbone.norm = model.norm
    if hasattr(backbone.patch_embed, "mask_token"):
        del backbone.patch_embed.mask_token
    return backbone


def meta_names(model):
    """A transformers DINOv3's state dict as Meta's own files have it."""
    state = {name.removeprefix("model."): tensor for name, tensor in model.state_dict().items()}
    depth, width = model.config.num_hidden_layers, model.config.hidden_size
    meta = {
        "cls_token": state["embeddings.cls_token"],
        "storage_tokens": state["embeddings.register_tokens"],
        "mask_token": torch.zeros(1, width),
        "rope_embed.periods": torch.rand(16),
        "patch_embed.proj.weight": state["embeddings.patch_embeddings.weight"],
        "patch_embed.proj.bias": state["embeddings.patch_embeddings.bias"],
        "norm.weight": state["norm.weight"],
        "norm.bias": state["norm.bias"],
    }
    for i in range(depth):
        theirs, metas = f"layer.{i}.", f"blocks.{i}."
        qkv = [state[f"{theirs}attention.{part}_proj.weight"] for part in "qkv"]
        q, v = (state[f"{theirs}attention.{part}_proj.bias"] for part in "qv")
        meta[f"{metas}attn.qkv.weight"] = torch.cat(qkv)
        meta[f"{metas}attn.qkv.bias"] = torch.cat(
            (q, torch.randn(width), v)
        )  # the middle is masked away
        meta[f"{metas}attn.qkv.bias_mask"] = torch.cat(
            (torch.ones(width), torch.zeros(width), torch.ones(width))
        )
        for kind in ("weight", "bias"):
            meta[f"{metas}attn.proj.{kind}"] = state[f"{theirs}attention.o_proj.{kind}"]
            meta[f"{metas}mlp.fc1.{kind}"] = state[f"{theirs}mlp.up_proj.{kind}"]
            meta[f"{metas}mlp.fc2.{kind}"] = state[f"{theirs}mlp.down_proj.{kind}"]
            for norm in ("norm1", "norm2"):
                meta[f"{metas}{norm}.{kind}"] = state[f"{theirs}{norm}.{kind}"]
        for n in (1, 2):
            meta[f"{metas}ls{n}.gamma"] = state[f"{theirs}layer_scale{n}.lambda1"]
    return meta


def shake(model):
    """Move what starts at ones and zeros, so that mixing tensors up shows."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 or "token" in name or "pos" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
            if "gamma" in name or "lambda" in name:
                parameter.uniform_(0.2, 1)


def _timm_dinov2(size, image_size):
    name = f"vit_{size}_patch14_reg4_dinov2"
    return timm.create_model(name, img_size=image_size, patch_size=16, num_classes=0)


def _relabelled(size):
    return as_backbone(dinov3(size))


def _upscale(width):
    block = nn.Module()
    block.conv1 = nn.ConvTranspose2d(width, width, 2, 2)
    block.act = nn.GELU()
    block.conv2 = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
    block.norm = LayerNorm2d(width)
    return block
