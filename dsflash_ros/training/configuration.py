"""What a training run is told, checked before anything starts."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dsflash_ros.errors import ConfigError

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BaseRunConfig(BaseModel):
    """What every run needs to know, of whatever it trains.

    Attributes:
        dataset: folder or psg.json of a data set in PSG's format; `images` and `masks` say where
            its files lie, if not beside it.
        train_split: split to learn from.
        out: folder of the run: what it made, and its configuration.
        seed: of everything random.
        batch_size: images of a step.
        device: auto, cpu or cuda.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    dataset: Text
    images: str | None = None
    masks: str | None = None
    train_split: str = "train"
    out: Text
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    epochs: Count = 20
    batch_size: Count = 16
    device: Literal["auto", "cpu", "cuda"] = "auto"


class RunConfig(BaseRunConfig):
    """What the trainings of both stages need to know, too.

    Attributes:
        val_split: split that selects the best checkpoint; "none" selects the last epoch's. PSG has
            no "val". With "test", as others do it, the best checkpoint is selected on the very
            images that it is tested on; to be strict, publish the last epoch's scores.
        batch_size: on each device.
        workers: processes that load images, for each device.
        devices: that train together (DDP).
        precision: bfloat16 is mixed precision, weights and losses stay float32; auto takes it where
            the device has it in hardware, else float32.
        gradient_clip: largest norm of the gradient; 0 is off.
        ema_decay: of an exponential moving average of the weights over the steps, which validation
            sees and which is stored, as in 0.999; 0 is off.
    """

    val_split: str = "test"
    workers: Annotated[int, Field(ge=0)] = 4
    devices: Count = 1
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    gradient_clip: NotNegative = 0.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0


class RelationConfig(RunConfig):
    """Training of a relation stage; the defaults are the paper's (supplement section 11).

    Attributes:
        segmenter: weights whose segmenter is used, frozen.
        text_encoder: folder or hub id of the encoder whose embeddings the relation stage is to know
            predicates by (open vocabulary); None: as the weights say.
        predicates_novel: names of predicates that the relation stage must not learn; pairs that
            they relate are left out.
        keep_relations: start from the relation stage of those weights, not from a new one.
        relater, relater_settings: kind of the relation stage, see `ModelConfig`; None: as the
            weights say.
        neck_dim, neck_depth, neck_heads: sizes of DSFlash's relation stage; None: as the weights
            say.
        lr, weight_decay: of AdamW.
        warmup_share: the learning rate warms up linearly over this share of all steps, then decays
            with a cosine.
        consistency_weight: of Eq. 7 beside the binary cross entropy.
        negative_share: unrelated pairs for each true relation.
        balance_predicates: weigh rare predicates up (DSFormer's option; the paper does not use it).
        masks_from: truth; segmenter: its own masks, matched with the truth (supplement section 14);
            both: its own in half of the images, drawn at random.
        pruning: leave out patches that neither mask touches (supplement section 15); "random" does
            so in every other step, drawn at random, for weights that work both ways.
        augmentation: deit3 (section 3.6), flip or none.
        feature_cache: folder for the frozen segmenter's features (and what it finds, where
            masks_from needs it), so that each image passes it only once. It needs an augmentation
            of flip or none, and disk space: 5 MB an image for small at 640 pixels (flip: 10).
        pairs_at_once: pairs that pass the relation stage together; bounds the memory and changes
            nothing else.
    """

    segmenter: Text
    text_encoder: Text | None = None
    predicates_novel: tuple[Text, ...] = ()
    keep_relations: bool = False
    relater: str | None = None
    relater_settings: dict[str, Any] | None = None
    neck_dim: Count | None = None
    neck_depth: Count | None = None
    neck_heads: Count | None = None
    batch_size: Count = 32
    lr: Positive = 1e-5
    weight_decay: NotNegative = 0.02
    warmup_share: Share = 0.05
    gradient_clip: NotNegative = 1.0
    consistency_weight: NotNegative = 1.0
    negative_share: NotNegative = 0.2
    balance_predicates: bool = False
    masks_from: Literal["truth", "segmenter", "both"] = "truth"
    pruning: bool | Literal["random"] = False
    augmentation: Literal["deit3", "flip", "none"] = "deit3"
    feature_cache: str | None = None
    pairs_at_once: Count = 32

    def model_post_init(self, context: Any) -> None:
        """Refuse values that contradict each other."""
        if self.feature_cache and self.augmentation == "deit3":
            raise ConfigError(
                "feature_cache keeps the features of unchanged images, which augmentation=deit3 "
                "changes each time; use augmentation=flip or none with it"
            )

    @property
    def found_share(self) -> float:
        """Share of the images whose segments are the segmenter's own."""
        return {"truth": 0.0, "segmenter": 1.0, "both": 0.5}[self.masks_from]


