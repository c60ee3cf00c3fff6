"""Types of the compiled module; its source is ``_forward.pyx``."""

import numpy as np
from numpy.typing import NDArray

class Vocabulary:
    """A set of terms.

    Parameters
    ----------
    buckets : (m,) uint32, the terms, sorted and distinct.
    size : what every term asked for must be below.
    """

    def __init__(self, buckets: NDArray[np.uint32], size: int) -> None: ...
    def count(self, terms: NDArray[np.uint32], count: int) -> int:
        """How many of the first ``count`` terms it holds.

        Raises
        ------
        IndexError : there are fewer terms, or one is not below ``size``.
        """

    def shares(
        self, terms: NDArray[np.uint32], ends: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """For each of n rows, which share of its first ``counts`` (n,) terms it holds; 0 where there are none; (n,).

        Parameters
        ----------
        terms, ends : as in `classifier.features.FeatureRows`.

        Raises
        ------
        ValueError, IndexError : the rows do not fit each other, or a term is not below ``size``.
        """

class TermRows:
    """Rows of weights by term.

    Parameters
    ----------
    buckets, size : as in `Vocabulary`.
    rows : (m, c) float32, c at least 1.

    Raises
    ------
    ValueError : there are not as many terms as rows.
    """

    columns: int

    def __init__(self, buckets: NDArray[np.uint32], rows: NDArray[np.float32], size: int) -> None: ...
    def sum(self, terms: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Sum of the terms' rows, zeros where a term has none, added in the terms' order; (k,) to (c,).

        Raises
        ------
        IndexError : a term is not below ``size``.
        """

class Forest:
    """`classifier.trees.Forest` for one row of inputs; the parameters are its attributes.

    Attributes
    ----------
    inputs : how many inputs it needs at least.
    outputs : how many outputs it has.

    Raises
    ------
    ValueError : the trees lead to nodes that are not there.
    """

    inputs: int
    outputs: int

    def __init__(
        self,
        features: NDArray[np.int32],
        thresholds: NDArray[np.float32],
        children: NDArray[np.int32],
        values: NDArray[np.float32],
        roots: NDArray[np.int32],
        depth: int,
    ) -> None: ...
    def predict(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs (t,) for inputs (p,).

        Raises
        ------
        IndexError : there are fewer inputs than the trees look at.
        """

class Scaler:
    """Standardises dense features and clips them to +-`classifier.model.DENSE_CLIP`; ``mean`` and ``scale`` (d,)."""

    def __init__(self, mean: NDArray[np.float64], scale: NDArray[np.float64]) -> None: ...

class Forward:
    """`classifier.model.Model` for one request; the parameters are attributes of its weights and calibration.

    Parameters
    ----------
    terms : `classifier.model.LinearWeights.terms` by bucket.
    reference : position of the reference tier.
    """

    def __init__(
        self,
        scaler: Scaler,
        terms: TermRows,
        dense: NDArray[np.float64],
        tasks: NDArray[np.float64],
        bias: NDArray[np.float64],
        quality_slopes: NDArray[np.float64],
        bends: NDArray[np.float64] | None,
        adequate_slopes: NDArray[np.float64] | None,
        reference: int,
    ) -> None: ...
    def grow(
        self,
        forest: Forest,
        share: NDArray[np.float64],
        projection: TermRows,
        shift: NDArray[np.float64],
        task_means: NDArray[np.float64],
    ) -> None:
        """Add a forest, as `classifier.model.TreeWeights` describes it.

        Raises
        ------
        ValueError : the forest or the projection do not fit the model.
        """

    def twin(self) -> Forward:
        """One with the same weights and working memory of its own, for another thread."""

    def outputs(
        self, terms: NDArray[np.uint32], word_terms: int, dense: NDArray[np.float64], task: int
    ) -> NDArray[np.float64]:
        """`classifier.model.Model.outputs`; (2t,). ``task`` is the row of the task label, -1 for the last.

        Raises
        ------
        IndexError : a term is not below the number of buckets.
        ValueError : the number of dense features, the word terms or the task do not fit the model.
        """

    def predict(
        self, terms: NDArray[np.uint32], word_terms: int, dense: NDArray[np.float64], task: int
    ) -> tuple[list[float], list[float], list[float]]:
        """Quality, P(adequate) and cost of each tier, as in `classifier.model.Prediction`; raises as `outputs`."""

    def predict_many(
        self,
        terms: NDArray[np.uint32],
        ends: NDArray[np.int64],
        words: NDArray[np.int64],
        dense: NDArray[np.float64],
        tasks: NDArray[np.int64],
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """`predict` for n requests, without the interpreter's lock: not for an object that other threads use.

        Parameters
        ----------
        terms, ends, words, dense : as `classifier.compiled._scan.Scanner.read_many` returns them.
        tasks : (n,), as ``task`` of `predict`.

        Returns
        -------
        Quality, P(adequate) and cost, each (n, t).

        Raises
        ------
        ValueError : the arrays differ in length, or do not fit the model.
        """

class Nearest:
    """Squared distance of some dense features, standardised, to the nearest of some centres.

    Parameters
    ----------
    varied : (v,) int32, the features that are looked at.
    scaler : standardises these.
    centres : (k, v) float64.
    """

    def __init__(self, varied: NDArray[np.int32], scaler: Scaler, centres: NDArray[np.float64]) -> None: ...
    def twin(self) -> Nearest:
        """Another one with the same centres, for another thread."""

    def distance(self, dense: NDArray[np.float64]) -> float:
        """The distance of (d,) features.

        Raises
        ------
        IndexError : there are fewer features than are looked at.
        """

    def distances(self, dense: NDArray[np.float64]) -> NDArray[np.float64]:
        """The distances of (n, d) features, (n,); raises as `distance`."""

class Forecaster:
    """`Forward`, `Vocabulary` and `Nearest` for one request, without arrays in between; for one thread at a time.

    Parameters
    ----------
    quantiles : (3, s), `classifier.novelty.NoveltyScale`'s levels, unknown and distance.
    terms, dense : `classifier.compiled._scan.Scanner.terms` and ``dense``, where the request's features will stand.

    Raises
    ------
    ValueError : the novelty scale does not fit the dense features.
    """

    def __init__(
        self,
        forward: Forward,
        known: Vocabulary,
        nearest: Nearest,
        quantiles: NDArray[np.float64],
        terms: NDArray[np.uint32],
        dense: NDArray[np.float64],
    ) -> None: ...
    def forecast(self, count: int, words: int, task: int) -> tuple[list[float], list[float], list[float], float]:
        """Each tier's quality, P(adequate) and cost, and the request's novelty.

        For a request with many terms it lets go of the interpreter's lock.

        Parameters
        ----------
        count, words : as `classifier.compiled._scan.Scanner.scan` returns them.
        task : row of the task's weights; -1: none.

        Raises
        ------
        ValueError, IndexError : the numbers do not fit the terms, or the features not the model.
        """
