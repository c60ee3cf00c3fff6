# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""`classifier.model` and `classifier.novelty` for one request, compiled; their numpy code is the definition.

Sums run in the definition's order where numpy's does not depend on the processor (terms, trees), and agree to 1e-12
where it does (products of matrices, exponentials).

The classes keep working memory: those that let go of the interpreter's lock are not for two threads at a time.
"""

from libc.math cimport exp, log, sqrt
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

import numpy as np

from classifier.features import CONTEXT_FROM
from classifier.model import DENSE_CLIP, LOGIT_LIMIT, LEAST_PROBABILITY

cdef double dense_clip = DENSE_CLIP
cdef double logit_limit = LOGIT_LIMIT
cdef double sure = LEAST_PROBABILITY
cdef uint32_t context_from = CONTEXT_FROM

cdef extern from *:
    """
    #ifdef _MSC_VER
    #define prefetch(address)
    #else
    #define prefetch(address) __builtin_prefetch(address)
    #endif
    """
    void prefetch(const void* address) nogil

cdef extern from "_wide.h":
    const int COLUMNS
    void multiply(
        const double* vector, const double* matrix, Py_ssize_t rows, Py_ssize_t columns, double* product
    ) noexcept nogil
    void add_rows(const float** rows, int count, int columns, double* total) noexcept nogil
    void standardise(
        const double* values, const double* mean, const double* scale, Py_ssize_t count, double limit, double* scaled
    ) noexcept nogil

cdef enum:
    TOGETHER = 32  # rows that memory is asked for at once
    UNLOCKED = 2000  # terms, above which letting other threads run meanwhile is worth what it costs
    TREES = 8  # of a forest that are walked together

cdef struct Node:
    float threshold
    int32_t feature
    int32_t child


cdef inline double _clip(double value, double low, double high) noexcept nogil:
    value = low if value < low else value
    return high if value > high else value


cdef inline double _sigmoid(double value) noexcept nogil:
    return 1.0 / (1.0 + exp(-_clip(value, -logit_limit, logit_limit)))


cdef inline double _logit(double probability) noexcept nogil:
    cdef double inside = _clip(probability, sure, 1.0 - sure)
    return log(inside / (1.0 - inside))


cdef double _interpolate(double at, const double* places, const double* values, Py_ssize_t count) noexcept nogil:
    """``numpy.interp``: linear between rising places, constant beyond."""
    cdef Py_ssize_t right = 0
    while right < count and places[right] <= at:
        right += 1
    if right == 0 or right == count:
        return values[right - (right == count)]
    return (values[right] - values[right - 1]) / (places[right] - places[right - 1]) * (
        at - places[right - 1]
    ) + values[right - 1]


def _padded(matrix):
    """A matrix with columns of zeros up to a multiple of `COLUMNS`."""
    padded = np.zeros((matrix.shape[0], -(-matrix.shape[1] // COLUMNS) * COLUMNS), matrix.dtype)
    padded[:, : matrix.shape[1]] = matrix
    return padded


cdef inline void _multiply(const double* vector, const double[:, ::1] matrix, double* product) noexcept nogil:
    multiply(vector, &matrix[0, 0], matrix.shape[0], matrix.shape[1], product)


cdef inline int _count_bits(uint64_t bits) noexcept nogil:
    bits -= bits >> 1 & 0x5555555555555555U
    bits = (bits & 0x3333333333333333U) + (bits >> 2 & 0x3333333333333333U)
    return ((bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0FU) * 0x0101010101010101U >> 56


cdef int _check_below(const uint32_t[::1] terms, Py_ssize_t size) except -1:
    for place in range(len(terms)):
        if terms[place] >= size:
            raise IndexError(f"term {terms[place]} is not below {size}")
    return 0


cdef class Vocabulary:
    """A sorted set of terms, small enough to stay near the processor: a bit for each, and how many come before."""

    cdef uint64_t[::1] bits
    cdef int32_t[::1] before
    cdef Py_ssize_t size

    def __init__(self, buckets, Py_ssize_t size):
        words, self.size = buckets >> 6, size
        bits = np.zeros(size // 64 + 1, np.uint64)
        np.bitwise_or.at(bits, words, np.uint64(1) << (buckets & 63).astype(np.uint64))
        counts = np.bincount(words, minlength=len(bits))
        self.bits, self.before = bits, (np.cumsum(counts) - counts).astype(np.int32)

    def count(self, const uint32_t[::1] terms not None, Py_ssize_t count):
        """See the stub."""
        cdef Py_ssize_t place, total = 0
        if not 0 <= count <= len(terms):
            raise IndexError(f"{count} of {len(terms)} terms")
        _check_below(terms[:count], self.size)
        for place in range(count):
            total += self._holds(terms[place])
        return total

    def shares(
        self, const uint32_t[::1] terms not None, const int64_t[::1] ends not None, const int64_t[::1] counts not None
    ):
        """See the stub."""
        cdef double[::1] found = np.zeros(len(counts))
        cdef Py_ssize_t row, place
        cdef int64_t known
        if len(ends) - 1 != len(counts):
            raise ValueError("the rows differ in length")
        for row in range(len(counts)):
            if not 0 <= ends[row] <= ends[row] + counts[row] <= len(terms):
                raise IndexError(f"row {row} has not as many terms")
            _check_below(terms[ends[row] : ends[row] + counts[row]], self.size)
        with nogil:
            for row in range(found.shape[0]):
                known = 0
                for place in range(ends[row], ends[row] + counts[row]):
                    known += self._holds(terms[place])
                if counts[row]:
                    found[row] = <double>known / counts[row]
        return np.asarray(found)

    cdef inline bint _holds(self, uint32_t term) noexcept nogil:
        return self.bits[term >> 6] >> (term & 63) & 1

    cdef inline int32_t _place(self, uint32_t term) noexcept nogil:
        """How many smaller terms there are."""
        return self.before[term >> 6] + _count_bits(self.bits[term >> 6] & (<uint64_t>1 << (term & 63)) - 1)


cdef class TermRows:
    """Rows of weights by term."""

    cdef Vocabulary vocabulary
    cdef const float[:, ::1] rows
    cdef readonly int columns
    cdef int width  # with what fills them up

    def __init__(self, buckets, rows, Py_ssize_t size):
        if len(buckets) != len(rows):
            raise ValueError("there are not as many terms as rows")
        self.vocabulary, self.rows, self.columns = Vocabulary(buckets, size), _padded(rows), rows.shape[1]
        self.width = self.rows.shape[1]

    def sum(self, const uint32_t[::1] terms not None):
        """See the stub."""
        total = np.zeros(self.width)
        cdef double[::1] view = total
        _check_below(terms, self.vocabulary.size)
        if len(terms):
            self.add(&terms[0], len(terms), &view[0])
        return total[: self.columns]

    cdef void add(self, const uint32_t* terms, Py_ssize_t count, double* total) noexcept nogil:
        """Add the rows, some at a time, so that memory is asked for all of them before the first is needed."""
        cdef const float* rows[TOGETHER]
        cdef int found, columns = self.width
        cdef Py_ssize_t start, place
        for start in range(0, count, 32):
            found = 0
            for place in range(start, min(count, start + TOGETHER)):
                if self.vocabulary._holds(terms[place]):
                    rows[found] = &self.rows[0, 0] + columns * <Py_ssize_t>self.vocabulary._place(terms[place])
                    prefetch(rows[found])
                    prefetch(rows[found] + columns - 1)
                    found += 1
            add_rows(rows, found, columns, total)


cdef class Forest:
    """`classifier.trees.Forest.predict`; a block of trees at a time, so that their steps need not wait for one another."""

    cdef const Node[::1] nodes
    cdef const float[:, ::1] values
    cdef const int32_t[::1] roots
    cdef readonly int inputs, outputs
    cdef int depth

    def __init__(self, features, thresholds, children, values, roots, int depth):
        nodes = np.empty(len(features), [("threshold", np.float32), ("feature", np.int32), ("child", np.int32)])
        nodes["threshold"], nodes["feature"], nodes["child"] = thresholds, features, children
        if len(roots) and not (
            min(roots.min(), children.min()) >= 0
            and max(roots.max(), children.max() + 1) < len(nodes) <= len(values)
        ):
            raise ValueError("the trees lead to nodes that are not there")
        self.nodes, self.values, self.roots, self.depth = nodes, values, roots, depth
        self.inputs, self.outputs = features.max(initial=-1) + 1, values.shape[1]

    def predict(self, const float[::1] inputs not None):
        """See the stub."""
        if len(inputs) < self.inputs:
            raise IndexError(f"{len(inputs)} inputs where the trees look at {self.inputs}")
        total = np.zeros(self.outputs)
        cdef double[::1] view = total
        if len(self.roots):
            self.add(&inputs[0], 0, &view[0], 0, 1)
        return total

    cdef void add(
        self, const float* inputs, Py_ssize_t width, double* total, Py_ssize_t step, Py_ssize_t rows
    ) noexcept nogil:
        """Add to the totals of some rows, which lie ``step`` apart; the rows' inputs lie ``width`` apart."""
        cdef Py_ssize_t start, row, count = self.roots.shape[0]
        for start in range(0, count - count % TREES, 8):
            for row in range(rows):
                self._add_trees(start, TREES, inputs + row * width, total + row * step)
        for row in range(rows):
            self._add_trees(count - count % TREES, count % TREES, inputs + row * width, total + row * step)

    cdef inline void _add_trees(self, Py_ssize_t first, int trees, const float* inputs, double* total) noexcept nogil:
        cdef int32_t at[TREES]
        cdef int tree, level, output
        cdef const Node* node
        for tree in range(trees):
            at[tree] = self.roots[first + tree]
        for level in range(self.depth):
            for tree in range(trees):
                node = &self.nodes[at[tree]]
                at[tree] = node.child + (inputs[node.feature] > node.threshold)
        for tree in range(trees):
            for output in range(self.outputs):
                total[output] += self.values[at[tree], output]


