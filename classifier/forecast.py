"""What is expected of a request before a tier is picked: its tokens, what each tier would make of it, its novelty.

`Forecaster` puts the features, the model and the novelty score together; compiled, with no arrays in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import normalise_label
from classifier.features import FeatureExtractor
from classifier.model import Expectations, Model, Prediction
from classifier.novelty import Novelty
from classifier.request import Request
from classifier.spares import Spares

if TYPE_CHECKING:
    from classifier import _forward
    from classifier._scan import Scanner


class Forecaster:
    """Forecasts by one artifact's parts; threads may share it."""

    def __init__(self, extract: FeatureExtractor, model: Model, novelty: Novelty) -> None:
        self._extract, self._model, self._novelty = extract, model, novelty
        self._compiled = Spares(self._compile) if extract.compiled and model.compiled and novelty.compiled else None

    def __call__(self, request: Request) -> tuple[float, Prediction, float]:
        """Input tokens, what the model expects of each tier, and novelty."""
        if self._compiled is None:
            features = self._extract(request)
            return features.tokens, self._model.predict(features), self._novelty.score(features)
        task = self._model.task_row(normalise_label(request.task))
        pair = self._compiled.take()
        scanner, forward = pair
        count, words, tokens = self._extract.scan(request, scanner)
        quality, adequate, cost, novelty = forward.forecast(count, words, task)
        self._compiled.give(pair)
        return tokens, Prediction(quality, adequate, cost), novelty

    def many(self, requests: Sequence[Request]) -> tuple[NDArray[np.float64], Expectations, NDArray[np.float64]]:
        """The same for n requests: (n,), n rows, (n,)."""
        rows = self._extract.many(requests)
        return rows.tokens, self._model.predict_many(rows), self._novelty.score_many(rows)

    def _compile(self) -> tuple[Scanner, _forward.Forecaster]:
        from classifier import _forward

        scanner = self._extract.scanner()
        forward, measures = self._model.forward(), self._novelty.measures()
        forecaster = _forward.Forecaster(forward, *measures, self._novelty.quantiles, scanner.terms, scanner.dense)
        return scanner, forecaster
