"""Files that the tools themselves wrote (tests/data/exports) are read as the tables that they mean."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from classifier.errors import TableError
from tests.helpers.exports import EXPORTS, outcomes, read_exports
from training.imports import open_exports
from training.tables import ReadOptions, read_tables
from training.tables.problems import UnsureError

SMALL, LARGE = (next((EXPORTS / "lm_eval" / model).glob("samples_*.jsonl")) for model in ("small", "large"))
SUM, COLOUR = "What is 1+1?", "Name a colour."


def promptfoo(full: float) -> dict[str, dict[str, float]]:
    """The small model's second test failed on both prompts: that says nothing about it."""
    return {
        "Question: 2+2? Answer as digits, please.": {"small": 1.0, "large": full},
        "Be brief.\n2+2?": {"small": 1.0, "large": full},
        'Question: He said "fail"?\nNow Answer as digits.': {"large": full},
        'Be brief.\nHe said "fail"?\nNow': {"large": full},
    }


@pytest.mark.parametrize("file", ["promptfoo.json", "promptfoo.jsonl"])
def test_promptfoo_in_json_has_prompts_scores_costs_tokens_and_answers(file: str) -> None:
    table = read_exports(file)
    assert outcomes(table) == promptfoo(0.125)
    assert outcomes(table, "costs")["Be brief.\n2+2?"] == {"small": 0.001, "large": 0.02}
    assert outcomes(table, "tokens_out")["Be brief.\n2+2?"] == {"small": 10.0, "large": 10.0}
    assert table.responses is not None
    assert table.responses[0]["large"] == "it is 10"
    assert [request.turns for request in table.requests] == [1] * 4
    assert table.files[0].format == "promptfoo"
    assert "left out, calls that failed or did not run: 2" in table.files[0].notes


def test_promptfoo_in_csv_has_the_prompt_that_its_template_and_variables_make() -> None:
    table = read_exports("promptfoo.csv")
    assert outcomes(table) == promptfoo(0.13)  # promptfoo writes two decimals
    assert {request.system_chars for request in table.requests} == {0, len("Be brief.")}


def test_promptfoo_files_of_both_kinds_are_about_the_same_requests() -> None:
    table = read_exports("promptfoo.csv", "promptfoo.jsonl")
    assert len(table.requests) == 4


def test_a_named_metric_of_promptfoo_counts_where_it_is_chosen() -> None:
    table = read_exports("promptfoo.json", score="has4")
    assert set(outcomes(table)["Be brief.\n2+2?"].values()) == {1.0, 0.25}
    assert "an export of promptfoo; its score is has4" in table.files[0].notes


def test_samples_of_lm_eval_are_those_of_the_model_in_the_results_beside_them() -> None:
    table = read_exports(SMALL, LARGE, score="exact_match,flexible-extract")
    assert outcomes(table) == {
        f"Question: {SUM}\nAnswer:": {"small": 1.0, "large": 1.0},
        "Question: What is 2+2?\nAnswer:": {"small": 0.0, "large": 1.0},
        f"Question: {COLOUR}\nAnswer:": {"small": 1.0, "large": 1.0},
    }
    assert {(request.task, request.max_tokens) for request in table.requests} == {("sums", 64)}


def test_filters_that_differ_stop_the_run_and_are_named() -> None:
    with pytest.raises(UnsureError) as caught:
        read_exports(SMALL, LARGE)
    message = str(caught.value)
    assert "exact_match,strict-match" in message
    assert "exact_match,flexible-extract" in message
    assert "differ on 2 of 6 answers" in message
    assert (caught.value.option, caught.value.value) == ("column", "score=exact_match,strict-match")


def test_a_filter_or_a_metric_alone_will_do_where_it_says_enough() -> None:
    assert outcomes(read_exports(SMALL, score="flexible-extract")) == outcomes(
        read_exports(SMALL, score="exact_match,flexible-extract")
    )
    with pytest.raises(UnsureError, match="2 kinds of score"):
        read_exports(SMALL, score="exact_match")


def test_a_results_file_goes_with_its_samples_and_is_refused_alone() -> None:
    results = next(SMALL.parent.glob("results_*.json"))
    table = read_exports(results, SMALL, score="exact_match,strict-match")
    assert table.tiers == ("small",)
    assert len(table.files) == 1
    with pytest.raises(TableError, match="without the answers"):
        read_exports(results)


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_logs_of_inspect_have_what_the_model_saw_and_letters_for_scores(kind: str) -> None:
    table = read_exports(f"inspect_ai/small.{kind}", f"inspect_ai/large.{kind}")
    assert outcomes(table) == {
        f"Be brief.\n{SUM}": {"mock/small": 1.0, "mock/large": 1.0},
        "Be brief.\nWhat is 2+2?": {"mock/small": 0.0, "mock/large": 1.0},
        f"Be brief.\n{COLOUR}": {"mock/small": 1.0},
    }
    assert outcomes(table, "tokens_out")[f"Be brief.\n{COLOUR}"] == {"mock/small": 3.0}
    assert {(request.task, request.max_tokens) for request in table.requests} == {("sums", 64)}
    assert "left out, calls that failed or did not run: 1" in table.files[1].notes


