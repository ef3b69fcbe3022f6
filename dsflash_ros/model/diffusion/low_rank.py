"""LoRA on the keys and values of cross-attention (SPADE Eq. 5), by peft."""

from torch import nn

from dsflash_ros.errors import missing_extra

TARGETS = ["attn2.to_k", "attn2.to_v"]
"""The only layers whose weights W become W + B D."""


def add_low_rank(unet: nn.Module, rank: int) -> list[nn.Parameter]:
    """Freeze a UNet, and add matrices B and D to `TARGETS` in place; returns these parameters.

    B starts at zero, so that the UNet says what it said before. There are
    rank * (in + out) parameters a layer.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise missing_extra("diffusion", error) from error
    unet.requires_grad_(False)
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS), unet)
    return [parameter for parameter in unet.parameters() if parameter.requires_grad]


def merge_low_rank(unet: nn.Module) -> None:
    """Put W + B D in the place of W, B and D: a UNet with the layers that it had at first."""
    from peft.tuners.lora import LoraLayer

    layers = {name: part for name, part in unet.named_modules() if isinstance(part, LoraLayer)}
    for name, layer in layers.items():
        layer.merge()
        parent, _, own = name.rpartition(".")
        setattr(unet.get_submodule(parent), own, layer.get_base_layer())
