"""Exported models with something wrong in them."""

import json
import shutil
from pathlib import Path


def with_another_class(folder: Path, copy: Path) -> Path:
    """Its labels and its config agree with each other, but not with its graphs."""
    import onnx

    from dsflash_ros.model.header import Header
    from dsflash_ros.weights.onnx_metadata import read_onnx_metadata

    shutil.copytree(folder, copy)
    for path in copy.iterdir():
        header = Header.from_metadata(read_onnx_metadata(path), path)
        config = header.config.to_dict() | {"num_stuff": header.config.num_stuff + 1}
        vocabulary = json.loads(header.vocabulary.to_json())
        vocabulary["stuff"].append("a class of its own")
        changed = {"config": json.dumps(config), "vocabulary": json.dumps(vocabulary)}
        model = onnx.load(path)
        for entry in model.metadata_props:
            entry.value = changed.get(entry.key, entry.value)
        onnx.save(model, path)
    return copy


def with_a_broken_node(folder: Path, copy: Path) -> Path:
    """The relation stage has an operation that does not exist."""
    import onnx

    shutil.copytree(folder, copy)
    model = onnx.load(copy / "relations.onnx")
    model.graph.node[0].op_type = "DoesNotExist"
    onnx.save(model, copy / "relations.onnx")
    return copy
