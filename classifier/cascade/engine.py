"""One request through a cascade: whom to ask, what to keep, when to go on. Decides and never waits, see `calls`.

`Engine.steps` is a generator that yields what is to be done and returns the `Run`. What fails is treated as `failures`
says; whatever happens, an answer that some tier can give within the deadline is given.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias, TypeVar

from openai.types.chat import ChatCompletion

from classifier.cascade.budget import CHEAPEST as CHEAPEST_WHEN_REACHED
from classifier.cascade.budget import Budget
from classifier.cascade.calls import ANSWER, AUDIT, EXPLORE, Attempt, Call, Pause, price
from classifier.cascade.failures import failure, is_passing, retry_after
from classifier.cascade.route import GateRates, Odds, Route, explore, fallbacks, find_route, start_tier
from classifier.cascade.streams import Collected
from classifier.decision import Decision
from classifier.errors import BudgetExceededError
from classifier.gates import Answer, Ask, Gate, Verdict, read_answer
from classifier.gates.agreement import claim
from classifier.outcomes.records import new_id
from classifier.request import make_request
from classifier.router import Router

Result = TypeVar("Result")
Steps: TypeAlias = Generator[Call | Pause | Awaitable[Any], Any, Result]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE = 8.0
_USUAL_TOKENS = 500  # of an answer, where nothing is known of it
# Arguments that are the cascade's business and not the upstream's.
_OWN = frozenset({"model", "stream", "timeout"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How a cascade treats its requests; `classifier.cascade.Cascade` says what each field means."""

    gate: Gate
    odds: Odds = field(default_factory=GateRates)
    start: str = "router"
    deadline: float | None = 600.0
    retries: int = 2
    explore: float = 0.0
    explore_floor: float = 0.9
    audit: float = 0.0
    audit_gate: Gate | None = None
    budget: Budget | None = None
    stream_optimistically: bool = False


@dataclass(slots=True)
class Run:
    """One request on its way.

    Attributes
    ----------
    id : of its outcome.
    time : when it came, seconds since 1970.
    attempts : every call that was made, in order.
    tried : places of the tiers that were asked for an answer.
    kept : the attempt whose answer the caller gets; None while there is none.
    stream : the client's stream, where the answer is one.
    passed : whether a gate passed the answer; None where none had to.
    audited : the reference is to be asked as well.
    recorded : how many of the attempts the outcome store knows of.
    """

    id: str
    time: float
    decision: Decision
    route: Route
    arguments: Mapping[str, Any] = field(repr=False)
    key: str | None
    wants_stream: bool
    ends: float | None
    attempts: list[Attempt] = field(default_factory=list)
    tried: list[int] = field(default_factory=list)
    kept: Attempt | None = None
    stream: Any = field(default=None, repr=False)
    passed: bool | None = None
    audited: bool = False
    recorded: int = 0
    error: Exception | None = field(default=None, repr=False)

    @property
    def completion(self) -> ChatCompletion:
        """The answer that the caller gets, where it is no stream."""
        assert self.kept is not None
        assert self.kept.completion is not None
        return self.kept.completion

    @property
    def cost(self) -> float | None:
        """USD of all attempts; None where one's is unknown."""
        costs = [attempt.cost for attempt in self.attempts if attempt.error is None]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None


