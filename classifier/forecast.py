"""What is expected of a request before a tier is picked: its tokens, what each tier would make of it, its novelty.

`Forecaster` puts the features, the model and the novelty score together; compiled, with no arrays in between.
`TokenForecaster` knows no model: tokens are all that it tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

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


class Forecast(NamedTuple):
    """What is expected of a request.

    Attributes
    ----------
    tokens : of the input: text, message frames, tools and images.
    prediction : what the model expects of each tier; of none where there is no model.
    novelty : how unlike the training requests it is, 0..1; 0 where there were none.
    """

    tokens: float
    prediction: Prediction
    novelty: float


@dataclass(frozen=True, slots=True)
class Forecasts:
    """What is expected of n requests: (n,), n rows, (n,); as in `Forecast`."""

    tokens: NDArray[np.float64]
    expected: Expectations
    novelty: NDArray[np.float64]

    def single(self) -> Iterator[Forecast]:
        """Those of each request."""
        return map(Forecast, self.tokens.tolist(), self.expected.single(), self.novelty.tolist())


class Forecaster:
    """Forecasts by one artifact's parts; threads may share it."""

    def __init__(
        self, extract: FeatureExtractor, model: Model, novelty: Novelty, support: Support | None = None
    ) -> None:
        """Put the parts together; ``support`` None: every tier was observed everywhere."""
        self._extract, self._model, self._novelty, self._support = extract, model, novelty, support
        self._compiled = Pool(self._compile) if extract.compiled and model.compiled and novelty.compiled else None

    def __call__(self, request: Request) -> Forecast:
        """What is expected of a request."""
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
        return Forecast(tokens, prediction, novelty)

    def of(self, features: Features) -> Forecast:
        """The same for a request of which the features are known."""
        prediction = self._model.predict(features)
        if self._support is not None:
            prediction.unsupported = self._support.of(features)
        return Forecast(features.tokens, prediction, self._novelty.score(features))

    def many(self, requests: Sequence[Request]) -> Forecasts:
        """The same for many requests."""
        rows = self._extract.many(requests)
        expected = self._model.predict_many(rows)
        if self._support is not None:
            expected = replace(expected, unsupported=self._support.of_many(rows, expected.quality.shape[1]))
        return Forecasts(rows.tokens, expected, self._novelty.score_many(rows))

    def _compile(self) -> tuple[Scanner, _forward.Forecaster, _forward.Forward | None]:
        from classifier.compiled import _forward

        scanner = self._extract.scanner()
        forward, measures = self._model.forward(), self._novelty.measures()
        forecaster = _forward.Forecaster(forward, *measures, self._novelty.quantiles, scanner.terms, scanner.dense)
        return scanner, forecaster, None if self._support is None else self._support.model.forward()


class TokenForecaster:
    """Forecasts where nothing was learned; threads may share it."""

    def __init__(self, extract: FeatureExtractor) -> None:
        self._extract = extract

    def __call__(self, request: Request) -> Forecast:
        """What is known of a request."""
        return Forecast(self._extract.tokens(request), Prediction([], [], []), 0.0)

    def of(self, features: Features) -> Forecast:
        """The same for a request of which the features are known."""
        return Forecast(features.tokens, Prediction([], [], []), 0.0)

    def many(self, requests: Sequence[Request]) -> Forecasts:
        """The same for many requests."""
        tokens = self._extract.many(requests).tokens
        nothing = np.zeros((len(requests), 0))
        return Forecasts(tokens, Expectations(nothing, nothing, nothing), np.zeros(len(requests)))