cdef class Scaler:
    """Standardises dense features and clips them."""

    cdef const double[::1] mean, scale
    cdef double[::1] scaled

    def __init__(self, mean, scale):
        self.mean, self.scale, self.scaled = mean, scale, np.empty(len(mean))

    cdef const double* write(self, const double* dense) noexcept nogil:
        standardise(dense, &self.mean[0], &self.scale[0], self.mean.shape[0], dense_clip, &self.scaled[0])
        return &self.scaled[0]


cdef class Forward:
    """`classifier.model.Model.predict` from features."""

    cdef Scaler scaler
    cdef TermRows terms, projection
    cdef Forest forest
    cdef const double[:, ::1] dense, tasks, share, task_means, quality_slopes, adequate_slopes
    cdef const double[:, :, ::1] bends
    cdef const double[::1] bias, shift
    cdef int tiers, reference, projected
    cdef double[::1] words, grams, context, placed, total, forests
    cdef double[:, ::1] expected
    cdef bint grown, adequacy, bent
    cdef float[::1] inputs

    def __init__(
        self, Scaler scaler, TermRows terms, dense, tasks, bias, quality_slopes, bends, adequate_slopes, reference
    ):
        if len(dense) != len(scaler.mean):
            raise ValueError("the weights of the dense features do not fit the scaler")
        self.scaler, self.terms, self.dense, self.tasks, self.bias = scaler, terms, _padded(dense), tasks, bias
        self.quality_slopes, self.adequate_slopes, self.reference = quality_slopes, adequate_slopes, reference
        self.bends, self.bent = bends, bends is not None
        self.adequacy = adequate_slopes is not None
        self.tiers = len(bias) // 2
        if self.bent and (self.bends.shape[0] != self.tiers or self.bends.shape[1] != 2 or not self.bends.shape[2]):
            raise ValueError("the bends do not fit the tiers")
        self.expected = np.empty((3, self.tiers))
        self.words, self.grams, self.context = np.empty(terms.width), np.empty(terms.width), np.empty(terms.width)
        self.total = np.empty(self.dense.shape[1])

    def grow(self, Forest forest, share, TermRows projection, shift, task_means):
        """Add a forest, as `classifier.model.TreeWeights` describes it."""
        self.projected = len(shift)
        if len(self.dense) + self.projected + self.tiers < forest.inputs or projection.columns != self.projected:
            raise ValueError("the forest and the projection do not fit the model")
        self.forest, self.share, self.projection = forest, share, projection
        self.shift, self.task_means = shift, task_means
        self.placed, self.forests = np.empty(projection.width), np.empty(self.tiers)
        self.grown = True
        self.inputs = np.empty(len(self.dense) + self.projected + self.tiers, np.float32)

    def twin(self):
        """See the stub."""
        twin = Forward(
            Scaler(np.asarray(self.scaler.mean), np.asarray(self.scaler.scale)),
            self.terms,
            np.asarray(self.dense)[:, : 2 * self.tiers],
            self.tasks,
            self.bias,
            self.quality_slopes,
            self.bends if self.bent else None,
            self.adequate_slopes,
            self.reference,
        )
        if self.grown:
            twin.grow(self.forest, self.share, self.projection, self.shift, self.task_means)
        return twin

    def outputs(self, const uint32_t[::1] terms not None, int word_terms, const double[::1] dense not None, int task):
        """See the stub."""
        self._check(terms, word_terms, dense.shape[0], task)
        self._predict_one(&terms[0] if len(terms) else NULL, word_terms, len(terms) - word_terms, &dense[0], task)
        return np.array(self.total[: 2 * self.tiers])

    def predict(self, const uint32_t[::1] terms not None, int word_terms, const double[::1] dense not None, int task):
        """See the stub."""
        cdef int tier
        self._check(terms, word_terms, dense.shape[0], task)
        self._predict_one(&terms[0] if len(terms) else NULL, word_terms, len(terms) - word_terms, &dense[0], task)
        self._calibrate_one()
        return (
            [self.expected[0, tier] for tier in range(self.tiers)],
            [self.expected[1, tier] for tier in range(self.tiers)],
            [self.expected[2, tier] for tier in range(self.tiers)],
        )

    cdef void _predict_one(
        self, const uint32_t* terms, Py_ssize_t words, Py_ssize_t grams, const double* dense, Py_ssize_t task
    ) noexcept nogil:
        self._add_up(terms, words, grams, dense, task, &self.total[0], self._inputs())
        if self.grown:
            self.forests[:] = 0.0
            self.forest.add(self._inputs(), 0, &self.forests[0], 0, 1)
            self._blend(&self.total[0], &self.forests[0])

    cdef void _calibrate_one(self) noexcept nogil:
        self._calibrate(&self.total[0], &self.expected[0, 0], &self.expected[1, 0], &self.expected[2, 0])

    cdef float* _inputs(self) noexcept nogil:
        return &self.inputs[0] if self.grown else NULL

    def predict_many(
        self, const uint32_t[::1] terms not None, const int64_t[::1] ends not None, const int64_t[::1] words not None,
        const double[:, ::1] dense not None, const int64_t[::1] tasks not None,
    ):
        """See the stub."""
        cdef Py_ssize_t row, rows = len(words), width = len(self.inputs) if self.grown else 0
        cdef double[:, ::1] quality = np.empty((rows, self.tiers)), adequate = np.empty((rows, self.tiers))
        cdef double[:, ::1] cost = np.empty((rows, self.tiers)), forests = np.zeros((rows, self.tiers))
        cdef double[:, ::1] totals = np.empty((rows, len(self.total)))
        cdef float[:, ::1] inputs = np.empty((rows, width), np.float32)
        cdef const uint32_t* first = &terms[0] if len(terms) else NULL
        if not len(ends) - 1 == rows == len(dense) == len(tasks) or ends[rows] > len(terms) or ends[0] < 0:
            raise ValueError("the rows differ in length")
        self._check(terms, 0, dense.shape[1], -1)
        for row in range(rows):
            if not 0 <= words[row] <= ends[row + 1] - ends[row]:
                raise ValueError(f"row {row} does not fit the model")
            self._check(terms[ends[row] : ends[row]+ words[row]], words[row], dense.shape[1], tasks[row])
        with nogil:
            for row in range(rows):
                self._add_up(
                    first + ends[row], words[row], ends[row + 1] - ends[row] - words[row], &dense[row, 0], tasks[row],
                    &totals[row, 0], &inputs[row, 0],
                )
            if self.grown and rows:
                self.forest.add(&inputs[0, 0], width, &forests[0, 0], self.tiers, rows)
            for row in range(rows):
                if self.grown:
                    self._blend(&totals[row, 0], &forests[row, 0])
                self._calibrate(&totals[row, 0], &quality[row, 0], &adequate[row, 0], &cost[row, 0])
        return np.asarray(quality), np.asarray(adequate), np.asarray(cost)

    cdef int _check(self, const uint32_t[::1] terms, Py_ssize_t word_terms, Py_ssize_t dense, Py_ssize_t task) except -1:
        _check_below(terms, self.terms.vocabulary.size)
        if not 0 <= word_terms <= len(terms) or not -1 <= task < len(self.tasks):
            raise ValueError("the word terms or the task do not fit the model")
        if dense != len(self.dense):
            raise ValueError(f"{dense} dense features where {len(self.dense)} are expected")
        if self.forest is not None:
            _check_below(terms[:word_terms], self.projection.vocabulary.size)
        return 0

    cdef void _add_up(
        self, const uint32_t* terms, Py_ssize_t words, Py_ssize_t grams, const double* dense, Py_ssize_t task,
        double* total, float* inputs,
    ) noexcept nogil:
        """What the linear model says before calibration, and the forest's inputs where there is one.

        ``grams``: how many terms follow those of words, of byte n-grams and of the context.
        """
        cdef int output
        cdef const double* scaled = self.scaler.write(dense)
        cdef double word_length = self._unit_sum(terms, words, &self.words[0])
        cdef Py_ssize_t others = grams
        while grams and terms[words + grams - 1] >= context_from:
            grams -= 1
        self._unit_sum(terms + words, grams, &self.grams[0])
        self._unit_sum(terms + words + grams, others - grams, &self.context[0])
        task = task if task >= 0 else self.tasks.shape[0] - 1
        _multiply(scaled, self.dense, total)
        for output in range(2 * self.tiers):
            total[output] += (
                self.words[output] + self.grams[output] + self.context[output]
                + self.tasks[task, output] + self.bias[output]
            )
        if self.grown:
            self._place(terms, words, word_length, scaled, task, inputs)

    cdef double _unit_sum(self, const uint32_t* terms, Py_ssize_t count, double* total) noexcept nogil:
        """Sum of term rows, scaled to what it would be were the terms' idf vector of unit length; returns its length."""
        cdef int column, last = self.terms.columns - 1
        cdef double length
        for column in range(self.terms.width):
            total[column] = 0.0
        self.terms.add(terms, count, total)
        length = sqrt(total[last])
        length = length if length > 0.0 else 1.0
        for column in range(last):
            total[column] /= length
        return length

    cdef void _place(
        self, const uint32_t* terms, Py_ssize_t words, double word_length, const double* scaled, Py_ssize_t task,
        float* inputs,
    ) noexcept nogil:
        """Write the forest's inputs."""
        cdef int each, known = self.scaler.mean.shape[0]
        self.placed[:] = 0.0
        self.projection.add(terms, words, &self.placed[0])
        for each in range(known):
            inputs[each] = <float>scaled[each]
        for each in range(self.projected):
            inputs[known + each] = <float>(self.placed[each] / word_length - self.shift[each])
        for each in range(self.tiers):
            inputs[known + self.projected + each] = <float>self.task_means[task, each]

    cdef void _blend(self, double* total, double* forests) noexcept nogil:
        """Make the quality logits those of a share of the linear model's expectations plus the forest's."""
        cdef int each, other
        for each in range(self.tiers):
            total[each] = _sigmoid(total[each])
        for each in range(self.tiers):
            for other in range(self.tiers):
                forests[each] += total[other] * self.share[other, each]
        for each in range(self.tiers):
            total[each] = _logit(forests[each])

    cdef void _calibrate(self, const double* total, double* quality, double* adequate, double* cost) noexcept nogil:
        """Quality, P(adequate) and cost of each tier from what the model says."""
        cdef int tier
        cdef double right, line
        for tier in range(self.tiers):
            line = self.quality_slopes[tier, 0] * total[tier] + self.quality_slopes[tier, 1]
            if self.bent:
                line += _interpolate(line, &self.bends[tier, 0, 0], &self.bends[tier, 1, 0], self.bends.shape[2])
            quality[tier] = _sigmoid(line)
            adequate[tier] = quality[tier]
            cost[tier] = exp(min(total[self.tiers + tier], logit_limit))
        if not self.adequacy:
            return
        right = quality[self.reference]
        for tier in range(self.tiers):
            adequate[tier] = _sigmoid(
                self.adequate_slopes[tier, 0] * -_logit(right * (1.0 - quality[tier])) + self.adequate_slopes[tier, 1]
            )
        adequate[self.reference] = 1.0


