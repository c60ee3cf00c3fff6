"""Requests as people keep them: chats of several makers, the same prompt in several files, times, winners."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.request import make_request
from training.tables import OutcomeTable, ReadOptions, UnsureError, read_tables

NAN = np.nan
NOON = datetime(2026, 1, 20, 12, tzinfo=UTC).timestamp()
ASK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
ANSWER = {"role": "assistant", "content": "Because."}


def save_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def save(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def notes(table: OutcomeTable, file: int = 0) -> str:
    return "; ".join(table.files[file].notes)


# --- chats

CHATS: dict[str, Any] = {
    "OpenAI": [*ASK, ANSWER],
    "as JSON text": json.dumps([*ASK, ANSWER]),
    "as Python writes it": repr([*ASK, ANSWER]),
    "ShareGPT": [
        {"from": "system", "value": "Be brief."},
        {"from": "human", "value": "Why?"},
        {"from": "gpt", "value": "Because."},
    ],
    "LangChain": [
        {"type": "system", "content": "Be brief."},
        {"type": "human", "data": {"content": "Why?"}},
        {"type": "ai", "content": "Because."},
    ],
    "Gemini": [
        {"role": "system", "parts": [{"text": "Be brief."}]},
        {"role": "user", "parts": [{"text": "Why?"}]},
        {"role": "model", "parts": [{"text": "Because."}]},
    ],
    "in an object": {"messages": [*ASK, ANSWER], "id": 3},
}


@pytest.mark.parametrize("column", ["messages", "prompt", "conversations"])
@pytest.mark.parametrize("maker", CHATS)
def test_chats_of_several_makers_without_the_answer_at_their_end(tmp_path: Path, maker: str, column: str) -> None:
    if maker == "in an object" and column == "prompt":
        pytest.skip("an object is no prompt")
    table = read_tables([save_lines(tmp_path / "a.jsonl", [{column: CHATS[maker], "score__a": 1, "score__b": 0}])])
    assert table.requests == [make_request(messages=ASK)]
    assert "left out 1 turns of the assistant at the end of 1 chats" in notes(table)


def test_answers_amid_a_chat_stay(tmp_path: Path) -> None:
    chat = [*ASK, ANSWER, {"role": "user", "content": "And then?"}]
    table = read_tables([save_lines(tmp_path / "a.jsonl", [{"messages": chat, "score__a": 1, "score__b": 0}])])
    assert table.requests == [make_request(messages=chat)]
    assert "left out" not in notes(table)


def test_nothing_but_an_answer_is_no_request(tmp_path: Path) -> None:
    rows = [{"messages": ASK, "score__a": 1}, {"messages": [ANSWER], "score__a": 1}]
    (problem,) = read_tables([save_lines(tmp_path / "a.jsonl", rows)]).problems
    assert problem.skipped
    assert "nothing but turns of the assistant" in str(problem)


def test_a_prompt_that_is_about_json_stays_a_prompt(tmp_path: Path) -> None:
    texts = ['[{"role": "user"', "[1, 2] what is that?", '{"role": "user", "content": "x"}', '["a"]', "[role]"]
    rows = [{"prompt": text, "score__a": 1, "score__b": 0} for text in texts]
    table = read_tables([save_lines(tmp_path / "a.jsonl", rows)])
    assert [request.text for request in table.requests] == texts


# --- the same prompt in several files


def run(path: Path, model: str, texts: Sequence[str], **cells: Any) -> Path:
    rows = [[text, model, number % 2, *cells.values()] for number, text in enumerate(texts)]
    return save(path, [["prompt", "model", "score", *cells], *rows])


TEXTS = [f"Question {number}:\nwhat  is it?" for number in range(60)]
VARIANTS = {
    "line ends": [text.replace("\n", "\r\n") for text in TEXTS],
    "a line end at the end": [f"{text}\n" for text in TEXTS],
    "blanks": [f"  {text.replace('  ', ' ')}\t" for text in TEXTS],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_line_ends_and_blanks_make_no_other_request(tmp_path: Path, variant: str) -> None:
    files = [run(tmp_path / "a.csv", "haiku", TEXTS), run(tmp_path / "b.csv", "opus", VARIANTS[variant])]
    table = read_tables(files)
    assert [request.text for request in table.requests] == TEXTS
    assert not np.isnan(table.scores).any()


def test_other_limits_in_another_file_make_no_other_request(tmp_path: Path) -> None:
    files = [
        run(tmp_path / "a.csv", "haiku", TEXTS, max_tokens=100),
        run(tmp_path / "b.csv", "opus", TEXTS, max_tokens=4000),
        run(tmp_path / "c.csv", "sonnet", TEXTS),
    ]
    table = read_tables(files)
    assert len(table.requests) == len(TEXTS)
    assert {request.max_tokens for request in table.requests} == {None}
    assert not np.isnan(table.scores).any()
    assert "max_tokens differs between the files for 60 prompts" in notes(table, 2)
    same = read_tables([files[0], run(tmp_path / "d.csv", "opus", TEXTS, max_tokens=100)])
    assert {request.max_tokens for request in same.requests} == {100}
    unknown = read_tables([files[0], files[2]])
    assert {request.max_tokens for request in unknown.requests} == {None}


def test_other_limits_in_one_file_make_other_requests(tmp_path: Path) -> None:
    rows = [["x", "haiku", 1, 100], ["x", "haiku", 0, 4000], ["x", "opus", 1, 100]]
    table = read_tables([save(tmp_path / "a.csv", [["prompt", "model", "score", "max_tokens"], *rows])])
    assert [request.max_tokens for request in table.requests] == [100, 4000]


WHY = {
    "case or punctuation": [text.upper().replace(":", "") for text in TEXTS],
    "more text at the end": [f"{text} {'Think about it. ' * 9}" for text in ["y" * 70 + text for text in TEXTS]],
    "more text at the beginning": [f"You are helpful. {text}" for text in ["z" * 70 + text for text in TEXTS]],
    "different ones": [f"Something else, number {number}" for number in range(60)],
}


@pytest.mark.parametrize("why", WHY)
def test_files_that_join_badly_say_why(tmp_path: Path, why: str) -> None:
    own = TEXTS
    if "more text" in why:
        own = [("y" if "end" in why else "z") * 70 + text for text in TEXTS]
    table = read_tables([run(tmp_path / "a.csv", "haiku", own), run(tmp_path / "b.csv", "opus", WHY[why])])
    assert "only 0 of its 60 prompts are in the files before it" in notes(table, 1)
    assert why in notes(table, 1)


# --- times

TIMES = {
    "2026-01-20T12:00:00Z": NOON,
    "2026-01-20 12:00:00": NOON,
    "2026-01-20 12:00:00,500": NOON + 0.5,
    "2026-01-20T12:00:00.123456789Z": NOON + 0.123456,
    "2026-01-20 14:00:00+02": NOON,
    "2026-01-20T07:00:00-0500": NOON,
    "2026-01-20 12:00:00 UTC": NOON,
    "2026-01-20 12:00:00 +0000 UTC": NOON,
    "2026-01-20 07:00:00 EST": NOON,
    "2026/01/20 12:00": NOON,
    "20260120T120000Z": NOON,
    "20.01.2026 12:00": NOON,
    "01/20/2026 12:00": NOON,
    "1/20/2026 12:00:00 PM": NOON,
    "Tue, 20 Jan 2026 12:00:00 GMT": NOON,
    "Tue, 20 Jan 2026 07:00:00 -0500": NOON,
    "Jan 20, 2026 12:00 PM": NOON,
    "20 January 2026 12:00": NOON,
    "20-Jan-2026 12:00:00": NOON,
    "Tue Jan 20 12:00:00 2026": NOON,
    "Tue Jan 20 2026 13:00:00 GMT+0100 (Central European Standard Time)": NOON,
    f"{NOON:.0f}": NOON,
    f"{NOON * 1000:.0f}": NOON,
    f"{NOON * 1e6:.0f}": NOON,
    f"{NOON:.3e}": float(f"{NOON:.3e}"),
    "46042.5": NOON,
    "N/A": NAN,
}


@pytest.mark.parametrize("text", TIMES)
def test_times_in_usual_formats(tmp_path: Path, text: str) -> None:
    rows = [["prompt", "score__a", "timestamp"], ["x", 1, text], ["y", 1, ""]]
    table = read_tables([save(tmp_path / "a.csv", rows)])
    np.testing.assert_allclose(table.timestamps, [TIMES[text], NAN], rtol=0, atol=1e-3)
    assert not table.problems


def timed(tmp_path: Path, texts: Sequence[str], **options: Any) -> OutcomeTable:
    rows = [["prompt", "score__a", "timestamp"], *(["x", 1, text] for text in texts)]
    return read_tables([save(tmp_path / "a.csv", rows)], options=ReadOptions(**options))


def day(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("texts", "days", "said"),
    [
        (["01/02/2026", "13/02/2026"], ["2026-02-01", "2026-02-13"], "day first"),
        (["01/02/2026", "02/13/2026"], ["2026-01-02", "2026-02-13"], "month first"),
        (["1/2/26 9:30", "2/13/26 9:30"], ["2026-01-02 09:30", "2026-02-13 09:30"], "month first"),
        (["01.02.2026", "03.02.2026"], ["2026-02-01", "2026-02-03"], "day first"),
        (["01-02-2026", "13-02-2026"], ["2026-02-01", "2026-02-13"], "day first"),
    ],
)
def test_the_order_of_a_date_is_that_of_the_others(
    tmp_path: Path, texts: list[str], days: list[str], said: str
) -> None:
    table = timed(tmp_path, texts)
    assert table.timestamps.tolist() == [day(each) for each in days]
    assert said in notes(table)


@pytest.mark.parametrize("texts", [["01/02/2026", "03/04/2026"], ["26/01/20", "26/01/21"]])
def test_dates_that_may_be_two_stop_the_reading(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(UnsureError, match="the order of day and month") as caught:
        timed(tmp_path, texts)
    assert caught.value.option == "dates"
    assert timed(tmp_path, ["01/02/2026"], dates="mdy").timestamps.tolist() == [day("2026-01-02")]
    assert timed(tmp_path, ["26/01/20"], dates="ymd").timestamps.tolist() == [day("2026-01-20")]


# --- winners


@pytest.mark.parametrize(
    ("winner", "scores"),
    [
        *((word, (1, 0)) for word in ("A", "[[A]]", "left", "first", "response_a", "Model A", "GPT")),
        *((word, (0, 1)) for word in ("B", "[[B]]", "right", "second", "assistant_b")),
        *((word, (1, 1)) for word in ("tie", "Draw", "both", "equal", "both good")),
        *((word, (0, 0)) for word in ("neither", "both bad", "tie (bothbad)")),
    ],
)
def test_winners_and_ties_as_words(tmp_path: Path, winner: str, scores: tuple[int, int]) -> None:
    rows = [["prompt", "model_a", "model_b", "winner"], ["x", "gpt", "claude", winner]]
    np.testing.assert_array_equal(read_tables([save(tmp_path / "a.csv", rows)]).scores, [scores])


def test_winners_in_a_column_each(tmp_path: Path) -> None:
    header = ["prompt", "model_a", "model_b", "winner_model_a", "winner_model_b", "winner_tie"]
    rows = [["x", "p", "q", 1, 0, 0], ["y", "p", "q", 0, 1, 0], ["z", "q", "p", 0, 0, 1], ["bad", "p", "q", 0, 0, 0]]
    table = read_tables([save(tmp_path / "a.csv", [header, *rows])])
    np.testing.assert_array_equal(table.scores, [[1, 0], [0, 1], [1, 1]])
    assert "found 0 columns that hold 1" in str(table.problems[0])


def test_scores_of_the_models_that_two_columns_name(tmp_path: Path) -> None:
    header = ["prompt", "model_a", "model_b", "model_a_score", "model_b_score", "model_a_cost", "model_b_cost"]
    rows = [["x", "p", "q", 1, 0.5, 2, 3], ["y", "q", "p", 0, 1, 4, ""]]
    table = read_tables([save(tmp_path / "a.csv", [header, *rows])])
    assert table.tiers == ("p", "q")
    np.testing.assert_array_equal(table.scores, [[1, 0.5], [1, 0]])
    np.testing.assert_array_equal(table.costs, [[2, 3], [NAN, 4]])
