"""A CLIP's say in the classes of segments."""

import colorsys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("transformers")

import transformers
from clip_folders import write_clip
from toy_models import TOY

from dsflash_ros import Options, SceneGraphPipeline
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import LanguageError
from dsflash_ros.export.scenes import random_scene
from dsflash_ros.language.clip_images import DEVIATION, MEAN
from dsflash_ros.language.opening import Words, open_model
from dsflash_ros.language.text_encoder import PhraseTable
from dsflash_ros.model.checkpoints import Header, save_checkpoint
from dsflash_ros.model.language import Language
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.pipeline.image_evidence import PROMPT, mixed_logits

NEW = ("mug", "sofa", "tray")
NAMES = (*VOCABULARY.classes, *NEW)
COLOURS = torch.tensor([colorsys.hsv_to_rgb(i / len(NAMES), 1, 1) for i in range(len(NAMES))])
"""Of each name: all that this CLIP knows of things."""

CLEAR = Options(mask_threshold=0.3, overlap_threshold=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_of_both_views_are_multiplied(seed):
    """A loop in 64 bits over queries and classes."""
    dice = np.random.default_rng(seed)
    logits, evidence = dice.normal(0, 5, (3, 7)), dice.normal(0, 9, (3, 6))
    shares = dice.random(6)
    found = mixed_logits(*map(torch.from_numpy, (logits, evidence, shares))).softmax(-1).numpy()
    for query in range(3):
        odds = np.exp(logits[query])
        thing, other = odds[:-1] / odds[:-1].sum(), np.exp(evidence[query])
        both = [
            p ** (1 - a) * q**a for p, q, a in zip(thing, other / other.sum(), shares, strict=True)
        ]
        is_thing = odds[:-1].sum() / odds.sum()
        expected = [*(is_thing * one / sum(both) for one in both), 1 - is_thing]
        np.testing.assert_allclose(found[query], expected, rtol=1e-9, atol=1e-12)


def test_shares_of_none_and_all():
    logits, evidence = torch.randn(2, 4, 6), torch.randn(2, 4, 5)
    torch.testing.assert_close(mixed_logits(logits, evidence, torch.zeros(5)), logits)
    all_of_it = mixed_logits(logits, evidence, torch.ones(5)).softmax(-1)
    told = all_of_it[..., :-1] / all_of_it[..., :-1].sum(-1, keepdim=True)
    torch.testing.assert_close(told, evidence.softmax(-1))
    torch.testing.assert_close(all_of_it[..., -1], logits.softmax(-1)[..., -1])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """One that learned in some seconds which colour the names of classes have."""
    folder = tmp_path_factory.mktemp("clip")
    model = write_clip(folder, blocks=1, side=80).train()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [PROMPT.format(name) for name in NAMES]
    tokens = tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    mean, deviation = (torch.tensor(of).view(3, 1, 1) for of in (MEAN, DEVIATION))
    for _ in range(70):
        images = COLOURS[:, :, None, None] + 0.1 * torch.randn(len(NAMES), 3, 80, 80)
        patches = patches_of(model, (images.clamp(0, 1) - mean) / deviation)
        known = F.normalize(model.text_projection(model.text_model(**tokens).pooler_output), dim=-1)
        loss = F.cross_entropy(10 * patches @ known.T, torch.arange(len(NAMES)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    model.save_pretrained(folder)
    return folder


def patches_of(model, pixels):
    """(n, D): the mean of the patches of each image, of which each sees only itself."""
    vision = model.vision_model
    states = vision.pre_layrnorm(vision.embeddings(pixels))
    alone = torch.full((states.shape[1],) * 2, float("-inf")).fill_diagonal_(0)
    tokens = vision.encoder.layers[-1](states, attention_mask=alone[None, None])
    tokens = tokens[0] if isinstance(tokens, tuple) else tokens
    features = model.visual_projection(vision.post_layernorm(tokens[:, 1:]))
    return F.normalize(F.normalize(features, dim=-1).mean(1), dim=-1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A segmenter of five stripes that calls each, whatever it shows, what it always calls it.

    But it is not sure of that.
    """
    header = Header(TOY, VOCABULARY)
    model = random_model(header)
    model.segmenter.class_logits.data *= 0.2
    phrases = [*VOCABULARY.classes, *VOCABULARY.predicates, *NEW]
    embeddings = np.random.default_rng(0).normal(size=(len(phrases), 16))
    encoder = PhraseTable(phrases, embeddings, "c" * 64)
    language = Language("org/encoder", encoder.sha256)
    words = Words({}, NEW, ())
    path = tmp_path_factory.mktemp("weights") / "open.safetensors"
    save_checkpoint(path, *open_model(model, header, encoder, language, words))
    return path


def stripes(names):
    """(72, 72, 3) uint8: five stripes in the colours of these names."""
    shown = COLOURS[[NAMES.index(name) for name in names]].numpy()
    columns = np.arange(18) * 5 // 18
    return np.tile((255 * shown[np.repeat(columns, 4)]).astype(np.uint8), (72, 1, 1))


def labels(graph):
    """Of the nodes, from left to right."""
    return [node.label for node in sorted(graph.nodes, key=lambda node: node.centroid[0])]


def test_new_classes_are_seen(clip, weights):
    asked = {"classes": (*VOCABULARY.things, *NEW), "options": CLEAR, "device": "cpu"}
    image = stripes(["mug", "sofa", "tray", "mug", "sofa"])
    blind = SceneGraphPipeline.from_weights(weights, **asked)
    assert not set(labels(blind(image))) & set(NEW)
    seeing = SceneGraphPipeline.from_weights(weights, **asked, image_encoder=str(clip))
    assert labels(seeing(image)) == ["mug", "sofa", "tray", "mug", "sofa"]
    again = ["tray", "tray", "mug", "sofa", "mug"]
    assert labels(seeing(stripes(again))) == again
    batch = seeing.batch([image, stripes(again)])
    assert [labels(graph) for graph in batch] == [["mug", "sofa", "tray", "mug", "sofa"], again]
    seeing.ask(classes=["sofa", "mug"])
    other = VOCABULARY.things[1]
    assert labels(seeing(stripes(["sofa", other, "mug", other, "sofa"]))) == ["sofa", "mug", "sofa"]
    seeing.ask()
    assert not set(labels(seeing(image))) & set(NEW)


def test_exported_models_have_it_too(exported_shapes, clip):
    """The same as of PyTorch's, from pixels as bytes."""
    image = random_scene(3, 64, 8).image
    given = {"device": "cpu", "image_encoder": str(clip), "options": Options(0.05, 0.05)}
    graphs = [
        SceneGraphPipeline.from_weights(path, backend=backend, **given)(image)
        for path, backend in (
            (exported_shapes.checkpoint, "torch"),
            (exported_shapes.folder, "onnx"),
        )
    ]
    assert graphs[0].nodes and labels(graphs[0]) == labels(graphs[1])
    scores = [[node.score for node in graph.nodes] for graph in graphs]
    np.testing.assert_allclose(*scores, atol=2e-3)


def test_an_image_encoder_that_is_nowhere(weights, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LanguageError, match="no image encoder 'nowhere-at-all'"):
        SceneGraphPipeline.from_weights(weights, device="cpu", image_encoder="nowhere-at-all")
