"""The action `dsflash weights open`: closed weights made open."""

import argparse
from pathlib import Path


def add_open(actions, any_source: str) -> argparse.ArgumentParser:
    """Add the action's arguments; `any_source` says what SOURCE can be."""
    action = actions.add_parser(
        "open", help="let weights know names by text embeddings", allow_abbrev=False
    )
    action.add_argument("source", metavar="SOURCE", help=any_source)
    action.add_argument(
        "--text-encoder",
        required=True,
        metavar="ENCODER",
        help="folder or hub id, as in sentence-transformers/all-MiniLM-L6-v2",
    )
    action.add_argument(
        "--encoder-name", metavar="ID", help="what the weights call it (default: ENCODER)"
    )
    action.add_argument(
        "--words",
        metavar="YAML",
        help="phrases to store: `synonyms`, lists by name, and `words` with the lists `classes` "
        "and `predicates` (default: the names alone)",
    )
    for kind in ("class", "predicate"):
        action.add_argument(
            f"--{kind}-prompt",
            metavar="TEXT",
            help=f"what is encoded of the name of a {kind}, which {{}} stands for, as in "
            "'a photo of a {}' (default: the name alone)",
        )
    action.add_argument(
        "--base-offset",
        type=float,
        metavar="X",
        help="added to logits of known predicates where new ones are asked for, as in -9: lets new "
        "ones win more often, rightly and wrongly (default: 0)",
    )
    return action


def run_open(args: argparse.Namespace, out: Path) -> int:
    """Do the action."""
    from dsflash_ros.language.neural_encoders import open_encoder
    from dsflash_ros.language.opening import Words, open_model
    from dsflash_ros.model.checkpoints import save_checkpoint
    from dsflash_ros.model.language import Language
    from dsflash_ros.weights.loading import open_weights

    opened = open_weights(args.source)
    encoder = open_encoder(args.text_encoder)
    words = Words.load(args.words) if args.words else Words()
    name = args.encoder_name or args.text_encoder
    given = {key: getattr(args, key) for key in ("class_prompt", "predicate_prompt", "base_offset")}
    told = {key: value for key, value in given.items() if value is not None}
    language = Language(name, encoder.sha256, **told)
    model, header = open_model(opened.load(), opened.header, encoder, language, words)
    save_checkpoint(out, model, header)
    print(f"text encoder: {name}, {encoder.width} numbers, SHA-256 {encoder.sha256}")
    print(f"phrases stored: {len(header.language.phrases)}")
    print(f"written: {out}")
    return 0
