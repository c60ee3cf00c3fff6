"""What is expected of a request before a tier is picked: its tokens, what each tier would make of it, its novelty.

`Forecaster` puts the features, the model and the novelty score together; compiled, with no arrays in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from classifier.catalog import normalise_label
from classifier.compiled.pool import Pool
from classifier.features import FeatureExtractor, Features
from classifier.model import Expectations, Model, Prediction
from classifier.novelty import Novelty
from classifier.request import Request
from classifier.support import Support

if TYPE_CHECKING:
    from classifier.compiled import _forward
    from classifier.compiled._scan import Scanner


class Forecaster:
    """Forecasts by one artifact's parts; threads may share it."""

    def __init__(
        self, extract: FeatureExtractor, model: Model, novelty: Novelty, support: Support | None = None
    ) -> None:
        """Put the parts together; ``support`` None: every tier was observed everywhere."""
        self._extract, self._model, self._novelty, self._support = extract, model, novelty, support
        self._compiled = Pool(self._compile) if extract.compiled and model.compiled and novelty.compiled else None

    def __call__(self, request: Request) -> tuple[float, Prediction, float]:
        """Input tokens, what the model expects of each tier, and novelty."""
        if self._compiled is None:
            return self.of(self._extract(request))
        label = normalise_label(request.task)
        parts = self._compiled.take()
        scanner, forward, observed = parts
        count, words, tokens = self._extract.scan(request, scanner)
        quality, adequate, cost, novelty = forward.forecast(count, words, self._model.task_row(label))
        prediction = Prediction(quality, adequate, cost)
        if observed is not None and self._support is not None:
            task = self._support.model.task_row(label)
            shares, _, _ = observed.predict(scanner.terms[:count], words, scanner.dense, task)
            prediction.unsupported = self._support.unsupported(shares)
        self._compiled.give(parts)
        return tokens, prediction, novelty

    def of(self, features: Features) -> tuple[float, Prediction, float]:
        """The same for a request of which the features are known."""
        prediction = self._model.predict(features)
        if self._support is not None:
            prediction.unsupported = self._support.of(features)
        return features.tokens, prediction, self._novelty.score(features)

    def many(self, requests: Sequence[Request]) -> tuple[NDArray[np.float64], Expectations, NDArray[np.float64]]:
        """The same for n requests: (n,), n rows, (n,)."""
        rows = self._extract.many(requests)
        expected = self._model.predict_many(rows)
        if self._support is not None:
            expected = replace(expected, unsupported=self._support.of_many(rows, expected.quality.shape[1]))
        return rows.tokens, expected, self._novelty.score_many(rows)

    def _compile(self) -> tuple[Scanner, _forward.Forecaster, _forward.Forward | None]:
        from classifier.compiled import _forward

        scanner = self._extract.scanner()
        forward, measures = self._model.forward(), self._novelty.measures()
        forecaster = _forward.Forecaster(forward, *measures, self._novelty.quantiles, scanner.terms, scanner.dense)
        return scanner, forecaster, None if self._support is None else self._support.model.forward()
