"""Which tiers were observed on requests like this one.

Where a tier's scores were missing of certain requests, nothing is known of it there, and a model that was fitted
elsewhere would only guess. So a tier is picked for no request that is less like those it was observed on than nearly
all of these are. Likeness is P(the tier is observed | request), learned with the model's own features, and its bound
is a quantile over requests that observed the tier and were held out: a conformal novelty test by a classifier
(Marandon et al., "Adaptive Novelty Detection with False Discovery Rate Guarantee", Annals of Statistics 52, 2024), one
for each tier. The reference is never left out: something has to answer.

Artifacts of tables without such gaps have no such part, and their decisions cost nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.artifact import Artifact, header_field, model_part
from classifier.errors import ArtifactError
from classifier.features import FeatureRows, Features
from classifier.model import Model, dump_model, load_model

FIELD = "support"
_PREFIX = "support_"


@dataclass(frozen=True, slots=True)
class Support:
    """Where tiers were observed.

    Attributes
    ----------
    model : its quality is P(the tier is observed), one output for each of ``tiers``.
    tiers : places of the tiers that were not observed everywhere, never the reference's.
    least : (k,) the least such probability at which the tier may be picked.
    """

    model: Model
    tiers: tuple[int, ...]
    least: tuple[float, ...]

    def unsupported(self, observed: list[float]) -> tuple[int, ...]:
        """Places of the tiers that must not be picked, by the model's quality for a request."""
        return tuple(
            tier
            for tier, probability, least in zip(self.tiers, observed, self.least, strict=True)
            if probability < least
        )

    def of(self, features: Features) -> tuple[int, ...]:
        """The same for a request's features."""
        return self.unsupported(self.model.predict(features).quality)

    def of_many(self, rows: FeatureRows, tiers: int) -> NDArray[np.bool_]:
        """(n, tiers): whether the tier must not be picked."""
        found = np.zeros((len(rows), tiers), bool)
        found[:, self.tiers] = self.model.predict_many(rows).quality < np.array(self.least)
        return found


def dump_support(support: Support, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Header fields and tensors for `classifier.artifact.write_artifact`; ``names`` are all learned tiers'."""
    header, tensors = dump_model(support.model)
    field = {
        "tiers": [names[tier] for tier in support.tiers],
        "least": list(support.least),
        "model": header,
    }
    return {FIELD: field}, {_PREFIX + name: tensor for name, tensor in tensors.items()}


def load_support(
    artifact: Artifact, names: list[str], dense_features: int, reference: int, task_aliases: Mapping[str, str]
) -> Support | None:
    """Where the tiers of an artifact were observed; None: everywhere.

    Raises
    ------
    ArtifactError : it does not fit the artifact's other parts.
    """
    if FIELD not in artifact.header:
        return None
    tiers = header_field(artifact, FIELD, "tiers", kind=list)
    least = header_field(artifact, FIELD, "least", kind=list)
    known = len(set(map(str, tiers))) == len(tiers) > 0 and all(tier in names for tier in tiers)
    bounded = all(isinstance(bound, float) and 0 <= bound <= 1 for bound in least)
    if not known or names[reference] in tiers or not bounded or len(least) != len(tiers):
        raise ArtifactError(
            f"{artifact.source}: where its tiers were observed does not fit its menu; retrain with train-router"
        )
    model = load_model(model_part(artifact, FIELD, _PREFIX), len(tiers), dense_features, task_aliases)
    return Support(model, tuple(names.index(tier) for tier in tiers), tuple(least))
