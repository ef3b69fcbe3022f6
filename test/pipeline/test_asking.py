"""Pipelines that are asked for names."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from shapes_weights import CONFIG
from torch.testing import assert_close

from dsflash_ros import Options, SceneGraphPipeline
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import LanguageError, WeightsError
from dsflash_ros.export.scenes import random_scene
from dsflash_ros.language.mixing import mixture
from dsflash_ros.language.opening import Words, open_model
from dsflash_ros.language.text_encoder import PhraseTable
from dsflash_ros.model.checkpoints import Header, open_checkpoint, save_checkpoint
from dsflash_ros.model.language import Language
from dsflash_ros.model.random_weights import random_model
from dsflash_ros.pipeline.asking import Asked

LOOSE = Options(mask_threshold=0.1, overlap_threshold=0.1, relation_threshold=0.0)
KNOWN = (*VOCABULARY.classes, *VOCABULARY.predicates)
WORDS = Words(
    {VOCABULARY.classes[0]: ["roundel"], VOCABULARY.predicates[0]: ["overlying"]},
    ("blob", "gadget"),
    ("circling", "orbiting"),
)
PHRASES = [*KNOWN, "roundel", "overlying", *WORDS.classes, *WORDS.predicates]
ENCODER = PhraseTable(PHRASES, np.random.default_rng(0).normal(size=(len(PHRASES), 16)), "c" * 64)
LANGUAGE = Language("org/encoder", ENCODER.sha256)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    header = Header(CONFIG, VOCABULARY)
    opened = open_model(random_model(header), header, ENCODER, LANGUAGE, WORDS)
    path = tmp_path_factory.mktemp("weights") / "open.safetensors"
    save_checkpoint(path, *opened)
    return path


@pytest.fixture(scope="module")
def pipeline(path):
    return SceneGraphPipeline.from_weights(path, device="cpu", options=LOOSE)


@pytest.fixture(autouse=True)
def nothing_asked(pipeline):
    pipeline.ask()


IMAGES = [random_scene(seed, 64, 8).image for seed in range(4)]


def facts(graph):
    """What a graph says, by names and boxes."""
    boxes = {node.id: node.box for node in graph.nodes}
    nodes = [(node.label, node.box, round(node.score, 6)) for node in graph.nodes]
    told = [
        (boxes[r.subject], r.predicate, boxes[r.object], round(r.score, 6)) for r in graph.relations
    ]
    return nodes, told


def test_the_checkpoint_holds_its_words(path):
    checkpoint = open_checkpoint(path)
    language = checkpoint.header.language
    assert set(language.phrases) == set(PHRASES)
    rows = [language.phrases.index(phrase) for phrase in PHRASES]
    np.testing.assert_allclose(checkpoint.phrases()[rows], ENCODER.encode(PHRASES), atol=1e-6)
    with pytest.raises(LanguageError, match="do not go together"):
        other = PhraseTable(ENCODER.phrases, ENCODER.embeddings, "d" * 64)
        open_model(checkpoint.load(), checkpoint.header, other, LANGUAGE, WORDS)


def test_open_weights_say_what_the_closed_ones_said(pipeline):
    header = Header(CONFIG, VOCABULARY)
    plain = random_model(header).state_dict()
    opened = pipeline.model.state_dict()
    assert set(opened) - set(plain) == {"phrases"}
    for name, tensor in plain.items():
        assert_close(opened[name], tensor, rtol=0, atol=0)


def test_known_names_give_a_part_of_the_whole_graph(pipeline):
    things, predicates = VOCABULARY.things[1:4], VOCABULARY.predicates[2:4]
    whole = [facts(pipeline(image)) for image in IMAGES]
    pipeline.ask(classes=things, predicates=predicates)
    for image, (nodes, told) in zip(IMAGES, whole, strict=True):
        part = facts(pipeline(image))
        kept = [node for node in nodes if node[0] in (*things, *VOCABULARY.stuff)]
        assert part[0] == kept
        boxes = {box for _, box, _ in kept}
        kept = {
            one[:3]: one[3] for one in told if one[1] in predicates and {one[0], one[2]} <= boxes
        }
        found = {one[:3]: one[3] for one in part[1]}
        assert found == pytest.approx(kept, abs=1e-5)  # fewer pairs are rounded otherwise


def test_synonyms_are_called_what_was_asked(pipeline):
    whole = [facts(pipeline(image)) for image in IMAGES]
    things = ("Roundel", *VOCABULARY.things[1:])
    pipeline.ask(things, predicates=["overlying"])
    assert pipeline.vocabulary.things[0] == "Roundel"
    assert pipeline.translation.meant_classes[0] == VOCABULARY.classes[0]
    for image, (nodes, told) in zip(IMAGES, whole, strict=True):
        renamed = [("Roundel", *n[1:]) if n[0] == VOCABULARY.classes[0] else n for n in nodes]
        part = facts(pipeline(image))
        assert part[0] == renamed
        first = VOCABULARY.predicates[0]
        assert part[1] == [(a, "overlying", b, s) for a, p, b, s in told if p == first]


def test_new_words_compete_with_known_ones(pipeline):
    """The told predicate is the best of all logits, new ones mixed of the known ones."""
    pipeline.ask(predicates=(*VOCABULARY.predicates, "circling", "orbiting"))
    language = open_checkpoint(pipeline.weights).header.language
    known = ENCODER.encode([language.predicate_phrase(name) for name in VOCABULARY.predicates])
    shares = mixture(known, ENCODER.encode(["circling", "orbiting"]))
    scene = random_scene(7, 64, 8)
    ranked = pipeline.relate_segments(scene.image, scene.labels, len(scene.class_ids))
    pipeline.ask()
    seen, box = pipeline.segment(scene.image)
    inputs = pipeline.backend.steps.pairs_of_labels(
        scene.labels,
        np.full(len(scene.class_ids), -1),
        box,
        seen.features,
        len(VOCABULARY.classes),
        pipeline.backend,
    )
    with pipeline.backend.running():
        logits = pipeline.backend.relate(inputs, LOOSE)
    for (a, b), predicate, score in zip(
        ranked.pairs, ranked.predicates, ranked.scores, strict=True
    ):
        flipped = int(a > b)
        index = [tuple(pair) for pair in inputs.pairs.tolist()].index((min(a, b), max(a, b)))
        row = logits[index, flipped]
        names = np.concatenate((row[1:], row[1:] @ shares))
        assert score == pytest.approx(1 / (1 + np.exp(row[0])), abs=1e-5)
        assert names[predicate] == pytest.approx(names.max(), abs=1e-5)


def test_the_log_warns_of_guesses(pipeline, caplog):
    pipeline.ask(classes=["roundel", "blob"], predicates=[VOCABULARY.predicates[1]])
    (said,) = [record.getMessage() for record in caplog.records]
    assert "'blob' is a new word; nearest is" in said
    caplog.clear()
    name = VOCABULARY.classes[0]
    pipeline.ask(classes=[name, "roundel"])
    (said,) = [record.getMessage() for record in caplog.records]
    assert f"'roundel' means '{name}', as another asked name does: nothing will be" in said


def test_new_classes_are_found_where_they_win(pipeline):
    pipeline.ask(classes=("blob", "gadget"), stuff_classes=VOCABULARY.stuff)
    assert pipeline.vocabulary.things == ("blob", "gadget")
    found = {node.label for image in IMAGES for node in pipeline(image).nodes}
    assert found <= {"blob", "gadget", *VOCABULARY.stuff}
    assert pipeline.translation.meant_classes[:2] == ("", "")


@pytest.mark.parametrize("with_new_words", [False, True])
def test_a_thing_that_is_asked_for_as_stuff_is_one_segment(pipeline, with_new_words, monkeypatch):
    """Where it was one already, nothing else changes, for the relation stage either."""
    # stuff keeps its small parts, things do not
    monkeypatch.setattr(pipeline, "options", replace(pipeline.options, least_part=0.0))
    name, counts = "plate", set()
    rest = tuple(one for one in VOCABULARY.things if one != name)
    for seed in (2, 3, 5, 8):
        image = random_scene(seed, 64, 8).image
        pipeline.ask()
        whole = pipeline(image)
        pipeline.ask(rest + ("blob",) * with_new_words, (*VOCABULARY.stuff, name))
        graph = pipeline(image)
        apart = [node for node in whole.nodes if node.label == name]
        (together,) = [node for node in graph.nodes if node.label == name]
        counts.add(len(apart))
        assert not together.is_thing
        if with_new_words:
            continue
        expected = np.any([whole.mask(node.id) for node in apart], axis=0)
        np.testing.assert_array_equal(graph.mask(together.id), expected)
        assert together.score == max(node.score for node in apart)
        if len(apart) == 1:
            assert facts(graph) == facts(whole)
    assert counts == {1, 2}


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"classes": ("abacus",)}, "no embedding of 'abacus' is stored"),
        ({"predicates": ("circling", " ")}, "a name is empty"),
        ({"classes": ("blob",), "stuff_classes": ("blob",)}, "'blob' is asked for more than once"),
    ],
)
def test_a_refused_question_leaves_the_last_one(pipeline, monkeypatch, asked, problem):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pipeline.ask(predicates=("orbiting",))
    before = pipeline.vocabulary
    with pytest.raises(LanguageError, match=problem):
        pipeline.ask(**asked)
    assert pipeline.vocabulary == before
    pipeline(IMAGES[0])


def test_an_exported_model_takes_words_too(path, pipeline, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from dsflash_ros.export.exporting import export_onnx

    folder, _ = export_onnx(path, tmp_path / "onnx")
    exported = SceneGraphPipeline.from_weights(folder, backend="onnx", options=LOOSE)
    asked = {"classes": ("roundel", "blob"), "predicates": ("orbiting", VOCABULARY.predicates[1])}
    exported.ask(**asked)
    pipeline.ask(**asked)
    for image in IMAGES:
        graph, expected = exported(image), pipeline(image)
        assert [node.label for node in graph.nodes] == [node.label for node in expected.nodes]
        scores = [relation.score for relation in expected.relations]
        assert [r.score for r in graph.relations] == pytest.approx(scores, abs=2e-3)
    (folder / "phrases.npy").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"phrases.npy is missing or damaged .*export the model"):
        SceneGraphPipeline.from_weights(folder, backend="onnx")


def test_weights_of_a_wrong_number_of_phrases(path, tmp_path):
    checkpoint = open_checkpoint(path)
    with pytest.raises(WeightsError, match="names 0 phrases, but there are"):
        Header(checkpoint.header.config, VOCABULARY)


def test_a_stage_trained_with_words_takes_new_ones():
    """Heads by cosine, in segmenter and relation stage."""
    from dsflash_ros.language.naming import embedded_classes, name_relations
    from dsflash_ros.model.assembly import DSFlash
    from dsflash_ros.pipeline.asking import Asking
    from dsflash_ros.pipeline.backends.torch import TorchBackend

    torch.manual_seed(0)
    config = replace(CONFIG, class_text_dim=16, predicate_text_dim=16, relater="objects")
    header = Header(config, VOCABULARY, language=LANGUAGE)
    model = DSFlash(config)
    model.segmenter.name_classes(embedded_classes(ENCODER, LANGUAGE, VOCABULARY.classes))
    name_relations(model, header, ENCODER)
    backend = TorchBackend(model, torch.device("cpu"), torch.float32)
    images = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        before = model.segmenter(images).class_logits
        names = (*VOCABULARY.predicates, "circling")
        asked = Asked(classes=("blob",), stuff_classes=VOCABULARY.stuff, predicates=names)
        asking = Asking.of(asked, header, "some", ENCODER)
        assert asking.class_mixing is None and asking.predicate_mixing is None
        backend.tell_apart(asking)
        after = model.segmenter(images).class_logits
    things = len(VOCABULARY.things)
    assert asking.translation.inner.things == (*VOCABULARY.things, "blob")
    assert_close(after[..., :things], before[..., :things])
    assert_close(after[..., things + 1 :], before[..., things:])
    assert model.relations.num_predicates == len(names)
