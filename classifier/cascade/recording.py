"""What a cascade tells the outcome store of a request."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

from classifier.cascade.calls import Attempt
from classifier.cascade.run import CascadeRun
from classifier.features import Features
from classifier.gates import Answer, Verdict, answer_features
from classifier.outcomes.privacy import FEATURES
from classifier.outcomes.records import AUDIT, AttemptRecord, DecisionRecord

_log = logging.getLogger(__name__)


class OutcomeSink(Protocol):
    """What a cascade needs of an outcome store; `classifier.outcomes.OutcomeStore` is one."""

    def record(self, decision: DecisionRecord) -> None:
        """Keep a decision with its attempts."""

    def record_attempt(self, decision_id: str, attempt: AttemptRecord) -> None:
        """Keep an attempt made later."""

    def record_feedback(self, decision_id: str, score: float, *, tier: str | None = None, source: str = "user") -> None:
        """Keep how good an answer was."""

    def close(self) -> object:
        """Write what is waiting."""


class LazyFeatures(Mapping[str, float]):
    """Numbers on an answer, computed when they are first read: by the thread that writes, not by the request's."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @cached_property
    def _found(self) -> dict[str, float]:
        return answer_features(self._answer)

    def __getitem__(self, name: str) -> float:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class Recorder:
    """Tells a store of runs; whatever goes wrong there, the request does not notice."""

    def __init__(self, store: OutcomeSink | None) -> None:
        self.store = store

    def __call__(self, run: CascadeRun) -> None:
        """Record a run that has ended."""
        if self.store is None:
            return
        run.recorded = len(run.attempts)
        try:
            self.store.record(decision_record(run, self._features(run)))
        except Exception as error:
            _log.warning("an outcome was not recorded (%s)", type(error).__name__)

    def _features(self, run: CascadeRun) -> Features | None:
        """The request's features, where the store wants them in place of the request."""
        if getattr(self.store, "mode", None) != FEATURES:
            return None
        return run.decision.features

    def audit(self, run: CascadeRun, scores: Mapping[str, float]) -> None:
        """Record what an audit of a run found: its calls, and the answers' scores by tier."""
        if self.store is None:
            return
        try:
            for place in range(run.recorded, len(run.attempts)):
                self.store.record_attempt(run.id, attempt_record(place, run.attempts[place]))
            for tier, score in scores.items():
                self.store.record_feedback(run.id, score, tier=tier, source=AUDIT)
        except Exception as error:
            _log.warning("an audit was not recorded (%s)", type(error).__name__)


def decision_record(run: CascadeRun, features: Features | None = None) -> DecisionRecord:
    """All that is known of a run, with the request's features where they are to be kept."""
    decision, arguments, policy, route = run.decision, run.as_chat, run.policy, run.route
    loaded, expected = decision.loaded, decision.prediction
    setting = decision.plan.setting
    return DecisionRecord(
        id=run.id,
        time=datetime.fromtimestamp(run.time, UTC),
        chosen=loaded.tiers[route.places[0]].name,
        rule=decision.strategy,
        artifact=loaded.digest,
        setting={} if setting is None else {**asdict(setting), "promise": decision.plan.promise},
        menu=[tier.name for tier in loaded.learned_tiers],
        messages=list(arguments.get("messages", ())),
        features=features,
        task=decision.request.task,
        max_tokens=decision.request.max_tokens,
        tools=arguments.get("tools"),
        response_format=_plain(arguments.get("response_format")),
        probabilities=expected.adequate,
        expected_quality=expected.quality,
        expected_cost=decision.costs,
        novelty=decision.novelty,
        propensity=route.propensity,
        explored=route.explored,
        audited=run.audited,
        answered=None if run.kept is None else run.kept.tier,
        key=run.key,
        planned=loaded.tiers[route.planned].name,
        start_probabilities={loaded.tiers[place].name: chance for place, chance in route.starts.items() if chance > 0},
        candidate=None if route.draw is None else route.draw.candidate,
        explore_share=policy.explore,
        audit_share=0.0 if run.final or run.stream is not None else policy.audit,
        gate=getattr(policy.gate, "name", type(policy.gate).__name__),
        attempts=tuple(attempt_record(place, attempt) for place, attempt in enumerate(run.attempts)),
    )


def attempt_record(position: int, attempt: Attempt) -> AttemptRecord:
    """All that is known of one call."""
    verdict, answer = attempt.verdict, attempt.answer
    return AttemptRecord(
        position=position,
        purpose=attempt.purpose,
        tier=attempt.tier,
        model=attempt.model,
        passed=None if verdict is None else verdict.passed,
        score=None if verdict is None else verdict.score,
        gates=[] if verdict is None else _gates([verdict]),
        tokens_in=attempt.tokens_in,
        tokens_out=attempt.tokens_out,
        cost=attempt.estimated_cost if attempt.cost is None else attempt.cost,
        cost_source=attempt.cost_source,
        tokens_cached=attempt.usage.cached if attempt.usage.tokens_in is not None else None,
        tokens_reasoning=attempt.usage.reasoning,
        latency=attempt.latency,
        finish_reason=attempt.finish_reason,
        error=attempt.error,
        response=None if answer is None else answer.text,
        answer_features=None if answer is None else LazyFeatures(answer),
    )


def _gates(verdicts: Sequence[Verdict]) -> list[Mapping[str, Any]]:
    """The verdicts that others were made from, or those that stand for themselves."""
    found: list[Mapping[str, Any]] = []
    for verdict in verdicts:
        if verdict.parts:
            found += _gates(verdict.parts)
        else:
            found.append(
                {"gate": verdict.gate, "score": verdict.score, "passed": verdict.passed, "reason": verdict.reason}
            )
    return found


def _plain(response_format: Any) -> Any:
    """A response format as JSON; a class (structured outputs) by its schema."""
    schema = getattr(response_format, "model_json_schema", None)
    if callable(schema):
        return {"type": "json_schema", "json_schema": {"name": response_format.__name__, "schema": schema()}}
    return response_format
