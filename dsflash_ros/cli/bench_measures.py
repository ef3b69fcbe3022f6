"""What `dsflash bench` measures; each gives the title and the rows of its table."""

import argparse
from itertools import cycle

from dsflash_ros.cli.arguments import pipeline_from
from dsflash_ros.errors import missing_ros
from dsflash_ros.pipeline.options import FRAME_OPTIONS, MODEL_OPTIONS

AUGMENTATIONS = ("none", "flip", "deit3", "eomt")
"""`dsflash_ros.data.views.AUGMENTATIONS`, which cannot be imported without torch."""

SIZES = [(640, 480), (1920, 1080)]


def _frame(args: argparse.Namespace) -> tuple[str, list]:
    from dsflash_ros.bench import frame

    pipeline = pipeline_from(args)
    if args.source is None:
        streams = [frame.noise(*size) for size in args.size or SIZES]
    else:
        streams = [frame.frames_of(args.source, size) for size in args.size or [None]]
    rows = [row for images in streams for row in frame.measure(pipeline, images, args.repeat)]
    return f"{args.weights} on {pipeline.device} in {pipeline.precision}, ms a frame", rows


def _load(args: argparse.Namespace) -> tuple[str, list]:
    from dsflash_ros.bench import frame, load

    if args.source is not None:
        next(frame.frames_of(args.source))  # rather than start processes in vain
    sizes = args.size or (SIZES if args.source is None else [None])
    names = [option.name for option in (*MODEL_OPTIONS, *FRAME_OPTIONS)]
    settings = {name: getattr(args, name) for name in names}
    settings |= {"source": args.source, "size": sizes[0]}
    rows = load.measure(settings, args.repeat, args.duration, args.environment)
    return f"{args.weights} beside other programs, medians of {args.repeat} rounds", rows


def _segmenter(args: argparse.Namespace) -> tuple[str, list]:
    from dsflash_ros.bench import frame, segmenter_costs
    from dsflash_ros.data.psg import PsgDataset

    dataset = None
    images = frame.noise(*(args.size or SIZES)[0])
    if args.source is not None:
        dataset = PsgDataset.open(args.source)
        print(dataset.report())
        images = (record.image() for record in cycle(dataset))
    pipelines = _compared(args)
    rows = segmenter_costs.measure(pipelines, images, args.repeat, dataset, args.limit)
    where = f"{pipelines[0].device} in {pipelines[0].precision}"
    return f"segmenters on {where}, ms an image; GFLOPs are multiply-adds", rows


def _relations(args: argparse.Namespace) -> tuple[str, list]:
    from dsflash_ros.bench import relations

    pipelines = _compared(args)
    rows = relations.measure(pipelines, args.repeat)
    where = f"{pipelines[0].device} in {pipelines[0].precision}"
    return f"all pairs of {relations.SEGMENTS} segments on {where}, ms", rows


def _compared(args: argparse.Namespace) -> list:
    """The pipelines of --compare."""
    pipelines = []
    for weights in args.compare or [args.weights]:
        args.weights = weights
        pipelines.append(pipeline_from(args))
    return pipelines


def _scaling(args: argparse.Namespace) -> tuple[str, list]:
    from dsflash_ros.bench import scaling

    pipeline = pipeline_from(args)
    rows = scaling.measure(pipeline, args.repeat)
    return f"{args.weights} on {pipeline.device} in {pipeline.precision}, in turn", rows


def _conversions(args: argparse.Namespace) -> tuple[str, list]:
    try:
        from dsflash_ros.bench import conversions
    except ImportError as error:
        raise missing_ros(error) from error
    return "conversions, ms a message", conversions.measure(args.size or SIZES, args.repeat)


def _node(args: argparse.Namespace) -> tuple[str, list]:
    try:
        from dsflash_ros.bench import node
    except ImportError as error:
        raise missing_ros(error) from error
    options = (*MODEL_OPTIONS, *FRAME_OPTIONS)
    choice = {option.name: getattr(args, option.name) for option in options}
    sizes = args.size or SIZES
    if args.rate:
        rows = [node.measure_load(size, args.rate, args.duration, choice) for size in sizes]
        title = "graphs: time from the image's stamp to receipt beyond the pipeline's, ms; memory"
        return f"{title} of the node", rows
    rows = [node.measure_cost(size, args.repeat, choice) for size in sizes]
    title = "the node's own cost: time from the image's stamp to the graph's receipt"
    return f"{title} minus the pipeline's, ms", rows


def _loader(args: argparse.Namespace) -> tuple[str, list]:
    from dsflash_ros.bench import loader
    from dsflash_ros.data.psg import PsgDataset

    dataset = PsgDataset.open(args.source)
    print(dataset.report())
    rows = [
        loader.measure(dataset, args.image_size, augmentation, args.workers, args.repeat)
        for augmentation in args.augmentation or AUGMENTATIONS
    ]
    return f"loading of {dataset.path}, batches of {loader.BATCH}", rows


MEASURES = {
    "frame": _frame,
    "load": _load,
    "conversions": _conversions,
    "node": _node,
    "loader": _loader,
    "segmenter": _segmenter,
    "relations": _relations,
    "scaling": _scaling,
}
