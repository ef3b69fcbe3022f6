"""What an evaluation says, as words and figures for people. Used by every text about it."""

from dsflash_ros.model.header import STAGES
from dsflash_ros.text_tables import counted

NO_VALUE = "-"


def describe_dataset(dataset: dict) -> str:
    """`Report.dataset` as `psg/psg.json, split test: 2186 images`."""
    split = f"split {dataset['split']}" if dataset["split"] else "all splits"
    if dataset["images"] == dataset["of"]:
        count = counted(dataset["images"], "image")
    else:
        count = f"{dataset['images']} of {dataset['of']} images"
    return f"{dataset['name']}, {split}: {count}"


def describe_weights(weights: dict) -> str:
    """`Report.weights` as their name and which stages are untrained."""
    untrained = [stage for stage in STAGES if stage not in weights["trained"]]
    if untrained == list(STAGES):
        return f"{weights['name']}, untrained: the scores mean nothing"
    return "; ".join([weights["name"], *(f"{stage} untrained" for stage in untrained)])


def describe_machine(machine: dict, options: dict) -> str:
    """The device that the model ran on, and the precision."""
    device = f"{machine['cpu']}, {machine['cores']} cores"
    if options["device"].startswith("cuda"):
        device = machine["gpu"]
    return f"{device} in {options['precision']}"


def describe_speed(speed: dict) -> str:
    """`Report.speed` as one line: what was measured, and how."""
    latency = (
        f"latency {speed['latency_ms']:.2f} ms (forward pass of one image, mean of "
        f"{speed['timed']} after {speed['warm_up']} of warm-up)"
    )
    rate = (
        f"{number(speed['relations_per_second'])} relations a second (batches of {speed['batch']})"
    )
    load = (
        f"{speed['segments_per_image']:.1f} segments, "
        f"{speed['pairs_per_image']:.1f} directed pairs an image"
    )
    return f"{latency}, {rate}; {load}"


def percent(value: float | None) -> str:
    """A fraction as percent with two decimals."""
    return NO_VALUE if value is None else f"{value * 100:.2f}"


def number(value: float | None) -> str:
    """A large number, as in `11,491`."""
    return NO_VALUE if value is None else f"{value:,.0f}"