def test_epochs_of_inspect_are_averaged_and_a_partial_answer_is_half_right() -> None:
    table = read_exports("inspect_ai/epochs.eval")
    assert list(outcomes(table).values()) == [{"mock/small": score} for score in (1.0, 0.5, 0.75)]
    assert table.files[0].repeats == 3


def test_scorers_that_differ_stop_the_run_and_each_can_be_chosen() -> None:
    with pytest.raises(UnsureError, match=r"match, rubric\.helpful, rubric\.short"):
        read_exports("inspect_ai/several_scorers.eval")
    table = read_exports("inspect_ai/several_scorers.eval", score="rubric.helpful")
    assert set(table.scores.ravel()) == {0.5}


def test_a_score_that_no_answer_has_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(TableError, match=r'found no score "rubric\.helpfull" \(did you mean "rubric\.helpful"\?\)'):
        read_exports("inspect_ai/several_scorers.eval", score="rubric.helpfull")


def test_events_of_openai_evals_are_brought_together_by_their_sample() -> None:
    table = read_exports("oaieval_small.jsonl", "oaieval_large.jsonl")
    assert outcomes(table) == {
        f"Be brief.\n{SUM}": {"small": 0.0, "large": 1.0},
        COLOUR: {"small": 1.0, "large": 1.0},
    }
    assert {request.task for request in table.requests} == {"sums"}


def test_observations_of_langfuse_take_their_scores_from_the_export_of_scores() -> None:
    table = read_exports("langfuse_observations.json", "langfuse_scores.json")
    assert outcomes(table) == {text: {"small": 0.0, "large": 1.0} for text in (SUM, COLOUR)}
    assert outcomes(table, "costs")[SUM] == {"small": 0.001, "large": 0.001}
    assert {(request.task, request.max_tokens) for request in table.requests} == {("qa", 64)}
    assert sorted(table.groups, key=str) == ["s0", "s1"]


def test_feedback_on_a_chain_of_langsmith_counts_for_the_model_that_the_chain_called() -> None:
    table = read_exports("langsmith.jsonl")
    assert outcomes(table) == {f"Be brief.\n{text}": {"small": 0.0, "large": 1.0} for text in (SUM, COLOUR)}
    assert outcomes(table, "costs")[f"Be brief.\n{SUM}"] == {"small": 0.001, "large": 0.001}
    assert {request.max_tokens for request in table.requests} == {100}


def test_spend_logs_of_litellm_have_costs_and_leave_out_failures_and_embeddings() -> None:
    table = read_exports("litellm_spend_logs.csv")
    assert outcomes(table) == {text: {"small": 0.0, "large": 1.0} for text in (SUM, COLOUR)}
    assert outcomes(table, "costs")[SUM] == {"small": 0.001, "large": 0.001}
    assert "left out, calls that failed or did not run: 1" in table.files[0].notes
    assert not table.problems


def test_results_of_a_braintrust_eval_join_by_what_was_asked() -> None:
    table = read_exports("braintrust_small.json", "braintrust_large.json")
    assert outcomes(table) == {SUM: {"small": 0.0, "large": 1.0}, COLOUR: {"small": 1.0, "large": 0.0}}


@pytest.mark.parametrize("kind", ["_console.json", ".json", ".jsonl"])
def test_spans_of_opentelemetry_are_read_in_each_way_of_writing_them(kind: str) -> None:
    table = read_exports(f"opentelemetry{kind}")
    assert outcomes(table) == {f"Be brief.\n{text}": {"small": 0.0, "large": 1.0} for text in (SUM, COLOUR)}
    assert outcomes(table, "tokens_out")[f"Be brief.\n{SUM}"] == {"small": 3.0, "large": 3.0}
    assert table.groups == ["c1", "c1"]
    assert table.timestamps.min() > 1.7e9
    assert "left out, calls that failed or did not run: 1" in table.files[0].notes


def test_a_log_without_scores_says_what_it_is_and_what_to_do() -> None:
    with pytest.raises(TableError) as caught:
        read_exports("langfuse_observations.json")
    message = str(caught.value)
    assert "found a log of Langfuse without scores (4 answers by small, large)" in message
    assert "collect answers of each tier" in message
    assert SUM not in message


def test_where_requests_alone_count_a_log_will_do() -> None:
    files = [EXPORTS / "langfuse_observations.json", EXPORTS / "inspect_ai" / "several_scorers.eval"]
    exports = partial(open_exports, requests_only=True)
    table = read_tables(files, options=ReadOptions(requests_only=True), exports=exports)
    assert {request.whole for request in table.requests} >= {SUM, COLOUR, f"Be brief.\n{SUM}"}


def test_exports_and_tables_are_read_together(tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text(f"prompt,model,score\n{SUM},small,1\nAnother?,large,1\n", "utf-8")
    joined = read_exports("oaieval_small.jsonl", table)
    assert outcomes(joined)["Another?"] == {"large": 1.0}
    assert len(joined.requests) == 4  # SUM was asked with a system message and for a task there
