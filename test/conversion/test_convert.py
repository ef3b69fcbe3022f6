"""Conversion of whole weights of EoMT, as transformers and the original save them."""

import hashlib
import json

import pytest
import torch
from converted_weights import converted, differ
from original_eomt import OriginalEoMT
from reference_eomt import reference_model, transformers
from safetensors.torch import save_file

from dsflash_ros.conversion.convert import CONVERTER_VERSION, convert
from dsflash_ros.errors import WeightsError
from dsflash_ros.graph.vocabulary import Vocabulary

MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
STD = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)


@pytest.fixture(scope="module")
def eomt_state():
    return OriginalEoMT("small", "dinov2", 64, queries=5).state_dict()


@torch.inference_mode()
def transformers_logits(model, images):
    out = model((images - MEAN) / STD)
    return out.masks_queries_logits, out.class_queries_logits


@pytest.mark.parametrize(
    ("size", "backbone", "image_size", "queries"),
    [
        ("small", "dinov2", 160, 20),
        pytest.param("small", "dinov3", 640, 200, marks=pytest.mark.slow),
        pytest.param("base", "dinov3", 96, 20, marks=pytest.mark.slow),
        pytest.param("small", "dinov2", 640, 200, marks=pytest.mark.slow),
        pytest.param("base", "dinov2", 96, 20, marks=pytest.mark.slow),
        pytest.param("large", "dinov2", 96, 20, marks=pytest.mark.slow),
    ],
)
def test_transformers_layout(tmp_path, size, backbone, image_size, queries):
    reference = reference_model(size, backbone, image_size, 133, num_queries=queries)
    reference.save_pretrained(
        tmp_path / "theirs", max_shard_size="60MB" if size == "small" else "5GB"
    )
    sharded = (tmp_path / "theirs" / "model.safetensors.index.json").exists()
    assert sharded == (size == "small")
    ours, header, summary = converted(tmp_path, tmp_path / "theirs")
    config = header.config
    assert (config.size, config.backbone, config.image_size) == (size, backbone, image_size)
    assert (config.num_queries, config.num_things, config.num_stuff) == (queries, 80, 53)
    assert header.trained == ("segmenter",) and header.vocabulary == Vocabulary.psg()
    assert len(header.recipe["sha256"]) == len(list((tmp_path / "theirs").glob("*.safetensors")))
    assert "note" not in summary
    images = torch.rand(1, 3, image_size, image_size)
    assert differ(ours, *transformers_logits(reference, images), images) < 1e-3


@pytest.mark.parametrize(
    ("size", "backbone", "image_size"),
    [
        ("small", "dinov2", 160),
        ("small", "dinov3", 160),
        pytest.param("base", "dinov2", 96, marks=pytest.mark.slow),
    ],
)
def test_original_layout_as_lightning_saves_it(tmp_path, size, backbone, image_size):
    original = OriginalEoMT(size, backbone, image_size)
    state = {
        name.replace("network.encoder.", "network._orig_mod.encoder."): tensor
        for name, tensor in original.state_dict().items()
    }
    torch.save({"state_dict": state, "epoch": 11}, tmp_path / "last.ckpt")
    arguments = {"image_size": image_size} if backbone == "dinov3" else {}
    ours, header, _ = converted(tmp_path, tmp_path / "last.ckpt", **arguments)
    assert (header.config.size, header.config.backbone, header.config.image_size) == (
        size,
        backbone,
        image_size,
    )
    images = torch.rand(2, 3, image_size, image_size)
    assert differ(ours, *original(images), images) < 1e-3


def test_the_image_size_that_positions_tell(tmp_path, eomt_state):
    positions = "network.encoder.backbone.pos_embed"
    for image_size in (640, 1280):
        grid = image_size // 16
        torch.save(eomt_state | {positions: torch.rand(1, grid**2, 384)}, tmp_path / "w.bin")
        conversion = convert(tmp_path / "w.bin")
        assert conversion.header.config.image_size == image_size
        assert conversion.model.segmenter.backbone.grid == grid