cdef class Nearest:
    """Squared distance of some dense features, standardised, to the nearest of some centres."""

    cdef const int32_t[::1] varied
    cdef Scaler scaler
    cdef const double[:, ::1] columns  # the centres, transposed
    cdef const double[::1] squares
    cdef double[::1] picked, products
    cdef int features

    def __init__(self, varied, Scaler scaler, centres):
        self.varied, self.scaler, self.columns = varied, scaler, _padded(centres.T)
        self.squares, self.products = (centres**2).sum(axis=1), np.empty(self.columns.shape[1])
        self.picked, self.features = np.empty(len(varied)), varied.max(initial=-1) + 1

    def twin(self):
        """See the stub."""
        scaler = Scaler(np.asarray(self.scaler.mean), np.asarray(self.scaler.scale))
        return Nearest(np.asarray(self.varied), scaler, np.asarray(self.columns)[:, : len(self.squares)].T)

    def distance(self, const double[::1] dense not None):
        """See the stub."""
        if dense.shape[0] < self.features:
            raise IndexError(f"{len(dense)} dense features where {self.features} are looked at")
        return self._distance(&dense[0])

    def distances(self, const double[:, ::1] dense not None):
        """See the stub."""
        cdef double[::1] found = np.empty(len(dense))
        cdef Py_ssize_t row
        if dense.shape[1] < self.features:
            raise IndexError(f"{dense.shape[1]} dense features where {self.features} are looked at")
        for row in range(len(dense)):
            found[row] = self._distance(&dense[row, 0])
        return np.asarray(found)

    cdef double _distance(self, const double* dense) noexcept nogil:
        cdef int each, centre
        cdef double own = 0.0, nearest
        cdef const double* scaled
        for each in range(self.varied.shape[0]):
            self.picked[each] = dense[self.varied[each]]
        scaled = self.scaler.write(&self.picked[0])
        for each in range(self.varied.shape[0]):
            own += scaled[each] * scaled[each]
        _multiply(scaled, self.columns, &self.products[0])
        nearest = self.squares[0] - 2.0 * self.products[0]
        for centre in range(1, <int>self.squares.shape[0]):
            nearest = min(nearest, self.squares[centre] - 2.0 * self.products[centre])
        return nearest + own


