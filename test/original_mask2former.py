"""The tensors of a Mask2Former or PRO-SCALE as detectron2 calls them, with random values."""

import torch


class _State:
    def __init__(self):
        self.tensors = {}

    def add(self, name, *shape, bias=None):
        """A weight and, unless `bias` is False, a bias of its rows."""
        self.tensors[f"{name}.weight"] = torch.randn(shape) * 0.05
        if bias is not False:
            self.tensors[f"{name}.bias"] = torch.randn(shape[0]) * 0.05

    def norm(self, name, width):
        self.tensors[f"{name}.weight"] = 1 + torch.randn(width) * 0.05
        self.tensors[f"{name}.bias"] = torch.randn(width) * 0.05


def original_state(layers=(0, 0, 6), backbone="swin_tiny", light=False, released=False, **sizes):
    """A state dict: `layers` is (p1, p2, p3); `light` and `released` are PRO-SCALE's."""
    given = {"dim": 32, "ffn": 48, "queries": 7, "decoder_layers": 3, "classes": 133, **sizes}
    torch.manual_seed(1)
    state = _State()
    channels = _swin(state) if backbone == "swin_tiny" else _resnet(state)
    _pixel_decoder(state, channels, layers, light, released, given)
    _predictor(state, given)
    state.tensors["criterion.empty_weight"] = torch.ones(given["classes"] + 1)
    return state.tensors


def _swin(state):
    state.add("backbone.patch_embed.proj", 96, 3, 4, 4)
    state.norm("backbone.patch_embed.norm", 96)
    for stage, blocks in enumerate((2, 2, 6, 2)):
        width, heads = 96 << stage, 3 << stage
        for number in range(blocks):
            block = f"backbone.layers.{stage}.blocks.{number}"
            state.norm(f"{block}.norm1", width)
            state.tensors[f"{block}.attn.relative_position_bias_table"] = torch.randn(169, heads)
            state.tensors[f"{block}.attn.relative_position_index"] = torch.zeros(49, 49).long()
            state.add(f"{block}.attn.qkv", 3 * width, width)
            state.add(f"{block}.attn.proj", width, width)
            state.norm(f"{block}.norm2", width)
            state.add(f"{block}.mlp.fc1", 4 * width, width)
            state.add(f"{block}.mlp.fc2", width, 4 * width)
        if stage < 3:
            down = f"backbone.layers.{stage}.downsample"
            state.add(f"{down}.reduction", 2 * width, 4 * width, bias=False)
            state.norm(f"{down}.norm", 4 * width)
        state.norm(f"backbone.norm{stage}", width)
    return [96, 192, 384, 768]


def _resnet(state):
    def conv(name, *shape):
        state.add(name, *shape, bias=False)
        state.norm(f"{name}.norm", shape[0])
        state.tensors[f"{name}.norm.running_mean"] = torch.randn(shape[0]) * 0.05
        state.tensors[f"{name}.norm.running_var"] = torch.rand(shape[0]) + 0.5

    conv("backbone.stem.conv1", 64, 3, 7, 7)
    inputs = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for number in range(blocks):
            block = f"backbone.res{stage + 2}.{number}"
            if number == 0:
                conv(f"{block}.shortcut", 4 * width, inputs, 1, 1)
            conv(f"{block}.conv1", width, inputs, 1, 1)
            conv(f"{block}.conv2", width, width, 3, 3)
            conv(f"{block}.conv3", 4 * width, width, 1, 1)
            inputs = 4 * width
    return [256, 512, 1024, 2048]


def _pixel_decoder(state, channels, layers, light, released, sizes):
    dim, ffn, prefix = sizes["dim"], sizes["ffn"], "sem_seg_head.pixel_decoder"
    for number, width in enumerate(reversed(channels[1:])):
        state.add(f"{prefix}.input_proj.{number}.0", dim, width, 1, 1)
        state.norm(f"{prefix}.input_proj.{number}.1", dim)
    state.tensors[f"{prefix}.transformer.level_embed"] = torch.randn(3, dim)
    levels = [level for level, count in enumerate(layers, 1) for _ in range(count)]
    for number, level in enumerate(levels):
        layer = f"{prefix}.transformer.encoder.layers.{number}"
        state.add(f"{layer}.self_attn.sampling_offsets", 8 * level * 4 * 2, dim)
        state.add(f"{layer}.self_attn.attention_weights", 8 * level * 4, dim)
        state.add(f"{layer}.self_attn.value_proj", dim, dim)
        state.add(f"{layer}.self_attn.output_proj", dim, dim)
        state.norm(f"{layer}.norm1", dim)
        state.add(f"{layer}.linear1", ffn, dim)
        state.add(f"{layer}.linear2", dim, ffn)
        state.norm(f"{layer}.norm2", dim)
    if released:
        state.add(f"{prefix}.transformer.encoder.token_excite.ops", 1, dim)
    state.add(f"{prefix}.mask_features", dim, dim, 1, 1)
    state.add(f"{prefix}.adapter_1", dim, channels[0], 1, 1, bias=False)
    state.norm(f"{prefix}.adapter_1.norm", dim)
    if not light:
        state.add(f"{prefix}.layer_1", dim, dim, 3, 3, bias=False)
    state.norm(f"{prefix}.layer_1.norm", dim)


def _predictor(state, sizes):
    dim, prefix = sizes["dim"], "sem_seg_head.predictor"
    for number in range(sizes["decoder_layers"]):
        for kind, name in (
            ("self", "self_attn"),
            ("cross", "multihead_attn"),
        ):
            layer = f"{prefix}.transformer_{kind}_attention_layers.{number}"
            state.tensors[f"{layer}.{name}.in_proj_weight"] = torch.randn(3 * dim, dim) * 0.05
            state.tensors[f"{layer}.{name}.in_proj_bias"] = torch.randn(3 * dim) * 0.05
            state.add(f"{layer}.{name}.out_proj", dim, dim)
            state.norm(f"{layer}.norm", dim)
        layer = f"{prefix}.transformer_ffn_layers.{number}"
        state.add(f"{layer}.linear1", 2 * dim, dim)
        state.add(f"{layer}.linear2", dim, 2 * dim)
        state.norm(f"{layer}.norm", dim)
    state.norm(f"{prefix}.decoder_norm", dim)
    for name, rows in (
        ("query_feat", sizes["queries"]),
        ("query_embed", sizes["queries"]),
        ("level_embed", 3),
    ):
        state.add(f"{prefix}.{name}", rows, dim, bias=False)
    state.add(f"{prefix}.class_embed", sizes["classes"] + 1, dim)
    for number in range(3):
        state.add(f"{prefix}.mask_embed.layers.{number}", dim, dim)