def test_interpolated_positions(tmp_path):
    """Against timm, which interpolates when a model of another size loads the weights."""
    original = OriginalEoMT("small", "dinov2", 160)
    torch.save(original.state_dict(), tmp_path / "pytorch_model.bin")
    ours, header, summary = converted(tmp_path, tmp_path / "pytorch_model.bin", image_size=320)
    assert header.config.image_size == 320 and "interpolated from 10x10 to 20x20" in summary
    assert header.recipe["interpolated"] == "positions, 10x10 to 20x20"
    original.network.encoder.backbone.set_input_size((320, 320))
    original.grid = 20
    images = torch.rand(1, 3, 320, 320)
    assert differ(ours, *original(images), images) < 1e-3


def test_rotary_positions_need_no_interpolation(tmp_path):
    reference = reference_model("small", "dinov3", 160, 133, num_queries=20)
    reference.save_pretrained(tmp_path / "theirs")
    same, _, _ = converted(tmp_path, tmp_path / "theirs")
    larger, header, summary = converted(tmp_path, tmp_path / "theirs", image_size=224)
    assert header.config.image_size == 224 and "interpolated" not in summary
    state = same.state_dict()
    assert all(
        torch.equal(state[name], tensor)
        for name, tensor in larger.segmenter.state_dict(prefix="segmenter.").items()
    )


def test_another_epsilon_is_named_and_ours_is_kept(tmp_path):
    """DINOv3 and the original EoMT have 1e-5, but transformers' config of the two has 1e-6."""
    reference = reference_model("small", "dinov3", 160, 133, num_queries=20, layer_norm_eps=1e-6)
    reference.save_pretrained(tmp_path / "theirs")
    ours, _, summary = converted(tmp_path, tmp_path / "theirs")
    assert "layer_norm_eps 1e-06; 1e-05 is used" in summary
    for module in (
        reference.layernorm,
        *(norm for layer in reference.layers for norm in (layer.norm1, layer.norm2)),
    ):
        assert module.eps == 1e-6
        module.eps = transformers.DINOv3ViTConfig().layer_norm_eps
    images = torch.rand(1, 3, 160, 160)
    assert differ(ours, *transformers_logits(reference, images), images) < 1e-3


def test_every_tensor_is_accounted_for(tmp_path, eomt_state):
    state = dict(eomt_state)
    del state["network.q.weight"]
    torch.save(state, tmp_path / "w.bin")
    with pytest.raises(
        WeightsError, match=r"the tensor network.q.weight is missing, which tells the size"
    ):
        convert(tmp_path / "w.bin")
    state["network.q.weight"] = eomt_state["network.q.weight"]
    del state["network.encoder.backbone.blocks.7.attn.qkv.bias"]
    state["network.encoder.backbone.head.weight"] = torch.zeros(3, 3)
    state["network.encoder.backbone.patch_embed.proj.weight"] = torch.zeros(384, 3, 14, 14)
    state["network.mask_head.2.bias"] = torch.full((384,), torch.nan)
    torch.save(state, tmp_path / "w.bin")
    with pytest.raises(WeightsError) as error:
        convert(tmp_path / "w.bin")
    for part in (
        "w.bin: the tensors do not fit a small EoMT with 133 classes",
        "in the layout of original EoMT, DINOv2: ",
        "missing: network.encoder.backbone.blocks.7.attn.qkv.bias",
        "left over: network.encoder.backbone.head.weight",
        "patch_embed.proj.weight is (384, 3, 14, 14), should be (384, 3, 16, 16)",
        "network.mask_head.2.bias is not finite",
    ):
        assert part in str(error.value)


def test_only_the_first_of_many_problems_are_listed(tmp_path, eomt_state):
    state = {name: tensor for name, tensor in eomt_state.items() if ".blocks.5." not in name}
    torch.save(state, tmp_path / "w.bin")
    with pytest.raises(WeightsError, match=r"; and 9 more$"):
        convert(tmp_path / "w.bin")


