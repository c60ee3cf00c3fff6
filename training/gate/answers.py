"""The answers of a table as rows to learn from: what `classifier.gates.evidence` says of each by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import sparse

from classifier.catalog import normalise_label
from classifier.gates.agreement import Claim, claim
from classifier.gates.answer import Answer
from classifier.gates.evidence import answer_numbers, expected_numbers, fill_unknown
from classifier.gates.thinking import visible_text
from classifier.keywords import KeywordGroups
from classifier.request import Request
from training.learners.matrix import FeatureMatrix, build_matrix
from training.prepare.data import RoutingData
from training.progress import Progress

_CHUNK = 200
_MOST_OTHERS = 3  # a second opinion is asked of a cheap tier, and every one makes a copy of the rows


@dataclass(frozen=True, slots=True)
class Answers:
    """m answers to some of n requests.

    Attributes
    ----------
    rows : (m,) place of the request in the data.
    places : (m,) place of the tier that answered; never the reference's.
    matrix : the answers' terms; dense are the numbers of the answer by itself, tasks the tiers' labels.
    agreed : (m, t) 1 where that tier's answer to the same request says the same, 0 where not, NaN where not known.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    matrix: FeatureMatrix
    agreed: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tiers(self) -> tuple[int, ...]:
        """Places of the tiers that have answers."""
        return tuple(np.unique(self.places).tolist())

    def part(self, which: NDArray[np.int64]) -> Answers:
        """Some of the answers."""
        return Answers(self.rows[which], self.places[which], self.matrix.rows(which), self.agreed[which])

    def of(self, rows: NDArray[np.int64]) -> Answers:
        """The answers to some of the requests."""
        return self.part(np.flatnonzero(np.isin(self.rows, rows)))

    def alone(self) -> Answers:
        """The same answers, with nothing known of other tiers' answers."""
        return Answers(self.rows, self.places, self.matrix, np.full_like(self.agreed, np.nan))

    def with_others(self) -> Answers:
        """Every answer alone, then beside the answer of each of the three cheapest tiers, knowing only that one."""
        copies = [self.alone()]
        for tier in self.tiers[:_MOST_OTHERS]:
            known = np.flatnonzero(~np.isnan(self.agreed[:, tier]))
            if len(known):
                copy = self.part(known).alone()
                copy.agreed[:, tier] = self.agreed[known, tier]
                copies.append(copy)
        return joined(copies)

    def evidence(self, expected: NDArray[np.float64], reference: int) -> FeatureMatrix:
        """All that a gate sees of each answer; NaN where not known.

        Parameters
        ----------
        expected : (n, t) qualities that the router expects of the data's requests; of rows that it was fitted on,
            cross-fitted ones.
        """
        own, other = expected[self.rows, self.places], expected[self.rows, reference]
        dense = np.hstack([self.matrix.dense, expected_numbers(own, other), self.agreed])
        return FeatureMatrix(self.matrix.terms, dense, self.matrix.tasks, self.matrix.tokens)


def filled(matrix: FeatureMatrix, means: NDArray[np.float64]) -> FeatureMatrix:
    """The matrix with the means (d,) for what is not known."""
    return FeatureMatrix(matrix.terms, fill_unknown(matrix.dense, means), matrix.tasks, matrix.tokens)


def known_means(matrix: FeatureMatrix) -> NDArray[np.float64]:
    """(d,): mean of what is known of each dense feature; 0 where nothing is."""
    known = ~np.isnan(matrix.dense)
    total: NDArray[np.float64] = np.where(known, matrix.dense, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return total


def joined(parts: Sequence[Answers]) -> Answers:
    """Answers one part after another."""
    matrices = [part.matrix for part in parts]
    return Answers(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.places for part in parts]),
        FeatureMatrix(
            sparse.vstack([matrix.terms for matrix in matrices], format="csr"),
            np.vstack([matrix.dense for matrix in matrices]),
            tuple(task for matrix in matrices for task in matrix.tasks),
            np.concatenate([matrix.tokens for matrix in matrices]),
        ),
        np.vstack([part.agreed for part in parts]),
    )


def read_answers(
    data: RoutingData, keywords: KeywordGroups, *, jobs: int = 1, progress: Progress | None = None
) -> Answers | None:
    """The answers of all tiers but the reference; None where the tables have none.

    Parameters
    ----------
    progress : called with answers read and answers in all.
    """
    given = list(table_answers(data))
    if not given:
        return None
    rows, places, answers = zip(*given, strict=True)
    numbers: list[NDArray[np.float64]] = []
    claims: list[Claim | None] = []
    chunks = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_read)(answers[start : start + _CHUNK]) for start in range(0, len(answers), _CHUNK)
    )
    for found, said in chunks:
        numbers += found
        claims += said
        if progress is not None:
            progress(len(claims), len(answers))
    text = build_matrix([Request(answer.text) for answer in answers], keywords, "estimate", jobs=jobs)
    labels = tuple(normalise_label(data.names[place]) for place in places)
    return Answers(
        np.array(rows, np.int64),
        np.array(places, np.int64),
        FeatureMatrix(text.terms, np.stack(numbers), labels, text.tokens),
        _agreed(rows, places, claims, len(data.tiers)),
    )


def table_answers(data: RoutingData) -> list[tuple[int, int, Answer]]:
    """Row, place of the tier, and answer, for every answer of a tier that is not the reference."""
    found = []
    counts = data.table.tokens_out
    for row, responses in enumerate(data.table.responses or ()):
        for place, name in enumerate(data.spelt):
            if place == data.reference or name not in responses:
                continue
            tokens = counts[row, data.table.tiers.index(name)]
            found.append(
                (row, place, make_answer(responses[name], data.names[place], data.table.requests[row], tokens))
            )
    return found


def make_answer(text: str, tier: str, request: Request, tokens_out: float = float("nan")) -> Answer:
    """An answer of which a table knows the text, and perhaps its tokens."""
    return Answer(
        text=visible_text(text),
        tier=tier,
        model="",
        finish_reason=None,
        tool_calls=(),
        refusal=None,
        token_logprobs=None,
        tokens_in=None,
        tokens_out=None if np.isnan(tokens_out) else int(tokens_out),
        request=request,
        arguments={},
    )


def _read(answers: Sequence[Answer]) -> tuple[list[NDArray[np.float64]], list[Claim | None]]:
    return [answer_numbers(answer) for answer in answers], [claim(answer) for answer in answers]


def _agreed(
    rows: Sequence[int], places: Sequence[int], claims: Sequence[Claim | None], tiers: int
) -> NDArray[np.float64]:
    said: dict[int, dict[int, Claim | None]] = defaultdict(dict)
    for row, place, each in zip(rows, places, claims, strict=True):
        said[row][place] = each
    agreed = np.full((len(rows), tiers), np.nan)
    for number, (row, place, own) in enumerate(zip(rows, places, claims, strict=True)):
        if own is not None:
            for other, theirs in said[row].items():
                if other != place:
                    agreed[number, other] = float(theirs == own)
    return agreed