class Engine:
    """Takes requests through a cascade by one policy; threads may share it."""

    def __init__(
        self,
        router: Router,
        policy: Policy,
        *,
        record: Callable[[Run], None] | None = None,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; ``record`` is told of every run that has ended, in whichever way.

        Where there is one, the last tier's answers are judged as well, though nothing depends on it but what is learned
        later.
        """
        self.router, self.policy = router, policy
        self._records, self._record = record is not None, record or (lambda run: None)
        self._random, self._clock = random or Random(), clock

    def check_start(self) -> None:
        """Refuse a start that the menu does not know.

        Raises
        ------
        InputError : the policy's start is no tier.
        """
        start_tier(self.router, self.policy.start)

    def steps(self, arguments: Mapping[str, Any], *, task: str | None = None, key: str | None = None) -> Steps[Run]:
        """Take one request through.

        Parameters
        ----------
        arguments : of ``chat.completions.create``; ``model`` "auto" or none lets the router choose, a tier's name or
            model starts there.
        task, key : the request's label, and who pays for it.

        Raises
        ------
        NoFeasibleTierError : no tier of the menu can serve the request.
        BudgetExceededError : a spend limit is reached, and the budget's policy is to refuse.
        openai.OpenAIError : the upstream's own, when no tier gave an answer.
        """
        run = self._begin(arguments, task, key)
        try:
            yield from self._answer(run)
        finally:
            if run.stream is None:
                self._record(run)
        if run.kept is None:
            assert run.error is not None
            raise run.error
        return run

    def end_stream(self, run: Run, collected: Collected, error: BaseException | None) -> Steps[Verdict | None]:
        """Note what came of a streamed answer, with the gate's verdict where the gate need not ask anybody for it.

        Parameters
        ----------
        collected : what was streamed.
        error : what ended the stream before its time.
        """
        attempt = run.kept
        assert attempt is not None
        attempt.error = None if error is None else failure(error)
        answer = collected.answer(attempt.tier, attempt.model, run.decision.request, run.arguments)
        self._note_answer(attempt, answer)
        self._settle(run, attempt)
        try:
            if self._records and error is None:
                attempt.verdict = yield from self._judge(run, attempt, answer, may_ask=False)
        finally:
            self._record(run)
        return attempt.verdict

    def audit(self, run: Run) -> Steps[float | None]:
        """Ask the reference what has been answered already, and compare.

        Returns
        -------
        The score (0..1) of the answer that was kept; None: it cannot be told.
        """
        attempt, answer = yield from self._call(run, self.router.model.reference, AUDIT, run.arguments, None)
        kept = None if run.kept is None else run.kept.answer
        if answer is None or kept is None:
            return None
        gate = self.policy.audit_gate
        if gate is None:
            said, wanted = claim(kept), claim(answer)
            return None if said is None or wanted is None else float(said == wanted)
        attempt.verdict = yield from self._judge(run, attempt, answer, may_ask=True, gate=gate)
        verdict = yield from self._judge(run, attempt, kept, may_ask=True, gate=gate)
        return None if verdict is None else verdict.score

    def _begin(self, arguments: Mapping[str, Any], task: str | None, key: str | None) -> Run:
        messages = arguments.get("messages") or ()
        if not isinstance(messages, Sequence):  # what can be read once only is read here
            messages = list(messages)
            arguments = {**arguments, "messages": messages}
        decision = self.router.decide(
            make_request(
                messages=messages,
                max_tokens=arguments.get("max_completion_tokens") or arguments.get("max_tokens"),
                task=task,
                tools=arguments.get("tools") or arguments.get("functions"),
                response_format=arguments.get("response_format"),
            )
        )
        policy, model = self.policy, arguments.get("model")
        start = policy.start if not isinstance(model, str) or model == "auto" else model
        route = find_route(decision, policy.odds, start)
        if start == policy.start:
            route = explore(route, decision, policy.odds, policy.explore, policy.explore_floor, self._random)
        route = self._within_budget(decision, route, key)
        wants_stream = bool(arguments.get("stream"))
        if wants_stream and policy.stream_optimistically:
            route = Route(route.places[:1], route.propensity, route.explored)
        given = arguments.get("timeout")
        limit = float(given) if isinstance(given, int | float) else policy.deadline
        return Run(
            id=new_id(),
            time=time.time(),
            decision=decision,
            route=route,
            arguments={name: value for name, value in arguments.items() if name not in _OWN},
            key=key,
            wants_stream=wants_stream,
            ends=None if limit is None else self._clock() + limit,
        )

    def _within_budget(self, decision: Decision, route: Route, key: str | None) -> Route:
        """The route, or the cheapest tier alone where the limit is reached before the first call."""
        budget, first = self.policy.budget, route.places[0]
        if budget is None or budget.has_room(key, self._expected_cost(decision, first)):
            return route
        if budget.when_reached != CHEAPEST_WHEN_REACHED:
            raise BudgetExceededError(
                f"the spend limit{'' if key is None else ' of this key'} is reached; raise Budget's total or per_key, "
                "or let the cheapest tier answer with when_reached='cheapest'"
            )
        return Route(decision.feasible[:1])

    def _expected_cost(self, decision: Decision, place: int) -> float:
        costs, tier = decision.prediction.cost, self.router.tiers[place]
        if place < len(costs):
            return costs[place]
        return price(tier, round(decision.tokens), decision.request.max_tokens or _USUAL_TOKENS) or 0.0

    def _answer(self, run: Run) -> Steps[None]:
        for place in run.route.places:
            if (yield from self._try(run, place, last=place == run.route.places[-1])):
                return
        yield from self._fail_over(run)

    def _try(self, run: Run, place: int, *, last: bool) -> Steps[bool]:
        """Ask one tier; whether the request is answered by that."""
        if run.attempts and not (self._time_left(run) > 0 and self._has_room(run, place)):
            return False
        purpose = EXPLORE if run.route.explored and not run.attempts else ANSWER
        run.tried.append(place)
        if last and run.wants_stream:
            return (yield from self._stream(run, place, purpose))
        judged = self._records or not last
        arguments = {**run.arguments, **self.policy.gate.needs()} if judged else run.arguments
        attempt, answer = yield from self._call(run, place, purpose, arguments, self._patience(run))
        if answer is None:
            return False
        if judged:
            attempt.verdict = yield from self._judge(run, attempt, answer, may_ask=not last)
        passed = attempt.verdict is not None and attempt.verdict.passed
        if not (last or passed):
            self._keep_if_better(run, attempt)
            return False
        run.kept, run.passed = attempt, None if last else True
        run.audited = place != self.router.model.reference and self._random.random() < self.policy.audit
        return True

    def _keep_if_better(self, run: Run, attempt: Attempt) -> None:
        """Keep an answer that was turned down until there is a better one."""
        score = attempt.verdict.score if attempt.verdict else 0.0
        best = run.kept.verdict.score if run.kept and run.kept.verdict else -1.0
        if score > best:
            run.kept, run.passed = attempt, False

    def _fail_over(self, run: Run) -> Steps[None]:
        """Where the route's last call failed: dearer tiers, an answer that was turned down, the others, once more."""
        last = run.tried[-1]
        answering = [attempt for attempt in run.attempts if attempt.purpose in (ANSWER, EXPLORE)]
        if answering[-1].error is None:
            return  # it did answer, and time or money is up
        for place in fallbacks(run.decision, run.tried):
            if run.kept is not None and place < last:
                break
            if (yield from self._try(run, place, last=True)):
                return
        for turn in range(self.policy.retries):
            if run.kept is not None or run.error is None or not is_passing(run.error):
                return
            pause = retry_after(run.error) or min(_LONGEST_PAUSE, 0.5 * 2**turn) * (0.75 + 0.25 * self._random.random())
            if pause >= self._time_left(run):
                return
            yield Pause(pause)
            if (yield from self._try(run, last, last=True)):
                return

    def _stream(self, run: Run, place: int, purpose: str) -> Steps[bool]:
        """Ask for a stream; what comes of it is known when it ends."""
        tier = self.router.tiers[place]
        attempt = self._begin_attempt(run, place, purpose)
        began = self._clock()
        try:
            run.stream = yield Call(tier, run.arguments, self._patience(run), stream=True)
        except Exception as error:
            attempt.error, run.error = failure(error), error
            return False
        finally:
            attempt.latency = self._clock() - began
            if run.stream is None:
                self._settle(run, attempt)
        run.kept, run.passed = attempt, None
        return True

    def _call(
        self, run: Run, place: int, purpose: str, arguments: Mapping[str, Any], timeout: float | None
    ) -> Steps[tuple[Attempt, Answer | None]]:
        """One call, noted among the run's attempts; no answer where it failed."""
        tier = self.router.tiers[place]
        attempt = self._begin_attempt(run, place, purpose)
        began = self._clock()
        answer = None
        try:
            completion = yield Call(tier, arguments, timeout)
            attempt.error = None
            answer = self._read(run, attempt, completion, arguments)
        except Exception as error:
            attempt.error, run.error = failure(error), error
        finally:
            attempt.latency = self._clock() - began
            self._settle(run, attempt)
        return attempt, answer

    def _begin_attempt(self, run: Run, place: int, purpose: str) -> Attempt:
        """An attempt at a tier; it counts as cancelled until something else is known of it."""
        tier = self.router.tiers[place]
        attempt = Attempt(purpose, tier.name, tier.model, error="cancelled")
        run.attempts.append(attempt)
        if self.policy.budget is not None:
            attempt.reserved = self._expected_cost(run.decision, place)
            self.policy.budget.add(run.key, attempt.reserved)
        return attempt

    def _read(self, run: Run, attempt: Attempt, completion: Any, arguments: Mapping[str, Any]) -> Answer:
        """The answer in a completion; an unusable one raises."""
        answer = read_answer(
            completion, tier=attempt.tier, model=attempt.model, request=run.decision.request, arguments=arguments
        )
        assert isinstance(completion, ChatCompletion)
        attempt.completion = completion
        self._note_answer(attempt, answer)
        return answer

    def _note_answer(self, attempt: Attempt, answer: Answer) -> None:
        """Note what an answer cost and how it ended."""
        tier = next(tier for tier in self.router.tiers if tier.name == attempt.tier)
        attempt.answer, attempt.finish_reason = answer, answer.finish_reason
        attempt.tokens_in, attempt.tokens_out = answer.tokens_in, answer.tokens_out
        attempt.cost = price(tier, answer.tokens_in, answer.tokens_out)

    def _judge(
        self, run: Run, attempt: Attempt, answer: Answer, *, may_ask: bool, gate: Gate | None = None
    ) -> Steps[Verdict | None]:
        """A gate's verdict; a gate that raises has not passed."""
        gate = gate or self.policy.gate
        steps = gate.steps(answer)
        try:
            wanted = next(steps)
            while True:
                if isinstance(wanted, Ask) and not may_ask:
                    return None
                try:
                    reply = yield from self._reply(run, attempt, wanted)
                except Exception as error:
                    wanted = steps.throw(error)
                else:
                    wanted = steps.send(reply)
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict
        except Exception as error:
            _log.warning("gate %s raised %s; it counts as failed", gate.name, type(error).__name__)
            return Verdict(gate.name, 0.0, False, f"the gate raised {type(error).__name__}")
        finally:
            steps.close()

    def _reply(self, run: Run, attempt: Attempt, wanted: Ask | Awaitable[Any]) -> Steps[Any]:
        """What a gate asked for."""
        if not isinstance(wanted, Ask):
            return (yield wanted)
        tier = self.router.menu.find(wanted.tier or attempt.tier)
        if tier is None:
            raise ValueError(f"gate asks tier '{wanted.tier}', which the menu does not have")
        place = self.router.tiers.index(tier)
        _, answer = yield from self._call(run, place, wanted.purpose, wanted.arguments, self._patience(run))
        if answer is None:
            assert run.error is not None
            raise run.error
        return answer

    def _time_left(self, run: Run) -> float:
        return float("inf") if run.ends is None else run.ends - self._clock()

    def _patience(self, run: Run) -> float | None:
        """Seconds that a call may take: half of what is left while there are tiers that have not been asked."""
        left = self._time_left(run)
        if left == float("inf"):
            return None
        others = len(set(run.tried)) < len(run.decision.feasible)
        return max(left / 2 if others else left, 1e-3)

    def _has_room(self, run: Run, place: int) -> bool:
        budget = self.policy.budget
        return budget is None or budget.has_room(run.key, self._expected_cost(run.decision, place))

    def _settle(self, run: Run, attempt: Attempt) -> None:
        """Count what an attempt cost in the place of what was set aside for it."""
        if self.policy.budget is not None:
            self.policy.budget.add(run.key, (attempt.cost or 0.0) - attempt.reserved)
            attempt.reserved = 0.0