def test_masked_attention_that_was_not_annealed(tmp_path, eomt_state):
    torch.save(
        eomt_state | {"network.attn_mask_probs": torch.tensor([0.0, 0.25, 1.0])}, tmp_path / "w.bin"
    )
    assert "was not annealed away (network.attn_mask_probs is [0.0, 0.25, 1.0])" in "\n".join(
        convert(tmp_path / "w.bin").summary
    )
    torch.save(eomt_state | {"network.attn_mask_probs": torch.zeros(4)}, tmp_path / "w.bin")
    with pytest.raises(
        WeightsError, match="before the last 4 blocks, but before the last 3 in our small model"
    ):
        convert(tmp_path / "w.bin")


def test_other_classes_need_their_names(tmp_path):
    eomt = OriginalEoMT("small", "dinov2", 64, queries=5, classes=80)
    torch.save(eomt.state_dict(), tmp_path / "instance.bin")
    with pytest.raises(
        WeightsError, match=r"tells 80 classes apart, not the 133 of COCO panoptic; .*--vocabulary"
    ):
        convert(tmp_path / "instance.bin")
    things = Vocabulary.psg().things
    with pytest.raises(WeightsError, match="tells 80 classes apart, but the vocabulary names 2"):
        convert(tmp_path / "instance.bin", vocabulary=Vocabulary(things[:2], (), ("on",)))
    header = convert(
        tmp_path / "instance.bin", vocabulary=Vocabulary(things, (), ("on", "under"))
    ).header
    assert (header.config.num_things, header.config.num_stuff, header.config.num_predicates) == (
        80,
        0,
        2,
    )


def test_a_size_that_is_not_ours(tmp_path, eomt_state):
    state = eomt_state | {"network.q.weight": torch.zeros(200, 1536)}
    torch.save(state, tmp_path / "giant.bin")
    with pytest.raises(
        WeightsError, match=r"an EoMT of width 1536; there are only small \(384\), base"
    ):
        convert(tmp_path / "giant.bin")


def test_an_image_size_that_cannot_be(tmp_path, eomt_state):
    torch.save(eomt_state, tmp_path / "w.bin")
    with pytest.raises(WeightsError, match="image_size must be a multiple of 16"):
        convert(tmp_path / "w.bin", image_size=650)


def test_converting_twice_gives_the_same_tensors(tmp_path, eomt_state):
    torch.save(eomt_state, tmp_path / "w.bin")
    first, second = convert(tmp_path / "w.bin"), convert(tmp_path / "w.bin")
    assert first.header == second.header
    other = second.model.state_dict()
    assert all(
        torch.equal(other[name], tensor) for name, tensor in first.model.state_dict().items()
    )


def test_weights_of_something_else(tmp_path):
    save_file({"lstm.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "lstm"}))
    with pytest.raises(
        WeightsError, match=r"is no segmenter in a layout that is known .*lstm.weight"
    ):
        convert(tmp_path)


@pytest.mark.parametrize(
    ("layout", "digest"),
    [
        ("original", "e6e22161b976520e1f016a572936ece9e641591dc504208e14c4888e3ac3529a"),
        ("transformers", "b33d4333b89d5039cfc341d1806dbce79520a5ff05c28bc7f94df8b6ba82c0ae"),
    ],
)
def test_the_converters_version(tmp_path, layout, digest):
    """Caches keep what a version made: one that makes other tensors must have another number."""
    if layout == "original":
        model = OriginalEoMT("small", "dinov2", 64, queries=5)
    else:
        model = reference_model("small", "dinov2", 64, 133, num_queries=5)
    state = {
        name: torch.arange(tensor.numel()).remainder(997 + number).view(tensor.shape).float()
        for number, (name, tensor) in enumerate(sorted(model.state_dict().items()))
        if "pixel_" not in name and "attn_mask_probs" not in name
    }
    save_file(model.state_dict() | state, tmp_path / "model.safetensors")
    made = hashlib.sha256()
    for name, tensor in sorted(convert(tmp_path).model.segmenter.state_dict().items()):
        made.update(name.encode())
        made.update(tensor.numpy())
    assert (CONVERTER_VERSION, made.hexdigest()) == (2, digest), (
        "the converter makes other tensors: raise CONVERTER_VERSION, then store both here"
    )
