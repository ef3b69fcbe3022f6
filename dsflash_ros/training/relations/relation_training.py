"""Training of the relation stage on a frozen segmenter, as the paper does (section 3, supplement
section 11).
"""

import lightning
import numpy as np
import torch
import torch.distributed

from dsflash_ros.errors import TrainingError
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import digest_of
from dsflash_ros.model.ranking import rank_relations
from dsflash_ros.model.relaters.relater import PairInputs
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.relations.found_segments import with_found_segments
from dsflash_ros.training.relations.pairs import pair_targets
from dsflash_ros.training.relations.relation_data import RelationBatch
from dsflash_ros.training.relations.relation_loss import batch_losses
from dsflash_ros.training.run.progress import refuse_not_finite
from dsflash_ros.training.run.schedules import cosine_with_warmup


class RelationTraining(lightning.LightningModule):
    """Learns `model.relations`; `model.segmenter` stays as it is.

    Each epoch ends with PredCls on the validation split. `positive_weights`, (1 + predicates,),
    weigh the cross entropy's positive terms, see `predicate_weights`.
    """

    score = "mR@50"
    """What the best epoch has most of."""

    def __init__(
        self,
        model: DSFlash,
        config: RelationConfig,
        predicates: tuple[str, ...],
        positive_weights: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.strict_loading = False  # checkpoints leave the frozen segmenter out
        self.model = model
        self.config = config
        self.model.segmenter.requires_grad_(False)
        self._segmenter_digest = digest_of(model.segmenter)
        self.register_buffer("positive_weights", positive_weights, persistent=False)
        self.metrics = RecallMetrics(predicates)
        self._direction_gaps: list[float] = []

    def train(self, mode: bool = True) -> "RelationTraining":
        """Training mode, but for the segmenter."""
        super().train(mode)
        self.model.segmenter.eval()
        return self

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep what is learned, and what it was learned upon."""
        checkpoint["segmenter"] = self._segmenter_digest
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name: state[name] for name in state if not name.startswith("model.segmenter.")
        }

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Raise `TrainingError` when the segmenter is not the one that the run began with."""
        if checkpoint.get("segmenter") != self._segmenter_digest:
            raise TrainingError(
                f"the segmenter {self.config.segmenter} has changed since the run began; start anew in another out=..."
            )

    def configure_optimizers(self):
        """AdamW and its schedule, a step at a time."""
        config = self.config
        optimizer = torch.optim.AdamW(
            self.model.relations.parameters(), config.lr, weight_decay=config.weight_decay
        )
        total = int(self.trainer.estimated_stepping_batches)
        warmup = round(config.warmup_share * total)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: cosine_with_warmup(step, warmup, total)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: RelationBatch, index: int) -> torch.Tensor:
        """The loss of a batch."""
        config, stage = self.config, self.model.relations
        if config.masks_from == "segmenter":
            with torch.no_grad():
                seen = self.model.segmenter(batch.images.float() / 255)
            features = seen.features
            random = np.random.default_rng((config.seed, self.global_step, self.global_rank))
            batch = with_found_segments(
                batch, seen, self.model.config, config.negative_share, random
            )
        else:
            features = self._features(batch.images)
        patches = stage.embed_patches(
            features
        ).float()  # a bfloat16 residual stream would round away what blocks add
        inputs = PairInputs(patches, batch.coverage, batch.boxes, batch.image_of)
        targets = pair_targets(batch.relations, batch.pairs, len(self.metrics.predicates))
        loss, parts = batch_losses(
            stage,
            inputs,
            batch.pairs,
            targets,
            config.consistency_weight,
            config.pairs_at_once,
            pruning=config.pruning,
            positive_weights=self.positive_weights,
        )
        refuse_not_finite(self, loss)
        self._pairs_of_epoch += len(batch.pairs)
        logged = {"on_epoch": True, "batch_size": len(batch.images)}
        self.log("train/loss", loss.detach(), prog_bar=True, **logged)
        self.log("train/cross_entropy", parts.cross_entropy, **logged)
        self.log("train/consistency", parts.consistency, **logged)
        return loss

    def on_train_epoch_start(self) -> None:
        """Count anew."""
        self._pairs_of_epoch = 0

    def on_train_epoch_end(self) -> None:
        """Raise `TrainingError` when there was nothing to learn from, as with a segmenter that
        finds nothing.
        """
        if not self._pairs_of_epoch:
            raise TrainingError(
                f"no pair of segments to learn from in epoch {self.current_epoch + 1}: the segmenter finds none of the "
                "related segments; train it longer, or use masks_from=truth"
            )

    def validation_step(self, batch: RelationBatch, index: int) -> None:
        """PredCls: all pairs of true segments, and how far the two orders of related ones differ."""
        stage = self.model.relations
        patches = stage.embed_patches(self._features(batch.images)).float()
        rest = (batch.coverage, batch.boxes, batch.image_of)
        options = {"pruning": self.config.pruning, "pairs_at_once": self.config.pairs_at_once}
        for image, (start, count) in enumerate(
            zip(batch.starts.tolist(), batch.counts.tolist(), strict=True)
        ):
            pairs = torch.combinations(torch.arange(count, device=self.device))
            ranked = rank_relations(stage(patches, *rest, pairs + start, **options), pairs)
            truth, _ = batch.of_image(image)
            predicted = torch.cat((ranked.pairs, ranked.predicates.unsqueeze(1)), dim=1)
            self.metrics.add(truth.cpu().numpy(), predicted.cpu().numpy(), np.arange(count), count)
        related = batch.relations[:, :2]
        logits, swapped = (
            stage(patches, *rest, pairs, **options) for pairs in (related, related.flip(1))
        )
        self._direction_gaps += (logits - swapped.flip(1)).abs().mean((1, 2)).tolist()

    def on_validation_epoch_end(self) -> None:
        """Log the scores of all processes' images together."""
        gathered = [(self.metrics, self._direction_gaps)]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            gathered = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(gathered, (self.metrics, self._direction_gaps))
        metrics = RecallMetrics(self.metrics.predicates)
        metrics.merge(part for part, _ in gathered)
        gaps = [gap for _, part in gathered for gap in part]
        results = metrics.results()
        scores = {
            name: results[name]
            for name in ("R@20", "R@50", "mR@20", "mR@50")
            if results[name] is not None
        }
        scores["direction_gap"] = float(np.mean(gaps)) if gaps else 0.0
        for name, value in scores.items():
            self.log(f"val/{name}", value, prog_bar=name == self.score, rank_zero_only=True)
        self.metrics, self._direction_gaps = RecallMetrics(self.metrics.predicates), []

    @torch.no_grad()
    def _features(self, images: torch.Tensor) -> torch.Tensor:
        """Features of images (B, 3, S, S) uint8; those that were cached are given back."""
        if images.dtype != torch.uint8:
            return images.float()
        return self.model.segmenter.features(images.float() / 255)
