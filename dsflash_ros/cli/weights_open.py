"""The action `dsflash weights open`: closed weights made open."""

import argparse
from dataclasses import replace
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
    action.add_argument(
        "--base-offset",
        type=float,
        default=0.0,
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
    from dsflash_ros.weights.loading import open_weights

    opened = open_weights(args.source)
    encoder = open_encoder(args.text_encoder)
    words = Words.load(args.words) if args.words else Words()
    name = args.encoder_name or args.text_encoder
    model, header = open_model(opened.load(), opened.header, encoder, name, words)
    language = replace(header.language, base_offset=args.base_offset)
    header = replace(header, language=language)
    save_checkpoint(out, model, header)
    print(f"text encoder: {name}, {encoder.width} numbers, SHA-256 {encoder.sha256}")
    print(f"phrases stored: {len(header.language.phrases)}")
    print(f"written: {out}")
    return 0
