"""Training of a relation stage on a frozen segmenter (section 3, supplement section 11)."""

import lightning
import numpy as np
import torch
import torch.distributed

from dsflash_ros.errors import TrainingError
from dsflash_ros.evaluation.metrics import RecallMetrics
from dsflash_ros.model.assembly import DSFlash
from dsflash_ros.model.checkpoints import Header, digest_of
from dsflash_ros.model.ranking import rank_relations
from dsflash_ros.training.configuration import RelationConfig
from dsflash_ros.training.relations.found_batches import with_found_segments
from dsflash_ros.training.relations.pairs import pair_targets
from dsflash_ros.training.relations.relation_data import RelationBatch
from dsflash_ros.training.relations.relation_loss import batch_losses
from dsflash_ros.training.run.progress import refuse_not_finite
from dsflash_ros.training.run.schedules import cosine_with_warmup


class RelationTraining(lightning.LightningModule):
    """Trains `model.relations`; `model.segmenter` stays as it is.

    Each epoch ends with PredCls on the validation split. `header` is that of the weights to be.
    `positive_weights`, (1 + predicates,), weigh the cross entropy's positive terms, see
    `predicate_weights`.
    """

    selection_metric = "mR@50"
    """The metric that selects the best checkpoint: the larger the better."""

    def __init__(
        self,
        model: DSFlash,
        header: Header,
        config: RelationConfig,
        positive_weights: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.strict_loading = False  # checkpoints leave the frozen segmenter out
        self.model = model
        self.header = header
        self.config = config
        self.model.segmenter.requires_grad_(False)
        self._segmenter_digest = digest_of(model.segmenter)
        self.register_buffer("positive_weights", positive_weights, persistent=False)
        self.metrics = RecallMetrics(header.vocabulary.predicates)
        self._direction_gaps: list[float] = []
        self._has_options = model.relations.options & RelationConfig.model_fields.keys()

    def train(self, mode: bool = True) -> "RelationTraining":
        """Training mode for all but the segmenter."""
        super().train(mode)
        self.model.segmenter.eval()
        return self

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Keep what is learned, and the digest of the segmenter that it was learned with."""
        checkpoint["segmenter"] = self._segmenter_digest
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name: state[name] for name in state if not name.startswith("model.segmenter.")
        }

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Raise `TrainingError` when the segmenter is not the one that the run began with."""
        if checkpoint.get("segmenter") != self._segmenter_digest:
            raise TrainingError(
                f"the segmenter {self.config.segmenter} has changed since the run began; "
                "start anew in another out=..."
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
        # what is dropped follows from the step, so that a resumed run drops the same
        numbers = (self.config.seed, self.global_step, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))
        if self.config.found_share and not self.config.feature_cache:
            batch, features = self._find_segments(batch)
        else:
            features = self._features(batch.images)
        targets = pair_targets(batch.relations, batch.pairs, len(self.metrics.predicates))
        loss, parts = batch_losses(
            self.model.relations,
            batch.pair_inputs(self._prepare(features)),
            targets,
            self.config.consistency_weight,
            self.config.pairs_at_once,
            self.positive_weights,
            **self._options(),
        )
        refuse_not_finite(self, loss)
        self._pairs_of_epoch += len(batch.pairs)
        logged = {"on_epoch": True, "batch_size": len(batch.images)}
        self.log("train/loss", loss.detach(), prog_bar=True, **logged)
        self.log("train/cross_entropy", parts.cross_entropy, **logged)
        self.log("train/consistency", parts.consistency, **logged)
        if self.model.relations.pair_loss:
            self.log("train/relatedness", parts.relatedness, **logged)
        return loss

    def on_train_epoch_start(self) -> None:
        """Start to count pairs."""
        self._pairs_of_epoch = 0

    def on_train_epoch_end(self) -> None:
        """Raise `TrainingError` when there was no pair, as when the segmenter finds nothing."""
        if not self._pairs_of_epoch:
            raise TrainingError(
                f"no pair of segments to learn from in epoch {self.current_epoch + 1}: "
                "the segmenter finds none of the related segments; "
                "train it longer, or use masks_from=truth"
            )

    def validation_step(self, batch: RelationBatch, index: int) -> None:
        """PredCls on all pairs of true segments, and how far both orders of related ones differ."""
        prepared = self._prepare(self._features(batch.images))
        starts, counts = batch.starts.tolist(), batch.counts.tolist()
        for image, (start, count) in enumerate(zip(starts, counts, strict=True)):
            pairs = torch.combinations(torch.arange(count, device=self.device))
            ranked = rank_relations(self._logits(batch, prepared, pairs + start), pairs)
            truth, _ = batch.of_image(image)
            predicted = torch.cat((ranked.pairs, ranked.predicates.unsqueeze(1)), dim=1)
            self.metrics.add(truth.cpu().numpy(), predicted.cpu().numpy(), np.arange(count), count)
        related = batch.relations[:, :2]
        logits = self._logits(batch, prepared, related)
        swapped = self._logits(batch, prepared, related.flip(1))
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
        names = ("R@20", "R@50", "mR@20", "mR@50")
        scores = {name: results[name] for name in names if results[name] is not None}
        scores["direction_gap"] = float(np.mean(gaps)) if gaps else 0.0
        for name, value in scores.items():
            in_bar = name == self.selection_metric
            self.log(f"val/{name}", value, prog_bar=in_bar, rank_zero_only=True)
        self.metrics, self._direction_gaps = RecallMetrics(self.metrics.predicates), []

    @torch.no_grad()
    def _features(self, images: torch.Tensor) -> torch.Tensor:
        """Features of images (B, 3, S, S) uint8; features from the cache stay as they are."""
        if images.dtype != torch.uint8:
            return images.float()
        return self.model.segmenter.features(images.float() / 255)

    @torch.no_grad()
    def _find_segments(self, batch: RelationBatch) -> tuple[RelationBatch, torch.Tensor]:
        """The batch with the segmenter's own segments, and the images' features."""
        config, stage = self.config, self.model.relations
        seen = self.model.segmenter(batch.images.float() / 255)
        random = np.random.default_rng((config.seed, self.global_step, self.global_rank))
        found = with_found_segments(
            batch,
            seen,
            self.header,
            stage.cell,
            stage.grid,
            config.negative_share,
            random,
            config.found_share,
        )
        return found, seen.features

    def _prepare(self, features: torch.Tensor) -> torch.Tensor:
        # A bfloat16 residual stream would round away what the stage's blocks add to it.
        return self.model.relations.prepare(features).float()

    def _logits(
        self, batch: RelationBatch, prepared: torch.Tensor, pairs: torch.Tensor
    ) -> torch.Tensor:
        inputs = batch.pair_inputs(prepared, pairs)
        return self.model.relations(inputs, self.config.pairs_at_once, **self._options())

    def _options(self) -> dict[str, bool]:
        """Options of the relation stage: of this step in training, none at random otherwise."""
        options = {name: getattr(self.config, name) for name in self._has_options}
        if options.get("pruning") == "random":
            draw = np.random.default_rng((self.config.seed, self.global_step)).random()
            options["pruning"] = self.training and draw < 0.5
        return options
