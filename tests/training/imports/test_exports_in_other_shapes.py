"""Shapes of exports that no tool here wrote: documented ones, older versions, other ways to export the same."""

from __future__ import annotations

import csv
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from classifier.errors import TableError
from tests.helpers.exports import EXPORTS, outcomes, read_exports, write_json, write_lines
from training.tables.problems import UnsureError

ASK, OTHER = "Which is larger, 2 or 3?", "Spell: cat"
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASK}]
READ = {f"Be brief.\n{ASK}": {"small": 0.0, "large": 1.0}}


def write_cells(path: Path, rows: list[dict[str, Any]]) -> Path:
    """CSV with what is no text as JSON."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(rows[0])
        for row in rows:
            writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in row.values()])
    return path


def both(make: Any) -> list[dict[str, Any]]:
    return [make("small", 0.0), make("large", 1.0)]


# --- promptfoo


def promptfoo_v2(model: str, score: float) -> dict[str, Any]:
    return {
        "provider": {"id": f"openai:{model}", "label": model},
        "prompt": {"raw": json.dumps(CHAT), "label": "chat"},
        "vars": {"q": ASK},
        "response": {"output": "3", "tokenUsage": {"completion": 1}, "cached": model == "small"},
        "success": score > 0,
        "score": score,
        "error": None if score else "Expected output to contain 3",
        "cost": 0.01,
    }


def test_promptfoo_before_it_wrote_why_a_test_failed(tmp_path: Path) -> None:
    failed = {**promptfoo_v2("small", 0.0), "response": None, "error": "API error: 429"}
    failed = [failed, {**failed, "failureReason": 0}, {**promptfoo_v2("small", 0.0), "failureReason": 2}]
    results = {"version": 2, "results": [*both(promptfoo_v2), *failed], "stats": {}, "table": {}}
    table = read_exports(write_json(tmp_path / "results.json", {"results": results, "config": {}}))
    assert outcomes(table) == READ
    assert outcomes(table, "costs") == {f"Be brief.\n{ASK}": {"large": 0.01}}  # the other came from the cache


def test_promptfoo_csv_before_it_had_columns_for_verdicts(tmp_path: Path) -> None:
    header = ["q", "[small] Say: {{q}}", "[large] Say: {{ q }}"]
    row = [ASK, "[FAIL] Expected 3\n---\n2", "[PASS] 3"]
    with (tmp_path / "old.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, row])
    assert outcomes(read_exports(tmp_path / "old.csv")) == {f"Say: {ASK}": {"small": 0.0, "large": 1.0}}


def test_a_prompt_for_each_provider_is_one_request_for_a_test(tmp_path: Path) -> None:
    results = [
        {**promptfoo_v2(model, score), "prompt": {"raw": f"{model}, {ASK}"}, "testIdx": 0, "failureReason": 0}
        for model, score in (("small", 0.0), ("large", 1.0))
    ]
    prompts = [{"raw": f"{model}, {{{{q}}}}", "provider": model} for model in ("small", "large")]
    document = {"results": {"version": 3, "prompts": prompts, "results": results}}
    table = read_exports(write_json(tmp_path / "each.json", document))
    assert outcomes(table) == {f"small, {ASK}": {"small": 0.0, "large": 1.0}}


def test_templates_with_code_are_not_guessed_at(tmp_path: Path) -> None:
    header = ["q", "style", "[small] {% if style %}{{ q | upper }}{% endif %}", "Status", "Score"]
    with (tmp_path / "code.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, [ASK, "plain", "3", "PASS", "1.00"]])
    assert outcomes(read_exports(tmp_path / "code.csv")) == {f"q: {ASK}\nstyle: plain": {"small": 1.0}}


# --- lm-evaluation-harness


def sample(number: int, score: float, **more: Any) -> dict[str, Any]:
    text = f"Question {number}"
    return {
        "doc_id": number,
        "doc": {"q": text},
        "target": "x",
        "arguments": [[text, {"until": ["\n"]}]],
        "resps": [["x"]],
        "filtered_resps": ["x"],
        "acc": score,
        **more,
    }


def test_samples_before_filters_were_written(tmp_path: Path) -> None:
    write_json(tmp_path / "samples_quiz_small.jsonl", [sample(0, 0.0), sample(1, 1.0)])
    write_json(tmp_path / "samples_quiz_large.jsonl", [sample(0, 1.0), sample(1, 1.0)])
    table = read_exports(*sorted(tmp_path.glob("*.jsonl")))
    assert outcomes(table)["Question 0"] == {"small": 0.0, "large": 1.0}
    assert {request.task for request in table.requests} == {"quiz"}


@pytest.mark.parametrize(
    "names",
    [
        ("samples_quiz_small.jsonl", "samples_quiz_large.jsonl"),
        ("samples_small_quiz.jsonl", "samples_large_quiz.jsonl"),
        ("small.jsonl", "large.jsonl"),
    ],
)
def test_the_names_of_files_about_the_same_documents_differ_in_the_model(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for name, score in zip(names, (0.0, 1.0), strict=True):
        write_lines(tmp_path / name, [sample(0, score)])
    table = read_exports(*(tmp_path / name for name in names))
    assert outcomes(table) == {"Question 0": {"small": 0.0, "large": 1.0}}


def test_a_folder_of_a_model_names_it_where_the_results_file_is_gone(tmp_path: Path) -> None:
    for model, score in (("org__small", 0.0), ("org__large", 1.0)):
        write_lines(tmp_path / model / "samples_quiz_2026-01-15T10-30-00.123456.jsonl", [sample(0, score)])
    table = read_exports(*sorted(tmp_path.glob("*/*.jsonl")))
    assert outcomes(table) == {"Question 0": {"org/small": 0.0, "org/large": 1.0}}


def test_the_one_results_file_in_a_folder_names_the_model_of_renamed_samples(tmp_path: Path) -> None:
    for model, score in (("small", 0.0), ("large", 1.0)):
        write_lines(tmp_path / model / "samples_quiz.jsonl", [sample(0, score)])
        results = {key: {} for key in ("results", "configs", "versions", "n-shot")}
        write_json(tmp_path / model / "results.json", {**results, "model_name": f"org/{model}"})
    table = read_exports(*sorted(tmp_path.glob("*/*")))
    assert outcomes(table) == {"Question 0": {"org/small": 0.0, "org/large": 1.0}}


def test_results_files_that_end_as_the_samples_do_name_their_models(tmp_path: Path) -> None:
    for model, score in (("small", 0.0), ("large", 1.0)):
        write_lines(tmp_path / f"samples_quiz_{model}.jsonl", [sample(0, score)])
        results = {key: {} for key in ("results", "configs", "versions", "n-shot")}
        write_json(tmp_path / f"results_{model}.json", {**results, "model_name": f"org/{model}-1"})
    table = read_exports(*sorted(tmp_path.glob("*")))
    assert outcomes(table) == {"Question 0": {"org/small-1": 0.0, "org/large-1": 1.0}}


def test_two_runs_in_one_folder_are_not_taken_for_one_model(tmp_path: Path) -> None:
    for day in (15, 16):
        write_lines(tmp_path / f"samples_quiz_2026-01-{day}T10-30-00.1.jsonl", [sample(0, 1.0)])
    with pytest.raises(TableError, match=r"nothing that says which model answered.*results_\*\.json"):
        read_exports(*sorted(tmp_path.glob("*.jsonl")))


def test_models_asked_in_chat_templates_of_their_own_are_asked_the_same(tmp_path: Path) -> None:
    small = sample(0, 0.0, arguments={"gen_args_0": {"arg_0": "<s>Question 0</s>", "arg_1": {}}})
    large = sample(0, 1.0, arguments={"gen_args_0": {"arg_0": "[INST]Question 0[/INST]", "arg_1": {}}})
    write_lines(tmp_path / "samples_quiz_small.jsonl", [small])
    write_lines(tmp_path / "samples_quiz_large.jsonl", [large])
    table = read_exports(tmp_path / "samples_quiz_small.jsonl", tmp_path / "samples_quiz_large.jsonl")
    assert outcomes(table) == {"<s>Question 0</s>": {"small": 0.0, "large": 1.0}}


def test_metrics_of_which_less_is_better_are_no_scores(tmp_path: Path) -> None:
    write_lines(tmp_path / "samples_quiz_2026-01-15T10-30-00.1.jsonl", [sample(0, 1.0, loss=3.5)])
    results = {
        **{key: {} for key in ("results", "configs", "versions", "n-shot")},
        "config": {"model": "hf", "model_args": "pretrained=org/tiny,dtype=float"},
        "higher_is_better": {"quiz": {"acc": True, "loss": False}},
    }
    write_json(tmp_path / "results_2026-01-15T10-30-00.1.json", results)
    table = read_exports(tmp_path / "samples_quiz_2026-01-15T10-30-00.1.jsonl")
    assert outcomes(table) == {"Question 0": {"org/tiny": 1.0}}


def test_metrics_that_say_the_same_need_no_choice(tmp_path: Path) -> None:
    same = [sample(number, number % 2, acc_norm=float(number % 2)) for number in range(4)]
    assert read_exports(write_lines(tmp_path / "small.jsonl", same)).scores.mean() == 0.5
    differ = [*same, sample(4, 1.0, acc_norm=0.0)]
    with pytest.raises(UnsureError, match=r"\(acc, acc_norm\), which differ on 1 of 5"):
        read_exports(write_lines(tmp_path / "small.jsonl", differ))


def test_a_metric_that_only_one_model_has_is_no_choice_by_itself(tmp_path: Path) -> None:
    small, large = sample(0, 0.0), sample(0, 1.0)
    large["f1"] = large.pop("acc")
    write_lines(tmp_path / "small.jsonl", [small])
    write_lines(tmp_path / "large.jsonl", [large])
    with pytest.raises(UnsureError, match="2 kinds of score"):
        read_exports(tmp_path / "small.jsonl", tmp_path / "large.jsonl")


def test_kinds_of_score_can_be_chosen_for_each_task(tmp_path: Path) -> None:
    for task, metrics in {"quiz": ("acc", "acc_norm"), "essay": ("bleu", "rouge")}.items():
        row = sample(0, 1.0, doc={"q": task}, arguments=[[task, {}]], metrics=list(metrics))
        row |= dict(zip(metrics, (1.0, 0.5), strict=True))
        write_lines(tmp_path / f"samples_{task}_small.jsonl", [row])
    files = sorted(tmp_path.glob("*.jsonl"))
    with pytest.raises(UnsureError, match="task essay") as caught:
        read_exports(*files, score="acc_norm")
    assert caught.value.value == "score=acc_norm|bleu"
    assert outcomes(read_exports(*files, score="acc_norm|bleu")) == {"essay": {"small": 1.0}, "quiz": {"small": 0.5}}


# --- inspect_ai


def test_archives_of_inspect_from_before_zstandard(tmp_path: Path) -> None:
    log = json.loads((EXPORTS / "inspect_ai" / "small.json").read_text("utf-8"))
    with zipfile.ZipFile(tmp_path / "old.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        for each in log.pop("samples"):
            archive.writestr(f"samples/{each['id']}_epoch_1.json", json.dumps(each))
        archive.writestr("_journal/start.json", json.dumps(log))
    assert outcomes(read_exports(tmp_path / "old.eval")) == outcomes(read_exports("inspect_ai/small.json"))


def test_a_task_that_names_no_model_is_one_of_the_model_that_it_used(tmp_path: Path) -> None:
    usage = {"mock/large": {"output_tokens": 3}}
    answered = {"id": 1, "epoch": 1, "input": ASK, "scores": {"grade": {"value": 0.75}}, "model_usage": usage}
    attached = {"id": 2, "epoch": 1, "input": "attachment://a1", "attachments": {"a1": OTHER}}
    attached |= {"scores": {"grade": {"value": True}}, "model_usage": usage, "messages": []}
    log = {"status": "success", "eval": {"model": "none/none", "task": "t"}, "samples": [answered, attached]}
    table = read_exports(write_json(tmp_path / "log.json", log))
    assert outcomes(table) == {ASK: {"mock/large": 0.75}, OTHER: {"mock/large": 1.0}}


# --- OpenAI evals


def test_output_items_of_the_evals_api_count_as_passed_or_not(tmp_path: Path) -> None:
    def item(model: str, score: float) -> dict[str, Any]:
        graders = [{"name": "length", "score": 0.5, "passed": True}, {"name": "right", "passed": bool(score)}]
        usage = {"prompt_tokens": 9, "completion_tokens": 2}
        sampled = {"model": model, "input": CHAT, "output": [{"role": "assistant", "content": "3"}], "usage": usage}
        passed = "pass" if score else "fail"
        made = {"object": "eval.run.output_item", "datasource_item": {"q": ASK}, "sample": sampled}
        return {**made, "results": graders, "status": passed, "created_at": 1768471200}

    broken = {**item("small", 0.0), "results": [], "status": "error"}
    page = {"object": "list", "data": [*both(item), broken], "has_more": False}
    table = read_exports(write_json(tmp_path / "page.json", page))
    assert outcomes(table) == READ
    assert outcomes(table, "tokens_out") == {f"Be brief.\n{ASK}": {"small": 2.0, "large": 2.0}}
    chosen = read_exports(write_lines(tmp_path / "items.jsonl", both(item)), score="length")
    assert set(chosen.scores.ravel()) == {0.5}


# --- Langfuse


def observation(model: str, score: Any) -> dict[str, Any]:
    return {
        "id": f"o-{model}",
        "traceId": f"t-{model}",
        "startTime": "2026-01-15T10:00:00.000Z",
        "model": model,
        "input": CHAT,
        "output": {"role": "assistant", "content": "3"},
        "totalCost": "0.01",
        "outputTokens": 4,
        "scores": score,
    }


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ({"right": ["0.0"]}, {"right": ["1.0"]}),
        ({"right": [0]}, {"right": [True, 1]}),
        ([{"name": "right", "value": 0}], [{"name": "right", "value": 1}]),
        ([{"name": "right", "value": None, "stringValue": "incorrect"}], [{"name": "right", "stringValue": "correct"}]),
    ],
)
def test_scores_of_langfuse_in_each_of_their_shapes(tmp_path: Path, low: Any, high: Any) -> None:
    rows = [observation("small", low), observation("large", high)]
    for path in (write_cells(tmp_path / "o.csv", rows), write_json(tmp_path / "o.json", rows)):
        table = read_exports(path)
        assert outcomes(table) == READ
        assert outcomes(table, "costs") == {f"Be brief.\n{ASK}": {"small": 0.01, "large": 0.01}}
        assert table.timestamps[0] == 1768471200


def test_scores_of_langfuse_in_columns_of_their_own(tmp_path: Path) -> None:
    rows = [
        {**observation(model, ""), "right": [str(score)], "tags": ["a"]}
        for model, score in (("small", 0), ("large", 1))
    ]
    assert outcomes(read_exports(write_cells(tmp_path / "o.csv", rows))) == READ


def test_a_trace_of_langfuse_scores_the_model_that_it_called(tmp_path: Path) -> None:
    def trace(model: str, score: float) -> dict[str, Any]:
        whole = {
            "id": f"t-{model}",
            "timestamp": "2026-01-15T10:00:00Z",
            "sessionId": None,
            "input": "x",
            "output": "y",
        }
        call = {**observation(model, None), "type": "GENERATION", "scores": None}
        span = {"id": "s", "type": "SPAN", "startTime": "2026-01-15T10:00:00Z", "input": "x", "output": "y"}
        return {**whole, "scores": [{"name": "right", "value": score}], "observations": [span, call]}

    assert outcomes(read_exports(write_json(tmp_path / "t.json", {"data": both(trace), "meta": {}}))) == READ


def test_traces_without_the_calls_of_models_are_refused_as_such(tmp_path: Path) -> None:
    rows = [
        {**observation("", {"right": [1]}), "model": ""},
        {**observation("", {"right": [0]}), "id": "o2", "model": ""},
    ]
    with pytest.raises(TableError, match="no model that gave them"):
        read_exports(write_cells(tmp_path / "traces.csv", rows))


# --- LangSmith


def test_an_experiment_of_langsmith_as_a_data_frame(tmp_path: Path) -> None:
    for model, score in (("small", 0), ("large", 1)):
        row = {"inputs.question": ASK, "outputs.output": "3", "error": "", "feedback.right": score, "execution_time": 1}
        write_cells(tmp_path / f"{model}.csv", [row, {**row, "error": "Timeout()"}])
    table = read_exports(tmp_path / "small.csv", tmp_path / "large.csv")
    assert outcomes(table) == {ASK: {"small": 0.0, "large": 1.0}}


def test_several_calls_to_one_model_in_a_chain_are_one_outcome(tmp_path: Path) -> None:
    def runs(model: str, score: float) -> list[dict[str, Any]]:
        root = {"id": model, "trace_id": model, "run_type": "chain", "inputs": {"question": ASK}, "outputs": {"a": "3"}}
        stats = {"right": {"n": 1, "avg": score}}
        call = {"trace_id": model, "run_type": "llm", "inputs": {"messages": CHAT}, "total_cost": 0.5}
        call["extra"] = {"metadata": {"ls_model_name": model}}
        return [{**root, "feedback_stats": stats}, {**call, "id": "1"}, {**call, "id": "2"}]

    rows = [*runs("small", 0.0), *runs("large", 1.0)]
    table = read_exports(write_lines(tmp_path / "runs.jsonl", rows))
    assert outcomes(table) == {ASK: {"small": 0.0, "large": 1.0}}
    assert outcomes(table, "costs") == {ASK: {"small": 1.0, "large": 1.0}}


def test_bulk_exports_of_langsmith_are_parquet_with_json_in_cells(tmp_path: Path) -> None:
    def run(model: str, score: float) -> dict[str, Any]:
        extra = json.dumps({"invocation_params": {"model": model, "max_tokens": 50}})
        stats = json.dumps({"right": {"n": 1, "avg": score}})
        inputs = json.dumps({"messages": CHAT})
        return {
            "id": model,
            "trace_id": model,
            "run_type": "llm",
            "inputs": inputs,
            "extra": extra,
            "feedback_stats": stats,
        }

    pl.DataFrame(both(run)).write_parquet(tmp_path / "runs.parquet")
    table = read_exports(tmp_path / "runs.parquet")
    assert outcomes(table) == READ
    assert table.requests[0].max_tokens == 50


# --- Helicone


def helicone(model: str, score: Any) -> dict[str, Any]:
    return {
        "request_id": f"r-{model}",
        "request_created_at": "2026-01-15T10:00:00Z",
        "request_path": "https://oai.helicone.ai/v1/chat/completions",
        "request_body": {"model": model, "messages": CHAT, "max_tokens": 40},
        "response_body": {"choices": [{"message": {"role": "assistant", "content": "3"}}]},
        "response_status": 200,
        "completion_tokens": 4,
        "cost": 0.01,
        "scores": {"right": {"value": score, "valueType": "number"}},
    }


def test_requests_of_helicone_in_each_format(tmp_path: Path) -> None:
    rows = [*both(helicone), {**helicone("large", 0.0), "response_status": 500}]
    page = {"data": rows, "error": None}
    paths = [write_lines(tmp_path / "h.jsonl", rows), write_cells(tmp_path / "h.csv", rows)]
    for path in (*paths, write_json(tmp_path / "h.json", page)):
        table = read_exports(path)
        assert outcomes(table) == READ
        assert outcomes(table, "costs") == {f"Be brief.\n{ASK}": {"small": 0.01, "large": 0.01}}
        assert table.requests[0].max_tokens == 40
        assert table.responses == [{"small": "3", "large": "3"}]


def test_odd_ways_of_the_export_tool_of_helicone_are_read(tmp_path: Path) -> None:
    """It ends an array with a comma, and writes quotes of bodies in CSV twice too often."""
    rows = both(helicone)
    text = "[\n" + "".join(json.dumps(row) + ",\n" for row in rows) + "]\n"
    (tmp_path / "output.json").write_text(text, "utf-8")
    assert outcomes(read_exports(tmp_path / "output.json")) == READ
    doubled = [{**row, "request_body": json.dumps(row["request_body"]).replace('"', '""')} for row in rows]
    assert outcomes(read_exports(write_cells(tmp_path / "output.csv", doubled))) == READ
    scored = [{**row, "scores": {"right-hcone-bool": row["scores"]["right"]["value"]}} for row in rows]
    assert outcomes(read_exports(write_lines(tmp_path / "o.jsonl", scored), score="right")) == READ


def test_feedback_of_helicone_is_a_score(tmp_path: Path) -> None:
    rows = [{**helicone("small", None), "scores": {}, "feedback": {"id": "f", "rating": False}}]
    assert outcomes(read_exports(write_lines(tmp_path / "h.jsonl", rows))) == {f"Be brief.\n{ASK}": {"small": 0.0}}


# --- Braintrust


def test_spans_of_a_braintrust_experiment_are_one_outcome_a_trace(tmp_path: Path) -> None:
    def spans(model: str, score: float) -> list[dict[str, Any]]:
        root = {"id": "1", "span_id": model, "root_span_id": model, "input": ASK, "output": "3", "expected": "3"}
        call = {"id": "2", "span_id": f"{model}2", "root_span_id": model, "input": CHAT, "output": "3"}
        spent = {"completion_tokens": 3, "estimated_cost": 0.01}
        return [{**root, "scores": {"right": score}}, {**call, "metadata": {"model": model}, "metrics": spent}]

    events = {"events": [*spans("small", 0.0), *spans("large", 1.0)], "cursor": None}
    table = read_exports(write_json(tmp_path / "experiment.json", events))
    assert outcomes(table) == READ
    assert outcomes(table, "costs") == {f"Be brief.\n{ASK}": {"small": 0.01, "large": 0.01}}


def test_a_braintrust_experiment_that_names_no_model_is_of_the_one_its_file_is_named_after(tmp_path: Path) -> None:
    for model, score in (("small", 0.0), ("large", 1.0)):
        row = {"input": ASK, "output": "3", "expected": "3", "scores": {"right": score}}
        write_cells(tmp_path / f"{model}.csv", [row])
    table = read_exports(tmp_path / "small.csv", tmp_path / "large.csv")
    assert outcomes(table) == {ASK: {"small": 0.0, "large": 1.0}}


# --- OpenTelemetry


def otlp(spans: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]}


def attribute(key: str, value: Any) -> dict[str, Any]:
    kind = "boolValue" if isinstance(value, bool) else "doubleValue" if isinstance(value, float) else "stringValue"
    return {"key": key, "value": {"intValue": str(value)} if type(value) is int else {kind: value}}


def span(model: str, score: float, **attributes: Any) -> dict[str, Any]:
    grade = {"gen_ai.evaluation.name": "right", "gen_ai.evaluation.score.value": score}
    event = {"name": "gen_ai.evaluation.result", "attributes": [attribute(*pair) for pair in grade.items()]}
    named = [attribute(key, value) for key, value in attributes.items()]
    return {
        "traceId": model,
        "spanId": model,
        "startTimeUnixNano": "1768471200000000000",
        "attributes": named,
        "events": [event],
    }


@pytest.mark.parametrize("shape", ["numbered", "openinference", "events", "json"])
def test_spans_of_older_and_other_conventions(tmp_path: Path, shape: str) -> None:
    def made(model: str, score: float) -> dict[str, Any]:
        numbered = {
            f"{prefix}.{place}.{inside}{key}": message[key]
            for prefix, inside in {
                "numbered": [("gen_ai.prompt", "")],
                "openinference": [("llm.input_messages", "message.")],
            }.get(shape, [])
            for place, message in enumerate(CHAT)
            for key in ("role", "content")
        }
        name = "llm.model_name" if shape == "openinference" else "gen_ai.request.model"
        whole = {"gen_ai.prompt": json.dumps(CHAT)} if shape == "json" else {}
        given = span(model, score, **{name: model}, **numbered, **whole)
        if shape == "events":
            for message in CHAT:
                held = [attribute("content", message["content"])]
                given["events"].append({"name": f"gen_ai.{message['role']}.message", "attributes": held})
        return given

    table = read_exports(write_json(tmp_path / "spans.json", otlp(both(made))))
    assert outcomes(table) == READ
    assert table.timestamps[0] == 1768471200


def test_results_of_evaluations_may_stand_in_a_file_of_logs(tmp_path: Path) -> None:
    def asked(model: str, score: float) -> dict[str, Any]:
        given = span(model, score, **{"gen_ai.request.model": model, "gen_ai.prompt": json.dumps(CHAT)})
        return {**given, "events": []}

    def result(model: str, score: float) -> dict[str, Any]:
        named = [attribute("gen_ai.evaluation.name", "right"), attribute("gen_ai.evaluation.score.value", score)]
        return {"traceId": model, "spanId": model, "eventName": "gen_ai.evaluation.result", "attributes": named}

    spans = write_json(tmp_path / "spans.json", otlp(both(asked)))
    logs = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": both(result)}]}]}
    assert outcomes(read_exports(spans, write_json(tmp_path / "logs.json", logs))) == READ
    with pytest.raises(TableError, match="log of OpenTelemetry without scores"):
        read_exports(spans)


# --- AlpacaEval and arenas


def test_annotations_of_alpaca_eval_are_preferences_from_1_to_2(tmp_path: Path) -> None:
    def annotation(text: str, preference: float | None) -> dict[str, Any]:
        models = {"generator_1": "large", "generator_2": "small", "output_1": "a", "output_2": "b"}
        return {"instruction": text, "dataset": "helpful_base", "preference": preference, **models}

    given = {"first": 1.02, "second": 1.98, "draw": 1.5, "old draw": 0, "unclear": None}
    rows = [annotation(text, preference) for text, preference in given.items()]
    table = read_exports(write_json(tmp_path / "annotations.json", rows))
    assert outcomes(table) == {
        "first": {"large": 1.0, "small": 0.0},
        "second": {"large": 0.0, "small": 1.0},
        "draw": {"large": 1.0, "small": 1.0},
        "old draw": {"large": 1.0, "small": 1.0},
    }
    assert {request.task for request in table.requests} == {"helpful_base"}


def test_outputs_of_alpaca_eval_are_a_log_without_scores(tmp_path: Path) -> None:
    rows = [{"instruction": ASK, "output": "3", "generator": "small", "dataset": "d"}]
    with pytest.raises(TableError, match=r"log of AlpacaEval's model outputs without scores \(1 answers by small\)"):
        read_exports(write_json(tmp_path / "outputs.json", rows))


def test_arena_battles_with_a_column_for_each_outcome(tmp_path: Path) -> None:
    def battle(turns: list[Any], *won: int) -> dict[str, Any]:
        outcome = dict(zip(("winner_model_a", "winner_model_b", "winner_tie"), map(str, won), strict=True))
        prompt = json.dumps(turns)
        return {"id": "1", "model_a": "small", "model_b": "large", "prompt": prompt, "response_a": "[]", **outcome}

    rows = [battle([ASK], 0, 1, 0), battle([OTHER, "And \ud83d", None], 1, 0, 0), battle(["Tie"], 0, 0, 1)]
    table = read_exports(write_cells(tmp_path / "arena.csv", [*rows, battle(["?"], 0, 0, 0)]))
    assert outcomes(table) == {
        ASK: {"small": 0.0, "large": 1.0},
        f"{OTHER}\nAnd �": {"small": 1.0, "large": 0.0},
        "Tie": {"small": 1.0, "large": 1.0},
    }
    assert [request.turns for request in table.requests] == [1, 2, 1]


def test_arena_battles_with_whole_conversations(tmp_path: Path) -> None:
    def battle(winner: str, text: str) -> dict[str, Any]:
        said = [{"role": "user", "content": text}, {"role": "assistant", "content": "3"}]
        models = {"model_a": "small", "model_b": "large", "winner": winner}
        return {"question_id": "1", **models, "conversation_a": said, "conversation_b": said, "tstamp": 1768471200.5}

    rows = [battle("model_b", ASK), battle("tie (bothbad)", OTHER)]
    pl.DataFrame(rows).write_parquet(tmp_path / "arena.parquet")
    for path in (tmp_path / "arena.parquet", write_lines(tmp_path / "arena.jsonl", rows)):
        table = read_exports(path)
        assert outcomes(table) == {ASK: {"small": 0.0, "large": 1.0}, OTHER: {"small": 0.0, "large": 0.0}}
        assert table.timestamps[0] == 1768471200.5


# --- whichever tool


def test_compressed_exports_are_recognised_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json.gz"
    path.write_bytes(gzip.compress((EXPORTS / "promptfoo.json").read_bytes()))
    assert outcomes(read_exports(path)) == outcomes(read_exports("promptfoo.json"))


def test_a_table_in_a_known_form_is_no_export_whatever_else_it_has(tmp_path: Path) -> None:
    row = {"prompt": ASK, "score__small": "0", "score__large": "1", **observation("x", {"right": [0.5]})}
    table = read_exports(write_cells(tmp_path / "wide.csv", [row]))
    assert outcomes(table) == {ASK: {"small": 0.0, "large": 1.0}}
    assert table.files[0].form == "wide"


def test_a_column_renamed_for_a_table_does_not_hinder_an_export_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text(f"prompt,model,grade\n{OTHER},small,1\n", "utf-8")
    table = read_exports(tmp_path / "own.csv", "oaieval_small.jsonl", score="grade")
    assert outcomes(table)[OTHER] == {"small": 1.0}
    assert len(table.requests) == 3


def test_exports_in_archives_and_folders_are_found(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for name in ("langfuse_observations.json", "langfuse_scores.json"):
            archive.write(EXPORTS / name, name)
    packed = read_exports(tmp_path / "both.zip")
    assert outcomes(packed) == outcomes(read_exports("langfuse_observations.json", "langfuse_scores.json"))
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("small.eval", "large.eval"):
        (logs / name).write_bytes((EXPORTS / "inspect_ai" / name).read_bytes())
    assert outcomes(read_exports(logs)) == outcomes(read_exports("inspect_ai/small.eval", "inspect_ai/large.eval"))


def test_scores_on_another_scale_are_judged_as_those_of_tables_are(tmp_path: Path) -> None:
    def rated(number: int) -> dict[str, Any]:
        asked = {**observation(("small", "large")[number % 2], {"stars": number % 5 + 1}), "traceId": str(number)}
        return {**asked, "input": f"Question {number // 2}"}

    table = read_exports(write_json(tmp_path / "stars.json", [rated(number) for number in range(60)]))
    assert set(table.scores.ravel()) == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert any("1..5" in note for note in table.files[0].notes)
    few = write_json(tmp_path / "few.json", [rated(number) for number in range(4)])
    with pytest.raises(UnsureError) as caught:
        read_exports(few)
    assert caught.value.option == "scale"


@pytest.mark.parametrize("text", ["[1, 2, 3] is sorted?", "[1, 2, 3]", '{"a": 1}', '{"q": "why?"} is JSON?', "{{x}}"])
def test_prompts_that_look_like_json_stay_as_they_are(tmp_path: Path, text: str) -> None:
    results = [{**promptfoo_v2("small", 1.0), "prompt": {"raw": text}}]
    table = read_exports(write_json(tmp_path / "p.json", {"results": {"results": results}}))
    assert [request.whole for request in table.requests] == [text]
    rows = [{"instruction": text, "generator_1": "a", "generator_2": "b", "preference": 1}]
    assert list(outcomes(read_exports(write_json(tmp_path / "a.json", rows)))) == [text]


def test_inputs_of_several_fields_are_one_prompt_and_a_single_text_is_itself(tmp_path: Path) -> None:
    def asked(given: Any) -> str:
        row = {**observation("small", {"right": ["85%"]}), "input": given}
        table = read_exports(write_json(tmp_path / "o.json", [row]))
        assert table.scores.tolist() == [[0.85]]
        return table.requests[0].whole

    assert asked({"question": ASK, "top_k": 3}) == ASK
    assert asked({"question": ASK, "context": "2 < 3"}) == f"question: {ASK}\ncontext: 2 < 3"
    assert asked({"messages": [{"type": "human", "content": ASK}]}) == ASK
    assert asked([{"from": "system", "value": "Be brief."}, {"from": "human", "value": ASK}]) == f"Be brief.\n{ASK}"
    assert asked({"contents": [{"role": "user", "parts": [{"text": ASK}]}]}) == ASK
    assert asked({"system": "Be brief.", "messages": CHAT[1:]}) == f"Be brief.\n{ASK}"
    assert asked({"model": "m", "input": CHAT, "max_output_tokens": 5}) == f"Be brief.\n{ASK}"
    assert asked([*CHAT, {"role": "assistant", "content": "3, the answer that leaks"}]) == f"Be brief.\n{ASK}"