class SegmenterConfig(RunConfig):
    """Training of a segmenter; the defaults are EoMT's for DINOv2 (Kerssies et al., CVPR 2025).

    (The package's own configurations are EoMT's for DINOv3. Two things differ: the last batch of an
    epoch may be smaller, and rotary positions are not scaled at random.)

    Attributes:
        segmenter, segmenter_settings, size, backbone, image_size, num_queries: of the model, see
            `ModelConfig`; the data set gives the classes. `backbone` None: the first that there is.
        text_encoder: folder or hub id of the encoder whose embeddings classes are to be known by
            (open vocabulary); None: a closed head.
        start: weights to start from: a checkpoint of dsflash_ros by path, name or hub id (at any
            image_size; its heads are kept where the classes are the same; a mask2former may have
            other p1, p2, p3), a backbone in timm's layout (.safetensors, .pth), "timm" to download
            timm's own, None for none.
        lr, weight_decay: peak learning rate of AdamW, and its weight decay.
        llrd, decay_query_blocks, annealing: EoMT's, see `EoMTRecipe`.
        backbone_lr_factor: Mask2Former's, see `Mask2FormerRecipe`.
        schedule: how the learning rate falls: `poly`, or `step`, to a tenth at 0.9 and again at
            0.95 of the run, as Mask2Former's does.
        poly_power: exponent of `poly`, and of EoMT's mask annealing.
        warmup_steps: of what the segmenter adds to a backbone, then of the backbone.
        num_points: sampled in each mask for the loss.
        mask_weight, dice_weight, class_weight: of the loss's parts.
        no_object_weight: of queries that should find nothing, in the class loss.
        augmentation: eomt (flip, scale, crop), deit3, flip or none.
    """

    segmenter: Text = "eomt"
    segmenter_settings: dict[str, Any] = {}
    size: Literal["tiny", "small", "base", "large"] = "small"
    backbone: str | None = "dinov2"
    image_size: Count = 640
    num_queries: Count = 200
    text_encoder: Text | None = None
    start: str | None = None
    epochs: Count = 12
    lr: Positive = 1e-4
    weight_decay: NotNegative = 0.05
    gradient_clip: NotNegative = 0.01
    llrd: Share = 0.8
    decay_query_blocks: bool = True
    backbone_lr_factor: NotNegative = 0.1
    schedule: Literal["poly", "step"] = "poly"
    poly_power: Positive = 0.9
    warmup_steps: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (500, 1000)
    annealing: tuple[tuple[Share, Share], ...] | None = None
    num_points: Count = 12544
    mask_weight: NotNegative = 5.0
    dice_weight: NotNegative = 5.0
    class_weight: NotNegative = 2.0
    no_object_weight: NotNegative = 0.1
    augmentation: Literal["eomt", "deit3", "flip", "none"] = "eomt"

    def model_post_init(self, context: Any) -> None:
        """Refuse values that contradict each other."""
        if any(start > end for start, end in self.annealing or ()):
            raise ConfigError(
                f"annealing must be pairs (start, end) with start <= end, got {self.annealing}"
            )
