"""Cells of numbers: scores, costs, counts. What odd ones mean is decided when all of a file have been seen.

A cell is kept as the number that it is, or, where it is written in another way, as it stands. Then the file's decimal
mark is judged by all its numbers, and the scale of its scores by all its scores.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.tables.numbers import PLAIN, THOUSANDS, Mark, NumberText, decimal_mark, written
from training.tables.problems import Source, UnsureError, is_few, shown
from training.tables.rows import JoinedRows, SourceColumns
from training.tables.scales import UNIT, ScoreScale, UnsureScale, judge_scale
from training.tables.words import ABSENT, folded_word, understood_words, word_scores

_SHOWN_WORDS = 5
_SHOWN_CHARS = 20
_LEAST_OF_TIER = 5
_FEW = 2
_AMOUNT = "a number of at least 0 (a plain number with a decimal point)"
_COMMAS = "numbers have decimal commas"

# What a cell holds.
_IS_PLAIN, _IS_SHARE, _IS_WORD, _IS_BAD = range(4)


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that cannot be used, and why. ``row`` : of the table that is made."""

    row: int
    source: Source
    column: str
    found: str
    expected: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What cells came to.

    Attributes
    ----------
    rows, tiers, values : (n,) of the cells that hold something; NaN: an answer that was not scored.
    bad : cells that cannot be used. understood : sentences about what others were taken for.
    scale : of scores that are plain numbers; None: there are none.
    """

    rows: NDArray[np.int32]
    tiers: NDArray[np.int32]
    values: NDArray[np.float64]
    bad: list[BadCell]
    understood: tuple[str, ...] = ()
    scale: ScoreScale | None = None


class NumberCells:
    """Cells of one measure in one file, in order of arrival; those that hold nothing are not kept."""

    def __init__(self) -> None:
        self.rows, self.tiers, self.values = array("i"), array("i"), array("d")
        self.sources: JoinedRows[Source] = JoinedRows()
        self.columns: dict[int, str] = {}
        self.odd: dict[int, Any] = {}
        self.has_points = False
        self._has_text = False

    def __len__(self) -> int:
        return len(self.values)

    def put(self, row: int, tier: int, source: Source, cell: Any) -> bool:
        """Keep a cell; False where it holds nothing. ``columns`` has to know the tier's column."""
        kind = type(cell)
        value = math.nan
        if kind is str:
            self._has_text = True
            text = cell.strip()
            if PLAIN.fullmatch(text) and not THOUSANDS.fullmatch(text):
                self.has_points = self.has_points or "." in text
                value = float(text)
            elif text.casefold() in ABSENT:
                return False
        elif kind is float or kind is int or kind is Decimal:
            value = _float(cell)
            if math.isnan(value):
                return False
        elif cell is None:
            return False
        if not math.isfinite(value):
            self.odd[len(self.values)] = cell
        self.rows.append(row)
        self.tiers.append(tier)
        self.values.append(value)
        self.sources.append(source)
        return True

    def put_many(
        self,
        rows: NDArray[np.int64],
        tier: int,
        sources: SourceColumns,
        places: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> None:
        """Keep many plain numbers of a tier, finite, as text had them; ``places`` : of the rows among the sources."""
        self._has_text = True
        self.rows.frombytes(rows.astype(np.int32).tobytes())
        self.tiers.frombytes(np.full(len(rows), tier, np.int32).tobytes())
        self.values.frombytes(values.astype(np.float64).tobytes())
        whole = len(places) == len(sources)
        taken = sources if whole else SourceColumns(sources.file, sources.numbers[places], sources.lines[places])
        self.sources.extend(taken)

    def shown(self, place: int) -> str:
        """A cell for a message."""
        if place in self.odd:
            return shown(self.odd[place])
        value = self.values[place]
        return repr(f"{value:g}") if self._has_text else repr(value)

    def texts(self) -> Iterator[NumberText]:
        """The numbers among the odd cells."""
        for cell in self.odd.values():
            number = written(cell) if isinstance(cell, str) else None
            if number is not None:
                yield number

    def settled(
        self,
        values: NDArray[np.float64],
        bad: Mapping[int, tuple[str, str]],
        understood: Sequence[str],
        scale: ScoreScale | None,
    ) -> Settled:
        """What they came to, without those that are bad: place -> what was found, what is expected."""
        rows, tiers = np.array(self.rows, np.int32), np.array(self.tiers, np.int32)
        good = np.ones(len(values), bool)
        good[list(bad)] = False
        return Settled(
            rows=rows[good] if bad else rows,
            tiers=tiers[good] if bad else tiers,
            values=values[good] if bad else values,
            bad=[
                BadCell(self.rows[place], self.sources[place], self.columns[self.tiers[place]], *why)
                for place, why in sorted(bad.items())
            ],
            understood=tuple(understood),
            scale=scale,
        )


def file_mark(file: str, measures: Sequence[NumberCells], wanted: Mark | None) -> Mark:
    """The decimal mark of a file's numbers.

    Raises
    ------
    UnsureError : they can be read with both.
    """
    odd = [number for measure in measures for number in measure.texts()]
    mark = wanted or decimal_mark(odd, points=any(measure.has_points for measure in measures))
    if mark is None:
        example = next((number.text for number in odd if "," in number.text), odd[0].text)
        raise UnsureError(
            f"{file}: found numbers such as {example[:_SHOWN_CHARS]!r}, expected to know whether a comma stands before "
            "decimals or between thousands; write them with a decimal point, or say which mark is the decimal one",
            "decimal",
            Mark.COMMA,
        )
    return mark


def settle_amounts(cells: NumberCells, mark: Mark) -> Settled:
    """Costs or counts: finite numbers of at least 0."""
    values = np.array(cells.values, np.float64)
    bad: dict[int, tuple[str, str]] = {}
    for place, cell in cells.odd.items():
        number = written(cell) if isinstance(cell, str) else None
        if number is None or number.of is not None:
            bad[place] = shown(cell), _AMOUNT
        else:
            values[place] = number.value(mark)
    for place in np.flatnonzero(values < 0).tolist():
        bad[place] = cells.shown(place), _AMOUNT
    return cells.settled(values, bad, [_COMMAS] if _has_commas(cells, mark) else [], None)


def settle_scores(file: str, cells: NumberCells, mark: Mark, wanted: ScoreScale | None) -> Settled:
    """Scores, brought to 0..1.

    Parameters
    ----------
    wanted : the scale that the user names; None: it is judged.

    Raises
    ------
    UnsureError : the scale is not certain, or more than a few cells hold words that are not known.
    """
    values, kinds = _read_odd(cells, mark)
    meaning = _meaning(cells, kinds, wanted)
    bad: dict[int, tuple[str, str]] = {}
    for place in np.flatnonzero(kinds == _IS_WORD).tolist():
        word = _word(cells.odd[place])
        if word in meaning:
            values[place] = meaning[word]
        else:
            kinds[place] = _IS_BAD
    _refuse_unknown(file, cells, kinds)
    scale = _scale_of(file, cells, values, kinds, wanted)
    expected = _expected(scale or UNIT)
    bad |= {place: (shown(cells.odd[place]), expected) for place in np.flatnonzero(kinds == _IS_BAD).tolist()}
    plain = kinds == _IS_PLAIN
    if scale is not None:
        values[plain] = scale.unit(values[plain])
    outside = (plain & np.isnan(values)) | ((kinds == _IS_SHARE) & ~((values >= 0) & (values <= 1)))
    bad |= {place: (cells.shown(place), expected) for place in np.flatnonzero(outside).tolist()}
    return cells.settled(values, bad, list(_understood(kinds, meaning, scale, mark, cells)), scale)


def _read_odd(cells: NumberCells, mark: Mark) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Values of all cells, NaN for words, and what each holds."""
    values = np.array(cells.values, np.float64)
    kinds = np.full(len(values), _IS_PLAIN, np.int8)
    for place, cell in cells.odd.items():
        number = written(cell) if isinstance(cell, str) else None
        if number is not None:
            values[place] = number.value(mark) / (number.of or 1.0)
            kinds[place] = _IS_SHARE if number.of else _IS_PLAIN
        elif isinstance(cell, (str, bool)):
            kinds[place] = _IS_WORD
        else:
            kinds[place] = _IS_BAD
    return values, kinds


def _meaning(cells: NumberCells, kinds: NDArray[np.int8], wanted: ScoreScale | None) -> dict[str, float]:
    words = {_word(cells.odd[place]) for place in np.flatnonzero(kinds == _IS_WORD).tolist()}
    named = dict(wanted.words) if wanted is not None else {}
    return {word: score for word, score in (word_scores(words) | named).items() if word in words}


def _refuse_unknown(file: str, cells: NumberCells, kinds: NDArray[np.int8]) -> None:
    unknown = Counter(
        _word(cells.odd[place])
        for place in np.flatnonzero(kinds == _IS_BAD).tolist()
        if isinstance(cells.odd[place], str) and written(cells.odd[place]) is None
    )
    if is_few(sum(unknown.values()), len(kinds)) and 2 * sum(unknown.values()) <= len(kinds):
        return
    common = [word[:_SHOWN_CHARS] for word, _ in unknown.most_common(_SHOWN_WORDS)]
    raise UnsureError(
        f"{file}: {_column_names(cells)}: found {', '.join(map(repr, common))} in {sum(unknown.values()):,} of "
        f"{len(kinds):,} cells, expected numbers, or words such as pass and fail; say what each word is worth",
        "scale",
        ",".join(f"{word}={'1' if place == 0 else '0'}" for place, word in enumerate(common[:2])),
    )


def _scale_of(
    file: str, cells: NumberCells, values: NDArray[np.float64], kinds: NDArray[np.int8], wanted: ScoreScale | None
) -> ScoreScale | None:
    """The scale of the plain numbers; None: there are none."""
    plain = kinds == _IS_PLAIN
    if not plain.any():
        return None
    if wanted is not None:
        return wanted
    found = _judged_by_column(cells, values, plain)
    others = int(np.count_nonzero((kinds == _IS_SHARE) | (kinds == _IS_WORD)))
    if isinstance(found, ScoreScale) and (found.is_unit or not others):
        # A bare 1 among percentages may be all or a hundredth.
        shares = int(np.count_nonzero(kinds == _IS_SHARE))
        mixed = shares and np.any(values[plain] > 0)
        if not mixed or min(shares, int(plain.sum())) <= _FEW:
            return found
        found = UnsureScale("percentages beside plain numbers", ScoreScale(0.0, 100.0))
    elif isinstance(found, ScoreScale):
        found = UnsureScale(f"words or percentages beside numbers on {found}", found)
    raise UnsureError(
        f"{file}: {_column_names(cells)}: found {found.found}, expected scores on a scale that is certain; say which "
        "scale it is",
        "scale",
        str(found.likely),
    )


def _judged_by_column(
    cells: NumberCells, values: NDArray[np.float64], plain: NDArray[np.bool_]
) -> ScoreScale | UnsureScale:
    """The scale of all numbers, where no tier's own numbers are certainly on another."""
    found = judge_scale(values[plain])
    if isinstance(found, UnsureScale) or found.is_unit:
        return found
    tiers = np.array(cells.tiers, np.int32)
    for tier in np.unique(tiers[plain]).tolist():
        own_values = values[plain & (tiers == tier)]
        own = judge_scale(own_values)
        if isinstance(own, ScoreScale) and own != found and len(own_values) >= _LEAST_OF_TIER and own_values.any():
            where = cells.columns[tier]
            return UnsureScale(f"numbers on {own} in some rows or columns ({where}), and on {found} in others", found)
    return found


def _understood(
    kinds: NDArray[np.int8], meaning: Mapping[str, float], scale: ScoreScale | None, mark: Mark, cells: NumberCells
) -> Iterator[str]:
    if meaning:
        yield f"scores: {understood_words(meaning)}"
    if scale is not None and not scale.is_unit:
        yield f"scores are on {scale} and scaled to 0..1"
    if np.any(kinds == _IS_SHARE):
        yield "scores are percentages or parts of a whole and scaled to 0..1"
    if _has_commas(cells, mark):
        yield _COMMAS


def _has_commas(cells: NumberCells, mark: Mark) -> bool:
    return any(number.mark(mark) is Mark.COMMA and "," in number.text for number in cells.texts())


def _expected(scale: ScoreScale) -> str:
    if scale.is_unit:
        return "a number from 0 to 1, true or false (divide percentages by 100)"
    return f"a number from {scale.low:g} to {scale.high:g}"


def _column_names(cells: NumberCells) -> str:
    names = list(dict.fromkeys(cells.columns.values()))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"column{'s' * (len(names) > 1)} {', '.join(names[:3])}{more}"


def _word(cell: str | bool) -> str:
    return folded_word(str(cell))


def _float(cell: float | Decimal) -> float:
    try:
        return float(cell)
    except OverflowError:
        return math.inf
