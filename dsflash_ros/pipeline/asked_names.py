"""A backend's model in the names that were asked for."""

from typing import TYPE_CHECKING

from dsflash_ros.language.text_encoder import TextEncoder
from dsflash_ros.model.header import Header
from dsflash_ros.model.relaters.pair_inputs import PairInputs
from dsflash_ros.model.segmenters.segmentation import Segmentation
from dsflash_ros.pipeline.asking import Asked, Asking
from dsflash_ros.pipeline.backends.base import Backend
from dsflash_ros.pipeline.mixed_logits import in_known_classes, mix_classes, mix_predicates
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.translation import Translation

if TYPE_CHECKING:
    from dsflash_ros.model.array_types import Array
    from dsflash_ros.pipeline.image_evidence import ImageEvidence


class AskedNames:
    """Runs a backend, and says what it finds in the inner names of what was asked.

    Attributes:
        asked: the names that were asked for; at first none, which is all.
        translation: from inner names to asked ones.
    """

    def __init__(
        self,
        backend: Backend,
        header: Header,
        weights: str,
        encoder: TextEncoder | None,
        evidence: "ImageEvidence | None" = None,
    ) -> None:
        """The names of the weights.

        Args:
            encoder: what encodes words for these weights; None for a closed vocabulary.
            evidence: a second view of the images, that says of which class segments are.
        """
        self._backend, self._header, self._weights = backend, header, weights
        self._encoder, self._evidence = encoder, evidence
        self._asking: Asking | None = None
        self.asked = Asked()
        self.translation = Translation.without_change(header.vocabulary)
        if evidence is not None:
            names = header.vocabulary.classes
            evidence.name(names, [False] * len(names))

    def ask(self, asked: Asked) -> None:
        """Tell other names apart from now on; the log says what they mean.

        Raises `LanguageError` for names that cannot be asked for; then the former ones stay.
        """
        asking = self.understood(asked)
        if self._evidence is not None:
            is_new = asking.class_order >= self._header.config.num_classes
            self._evidence.name(asking.translation.inner.classes, is_new)
        self._backend.tell_apart(asking)
        self._asking, self.asked, self.translation = asking, asked, asking.translation
        asking.log(self._weights)

    def understood(self, asked: Asked) -> Asking:
        """What names would mean. Raises `LanguageError` for those that cannot be asked for."""
        is_fixed = self._backend.name != "torch"
        return Asking.of(asked, self._header, self._weights, self._encoder, is_fixed)

    def segment(self, images: "Array", options: Options) -> Segmentation:
        """As `Backend.segment`, with logits of the inner classes."""
        seen = self._backend.segment(images, options)
        if self._asking is not None and self._asking.class_mixing is not None:
            logits = mix_classes(seen.class_logits, self._asking.class_mixing)
            seen = seen._replace(class_logits=logits)
        return seen if self._evidence is None else self._evidence.mixed(images, seen)

    def relate(self, inputs: PairInputs, options: Options) -> "Array":
        """As `Backend.relate`: logits of the inner predicates, (n, 2, 1 + predicates).

        Classes of the inputs are inner ones.
        """
        asking = self._asking
        if asking is None:
            return self._backend.relate(inputs, options)
        if asking.class_mixing is not None:
            inputs = in_known_classes(inputs, asking.known_classes, self._header.config.num_classes)
        logits = self._backend.relate(inputs, options)
        if asking.offsets is None:
            return logits
        return mix_predicates(logits, asking.predicate_mixing, asking.offsets)
