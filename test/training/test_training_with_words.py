"""Trainings whose heads learn with text embeddings, and predicates that are kept from them."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lightning")
pytest.importorskip("pydantic")
pytest.importorskip("transformers")

import torch
import transformers
from runs import arguments
from torch.testing import assert_close

from dsflash_ros import SceneGraphPipeline, cli
from dsflash_ros.data.psg import PsgDataset
from dsflash_ros.data.shapes import VOCABULARY
from dsflash_ros.errors import ConfigError, LanguageError
from dsflash_ros.graph.words import plain_words
from dsflash_ros.language.naming import embedded_predicates
from dsflash_ros.language.neural_encoders import open_encoder
from dsflash_ros.model.checkpoints import load_checkpoint
from dsflash_ros.model.layers.named_logits import OpenLogits
from dsflash_ros.training.configuration import RelationConfig, SegmenterConfig
from dsflash_ros.training.configuration_files import load_config
from dsflash_ros.training.relations.train_relations import prepare_model
from dsflash_ros.training.segmenter import train_segmenter

NOVEL = VOCABULARY.predicates[0]


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory):
    """A small random BERT that knows the words of the shapes."""
    folder = tmp_path_factory.mktemp("bert")
    names = (*VOCABULARY.classes, *VOCABULARY.predicates)
    words = sorted({word for name in names for word in plain_words(name).split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "hovering", *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=len(vocabulary), intermediate_size=32, **sizes)
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def run(folder, encoder_folder):
    more = (f"text_encoder={encoder_folder}", f"predicates_novel=['{NOVEL}']", "epochs=2")
    assert cli.main(arguments(folder, "words", *more)) == 0
    return folder / "words/last.safetensors"


def test_a_relation_stage_learns_with_words(run, encoder_folder):
    model, header = load_checkpoint(run)
    encoder = open_encoder(encoder_folder)
    assert header.vocabulary.predicates == VOCABULARY.predicates[1:]
    assert header.config.predicate_text_dim == 16 and header.language.sha256 == encoder.sha256
    head = model.relations.head[-1]
    assert isinstance(head, OpenLogits)
    names = embedded_predicates(encoder, header.language, header.vocabulary.predicates)
    assert_close(head.names, names)
    assert head.log_scale.item() != pytest.approx(OpenLogits(4, 4, 1, True).log_scale.item())


def test_the_novel_predicate_can_be_asked_for(run, folder, encoder_folder):
    pipeline = SceneGraphPipeline.from_weights(run, device="cpu", text_encoder=encoder_folder)
    record = PsgDataset.open(folder / "data", "train")[0]
    given = record.image(), record.labels(), len(record.class_ids), record.class_ids
    before = pipeline.relate_segments(*given)
    pipeline.ask(predicates=[*VOCABULARY.predicates[1:], NOVEL])
    after = pipeline.relate_segments(*given)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-6)
    assert pipeline.translation.meant_predicates[-1] in ("", *VOCABULARY.predicates[1:])
    assert pipeline.vocabulary.predicates[-1] == NOVEL


def test_what_was_learned_is_not_novel(run):
    learned = VOCABULARY.predicates[1]
    given = [f"segmenter={run}", "dataset=d", "out=o", "keep_relations=true", "neck_dim=null"]
    given += [f"predicates_novel=['{learned}']", "augmentation=none"]
    config = load_config(RelationConfig, "tiny", given, "relations")
    with pytest.raises(ConfigError, match=f"has learned '{learned}' already"):
        prepare_model(config, replace(VOCABULARY, predicates=VOCABULARY.predicates[2:]))


def test_a_word_without_its_encoder(run, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    nowhere = "no-such-folder"
    pipeline = SceneGraphPipeline.from_weights(run, device="cpu", text_encoder=nowhere)
    with pytest.raises(LanguageError, match=r"'hovering'.* text encoder cannot be had"):
        pipeline.ask(predicates=["hovering"])


def test_another_encoder_is_refused(run, encoder_folder, tmp_path):
    model = transformers.BertModel.from_pretrained(encoder_folder)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.add_(1)
    model.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(encoder_folder).save_pretrained(tmp_path)
    pipeline = SceneGraphPipeline.from_weights(run, device="cpu", text_encoder=str(tmp_path))
    with pytest.raises(LanguageError, match="their embeddings do not go together"):
        pipeline.ask(predicates=["hovering"])


@pytest.mark.parametrize("name", ["toyroom", "proscale_lite0"])
def test_segmenters_with_words(name, encoder_folder):
    """EoMT and PRO-SCALE; relation stages on them know classes by words, too."""
    given = ["dataset=d", "out=o", "start=null", f"text_encoder={encoder_folder}", "image_size=96"]
    config = load_config(SegmenterConfig, name, given, "segmenter")
    model, header = train_segmenter.prepare_model(config, VOCABULARY)
    assert header.config.class_text_dim == 16
    assert_close(model.segmenter.class_head.names.norm(dim=1), torch.ones(8))
    images = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        before = model.eval().segmenter(images).class_logits
        model.segmenter.name_classes(model.segmenter.class_head.names[[2, 5]])
        after = model.segmenter(images).class_logits
    assert_close(after, before[..., [2, 5, 8]], atol=1e-4, rtol=1e-4)


def test_relations_on_a_segmenter_with_words(encoder_folder, tmp_path, folder):
    from runs import CONFIG

    from dsflash_ros.language.naming import embedded_classes
    from dsflash_ros.model.assembly import DSFlash
    from dsflash_ros.model.checkpoints import Header, save_checkpoint
    from dsflash_ros.model.language import Language

    encoder = open_encoder(encoder_folder)
    language = Language(encoder_folder, encoder.sha256)
    config = replace(CONFIG, class_text_dim=16)
    model = DSFlash(config)
    names = embedded_classes(encoder, language, VOCABULARY.classes)
    model.segmenter.name_classes(names)
    header = Header(config, VOCABULARY, trained=("segmenter",), language=language)
    save_checkpoint(tmp_path / "words.safetensors", model, header)
    given = [f"segmenter={tmp_path / 'words.safetensors'}", "dataset=d", "out=o", "relater=objects"]
    config = load_config(
        RelationConfig, "tiny", [*given, "augmentation=none", "neck_dim=null"], "relations"
    )
    model, header = prepare_model(config, VOCABULARY)
    assert_close(model.relations.class_names, names)
    assert header.language == language and header.config.predicate_text_dim == 0
    save_checkpoint(tmp_path / "both.safetensors", model, header)
    kept = load_checkpoint(tmp_path / "both.safetensors")[0]
    assert_close(kept.relations.class_names, kept.segmenter.class_head.names)
