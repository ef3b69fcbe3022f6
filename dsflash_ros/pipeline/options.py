"""The options of the pipeline, each defined once: default, bounds, and what it does.

The command's arguments, the ROS parameters, `config/dsflash.yaml`, the launch arguments and the
documentation's table are made from these tables or tested against them. Imports neither torch nor
ROS.
"""

from dataclasses import dataclass

from dsflash_ros.option import Option, option_field, options_of
from dsflash_ros.weights.shipped import DEFAULT_WEIGHTS

AS_CHOSEN = -1.0
"""Value of a threshold that leaves it to the weights; so does every other below 0."""


@dataclass(frozen=True)
class Options:
    """What can change from one frame to the next. Raises `OptionError` for a value out of range.

    `dsflash run --help` and docs/library.md have the table, too.
    """

    mask_threshold: float = option_field(
        AS_CHOSEN,
        "Least class score of a segment; -1: what was chosen for the weights, else 0.8.",
        limits=(-1.0, 1.0),
    )
    overlap_threshold: float = option_field(
        AS_CHOSEN,
        "Least share of its mask that a segment keeps after those with a higher score took theirs; "
        "-1: what was chosen for the weights, else 0.8.",
        limits=(-1.0, 1.0),
    )
    least_part: float = option_field(
        0.05,
        "Parts of an object's mask whose share of it is smaller are left out, so that its box is "
        "tight; 0: all are kept, as EoMT does.",
        limits=(0.0, 1.0),
    )
    relation_threshold: float = option_field(
        0.3,
        "Least score of a relation. With toyroom and other calibrated weights the score is the "
        "probability that the relation is true.",
        limits=(0.0, 1.0),
    )
    max_relations: int = option_field(
        100,
        "Most learned relations in a graph; the best are kept.",
        limits=(0, 65535),
    )
    max_segments: int = option_field(
        50,
        "Most segments in a graph; the best are kept. This bounds a frame's time, which grows with "
        "their square.",
        limits=(1, 1000),
    )
    # section 3.4 of the paper
    pruning: bool = option_field(
        False,
        "Leave out patches that neither mask of a pair touches: faster. Weights that were trained "
        "so alone always do; the relation stage of toyroom has no patches.",
    )
    # section 3.5 of the paper
    tome_ratio: float = option_field(
        0.0,
        "Share of the image tokens that are merged before each attention: faster, less exact. "
        "After torch.compile each new value compiles the model anew, which holds up the next frame "
        "for a minute or more.",
        limits=(0.0, 0.7),
    )
    # section 3.2 of the paper
    low_resolution_masks: bool = option_field(
        False,
        "Merge masks at a quarter of the network input's resolution: faster, coarser.",
    )

    def __post_init__(self) -> None:
        for option in FRAME_OPTIONS:
            value = option.check(getattr(self, option.name))
            object.__setattr__(self, option.name, value)


FRAME_OPTIONS = options_of(Options)
"""The fields of `Options`."""

MODEL_OPTIONS = (
    Option(
        "weights",
        DEFAULT_WEIGHTS,
        "The model: path of a .safetensors checkpoint, or an id on the hub (org/name), where a "
        "published EoMT or Mask2Former will do, too (it is converted once); toyroom or "
        "toyroom-neck (of the package; they know simulated rooms only); random, random-tiny, "
        "random-small, random-base, random-large, random-proscale-lite0, random-proscale-swin-t, "
        "random-mask2former-swin-t (untrained: the graphs mean nothing); or the folder of an "
        "exported model.",
    ),
    Option(
        "backend",
        "auto",
        "What runs the model: torch (PyTorch); of exported models onnx (ONNX Runtime), openvino or "
        "tensorrt (through ONNX Runtime, on NVIDIA GPUs); or auto (torch for checkpoints, for "
        "exported models the fastest that is installed).",
        choices=("auto", "torch", "onnx", "openvino", "tensorrt"),
    ),
    Option(
        "device",
        "auto",
        "Where the model runs: auto (a GPU where there is one), cpu, cuda or cuda:N.",
    ),
    Option(
        "precision",
        "auto",
        "Number format of the model: float32, bfloat16, float16, or auto (what suits the device). "
        "Models that `dsflash export int8` made stay in int8.",
        choices=("auto", "float32", "bfloat16", "float16"),
    ),
    Option(
        "compile",
        False,
        "Compile the segmenter with torch.compile: slow to start, then faster frames. Exported "
        "models are compiled already.",
    ),
    Option(
        "vocabulary",
        "",
        "The vocabulary that the weights must have: psg, toyroom, or a JSON file with the lists "
        "things, stuff and predicates. Empty: any.",
    ),
    Option(
        "classes",
        (),
        "Names of things to look for, as in cup, person; all others are left out. Weights with an "
        "open vocabulary take any words, others their own. Empty: all things that the weights "
        "know.",
        live=True,
    ),
    Option(
        "stuff_classes",
        (),
        "The same for stuff, as in wall, floor. Empty: all stuff that the weights know.",
        live=True,
    ),
    Option(
        "predicates",
        (),
        "Names of relations to tell, as in holding, on; all others are left out. Empty: all that "
        "the weights know.",
        live=True,
    ),
    Option(
        "text_encoder",
        "",
        "Folder or hub id of the text encoder of weights with an open vocabulary, for words that "
        "are not stored with them. Empty: the one that the weights name, downloaded once.",
    ),
    Option(
        "image_encoder",
        "",
        "Folder or hub id of a CLIP, whose view of each segment is mixed into its class: evidence "
        "of classes that the weights never learned, at the cost of another ViT. Empty: none.",
    ),
    Option(
        "threads",
        0,
        "CPU threads that the model computes with; 0 takes as many as the process may use, by its "
        "CPU affinity and its container's CPU quota.",
        limits=(0, 1024),
    ),
)
"""What `SceneGraphPipeline.from_weights` takes. It counts when the model is loaded; the
names, which are live, can change later (`SceneGraphPipeline.ask`).
"""
