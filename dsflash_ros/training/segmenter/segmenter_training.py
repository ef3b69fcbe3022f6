"""Training of a segmenter, by the recipe that EoMT and Mask2Former share, and its own."""

from functools import partial

import lightning
import numpy as np
import torch

from dsflash_ros.evaluation.panoptic_quality import PanopticQuality
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.panoptic import merge_panoptic
from dsflash_ros.training.configuration import SegmenterConfig
from dsflash_ros.training.run.progress import refuse_not_finite
from dsflash_ros.training.run.schedules import poly, steps, two_stage_scheduler
from dsflash_ros.training.segmenter.segmenter_data import SegmenterBatch
from dsflash_ros.training.segmenter.set_loss import SetLoss


class SegmenterTraining(lightning.LightningModule):
    """Trains `model.segmenter`; `model.relations` stays as it is.

    Each epoch ends with the panoptic quality on the validation split, at the resolution of the
    network input, of what inference finds. EoMT's is low while masks still steer its attention.

    Raises `ConfigError` for settings that do not suit the segmenter.
    """

    selection_metric = "PQ"
    """The metric that selects the best checkpoint: the larger the better."""

    def __init__(self, model: DSFlash, vocabulary: Vocabulary, config: SegmenterConfig) -> None:
        super().__init__()
        self.strict_loading = False  # checkpoints leave the relation stage out
        self.model, self.vocabulary, self.config = model, vocabulary, config
        self.loss = SetLoss(
            config.num_points,
            mask_weight=config.mask_weight,
            dice_weight=config.dice_weight,
            class_weight=config.class_weight,
            no_object_weight=config.no_object_weight,
        )
        self.model.relations.requires_grad_(False)
        self.model.segmenter.configure_training(config.model_dump())

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep what is learned."""
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name: state[name] for name in state if not name.startswith("model.relations.")
        }

    def configure_optimizers(self):
        """AdamW and its schedule, a step at a time.

        Raises `ConfigError` when the run is shorter than the warm-up.
        """
        config = self.config
        groups = self.model.segmenter.parameter_groups(config.lr)
        optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        total = int(self.trainer.estimated_stepping_batches)
        decay = steps if config.schedule == "step" else partial(poly, power=config.poly_power)
        schedule = two_stage_scheduler(optimizer, config.warmup_steps, total, decay)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: SegmenterBatch, index: int) -> torch.Tensor:
        """The loss of a batch."""
        numbers = (self.config.seed, self.global_step, index, self.global_rank)
        seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
        generator = torch.Generator(self.device).manual_seed(seed)
        progress = self.global_step / int(self.trainer.estimated_stepping_batches)
        segmenter = self.model.segmenter
        predictions = segmenter.training_predictions(batch.images / 255, progress, generator)
        losses = self.loss(predictions, batch.labels, batch.class_ids, generator)
        refuse_not_finite(self, losses.total)
        logged = {"on_epoch": True, "batch_size": len(batch.images)}
        self.log("train/loss", losses.total.detach(), prog_bar=True, **logged)
        for name in ("mask", "dice", "classes"):
            self.log(f"train/{name}", getattr(losses, name).detach(), **logged)
        for name, value in segmenter.training_metrics(progress).items():
            self.log(f"train/{name}", value)
        return losses.total

    def on_validation_epoch_start(self) -> None:
        """Start anew."""
        self._quality = PanopticQuality(self.vocabulary, self.device)

    def validation_step(self, batch: SegmenterBatch, index: int) -> None:
        """Count the segments that are found."""
        found = self.model.segmenter(batch.images / 255)
        side, num_things = batch.images.shape[-1], len(self.vocabulary.things)
        for i, (height, width) in enumerate(batch.contents):
            segments = merge_panoptic(
                found.mask_logits[i],
                found.class_logits[i],
                num_things,
                side=side,
                crop=(height, width),
            )
            classes = torch.cat((batch.class_ids[i], batch.crowd_ids[i])).cpu().numpy()
            crowd = np.arange(len(classes)) >= len(batch.class_ids[i])
            truth = batch.labels[i, :height, :width].cpu().numpy()
            self._quality.add(
                truth,
                classes,
                crowd,
                segments.labels.cpu().numpy(),
                segments.class_ids.cpu().numpy(),
            )

    def on_validation_epoch_end(self) -> None:
        """Log the scores."""
        results = self._quality.results()
        for name in ("PQ", "SQ", "RQ"):
            in_bar = name == self.selection_metric
            self.log(f"val/{name}", results[name] or 0.0, prog_bar=in_bar, sync_dist=True)