cdef class Forecaster:
    """All that is expected of one request, from terms and numbers that stand in memory shared with a scanner."""

    cdef Forward forward
    cdef Vocabulary known
    cdef Nearest nearest
    cdef const double[:, ::1] quantiles
    cdef const uint32_t[::1] terms
    cdef const double[::1] dense
    cdef double distance

    def __init__(self, Forward forward, Vocabulary known, Nearest nearest, quantiles, terms, dense):
        if len(dense) < nearest.features or len(quantiles) != 3:
            raise ValueError("the novelty scale does not fit the dense features")
        self.forward, self.known, self.nearest, self.terms, self.dense = forward, known, nearest, terms, dense
        self.quantiles = quantiles

    def forecast(self, Py_ssize_t count, Py_ssize_t words, Py_ssize_t task):
        """See the stub."""
        cdef int tier, tiers = self.forward.tiers
        cdef double[:, ::1] expected = self.forward.expected
        if not 0 <= words <= count <= len(self.terms):
            raise ValueError(f"{count} terms, {words} of them of words")
        known = self.known.count(self.terms[:count], words) if words else 0
        self.forward._check(self.terms[:count], words, self.dense.shape[0], task)
        if count > UNLOCKED:
            with nogil:
                self._forecast(count, words, task)
        else:
            self._forecast(count, words, task)
        return (
            [expected[0, tier] for tier in range(tiers)],
            [expected[1, tier] for tier in range(tiers)],
            [expected[2, tier] for tier in range(tiers)],
            self._novelty(1.0 - <double>known / words if words else 0.0),
        )

    cdef double _novelty(self, double unknown) noexcept nogil:
        """`classifier.novelty.Novelty.level`."""
        return max(0.0, 1.0 - 2.0 * (1.0 - max(self._level(1, unknown), self._level(2, self.distance))))

    cdef double _level(self, int measure, double value) noexcept nogil:
        cdef Py_ssize_t low = 0, high = self.quantiles.shape[1], middle
        while low < high:
            middle = (low + high) // 2
            if self.quantiles[measure, middle] < value:
                low = middle + 1
            else:
                high = middle
        return self.quantiles[0, low - 1] if low else 0.0

    cdef void _forecast(self, Py_ssize_t count, Py_ssize_t words, Py_ssize_t task) noexcept nogil:
        self.forward._predict_one(&self.terms[0], words, count - words, &self.dense[0], task)
        self.forward._calibrate_one()
        self.distance = self.nearest._distance(&self.dense[0])
