import pytest

pytest.importorskip("pydantic")

from dsflash_ros.errors import ConfigError
from dsflash_ros.training.configuration import RelationConfig, SegmenterConfig
from dsflash_ros.training.configuration_files import dump_config, load_config, shipped

NEEDED = ["dataset=d", "out=o", "segmenter=s.safetensors"]


@pytest.mark.parametrize(
    ("folder", "kind", "needed"),
    [("relations", RelationConfig, NEEDED), ("segmenter", SegmenterConfig, ["dataset=d", "out=o"])],
)
def test_every_shipped_configuration_is_valid_and_survives_a_dump(folder, kind, needed, tmp_path):
    assert {"tiny", "small", "base", "large"} <= set(shipped(folder))
    for name in shipped(folder):
        config = load_config(kind, name, needed, folder)
        path = tmp_path / f"{name}.yaml"
        path.write_text(dump_config(config))
        assert load_config(kind, str(path), [], folder) == config


@pytest.mark.parametrize("size", ["small", "base", "large"])
def test_the_papers_recipe(size):
    """Supplement, section 11, and section 3.6."""
    config = load_config(RelationConfig, size, NEEDED, "relations")
    assert (config.lr, config.weight_decay, config.epochs, config.gradient_clip) == (
        1e-5,
        0.02,
        20,
        1.0,
    )
    assert (config.negative_share, config.consistency_weight, config.augmentation) == (
        0.2,
        1.0,
        "deit3",
    )
    assert (config.neck_dim, config.neck_depth, config.neck_heads) == (384, 6, 8)
    assert (config.masks_from, config.pruning, config.balance_predicates) == ("truth", False, False)


def test_overrides_are_yaml():
    config = load_config(
        RelationConfig,
        "tiny",
        [*NEEDED, "lr=3e-4", "pruning=true", "images=null", "out=a=b"],
        "relations",
    )
    assert (config.lr, config.pruning, config.images, config.out) == (3e-4, True, None, "a=b")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("leraning_rate=1", "unknown key 'leraning_rate'$"),
        ("epoch=3", "unknown key 'epoch'; did you mean 'epochs'\\?"),
        ("lr=-1", "lr is -1: input should be greater than 0"),
        ("lr=nan", "lr is 'nan'|lr is nan"),
        ("epochs=2.5", "epochs is 2.5: input should be a valid integer"),
        ("masks_from=god", "masks_from is 'god': input should be 'truth', 'segmenter' or 'both'"),
        ("predicates_novel=[on]", 'novel.0 is True: .* valid string; YAML reads .* as in "on"$'),
        ("lr", "'lr' is not of the form key=value"),
        ("lr=[1", "lr=\\[1 is not YAML"),
    ],
)
def test_wrong_settings_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_config(RelationConfig, "tiny", [*NEEDED, override], "relations")


def test_missing_and_contradictory_settings():
    with pytest.raises(
        ConfigError, match=r"dataset is missing; give it in the file or as dataset=\.\.\."
    ):
        load_config(RelationConfig, "tiny", NEEDED[1:], "relations")
    with pytest.raises(ConfigError, match="augmentation=flip or none"):
        load_config(RelationConfig, "tiny", [*NEEDED, "feature_cache=c"], "relations")


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="give a YAML file or one of base, large, small, tiny"):
        load_config(RelationConfig, "nowhere.yaml", NEEDED, "relations")
    path = tmp_path / "a.yaml"
    for text, message in (
        ("- 1", "must be a mapping"),
        ("a: [", "is not YAML"),
        ("", "must be a mapping"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(RelationConfig, str(path), NEEDED, "relations")
