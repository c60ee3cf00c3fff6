"""One request through a cascade: whom to ask, what to keep, when to go on. Decides and never waits, see `calls`.

`Engine.steps` is a generator that yields what is to be done and returns the `CascadeRun`. What fails is treated as
`failures` says; whatever happens, an answer that some tier can give within the deadline is given.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from random import Random, SystemRandom
from typing import Any, NoReturn

import openai

from classifier.cascade.budget import REFUSE
from classifier.cascade.calls import (
    ANSWER,
    AUDIT,
    EXPLORE,
    Api,
    Attempt,
    Call,
    EventCollector,
    NotSentError,
    Pause,
    Steps,
)
from classifier.cascade.candidate import Candidate
from classifier.cascade.chat import CHAT
from classifier.cascade.chat_form import answer_message
from classifier.cascade.conversations import Conversations
from classifier.cascade.exploration import Explorer
from classifier.cascade.failures import blames_request, failure, for_caller, is_bad_request, is_passing, retry_after
from classifier.cascade.fitting import Fitting
from classifier.cascade.judging import judge
from classifier.cascade.ledger import Ledger
from classifier.cascade.route import ROUTER, TierOrder, fallbacks, find_route, start_tier
from classifier.cascade.run import CascadeRun, Policy
from classifier.cascade.usage import read_bill
from classifier.cascade.wire import http_response
from classifier.decision import Decision
from classifier.errors import BudgetExceededError, ConfigError, UnreadableMessagesError
from classifier.fields import json_chars
from classifier.gates import Answer, Ask, Verdict, final_answer
from classifier.gates.agreement import claim
from classifier.gates.gate import needs_of
from classifier.outcomes.records import new_id
from classifier.request import Request, read_arguments
from classifier.router import Router

_log = logging.getLogger(__name__)
_LONGEST_PAUSE = 8.0
# Arguments that are the cascade's business and not the upstream's.
_OWN = frozenset({"model", "stream", "timeout"})
_UNFINISHED = frozenset({"queued", "in_progress"})  # of a response in the background
_NOT_GIVEN = tuple(getattr(openai, name) for name in ("NotGiven", "Omit") if hasattr(openai, name))


class Engine:
    """Takes requests through a cascade by one policy; threads may share it."""

    def __init__(
        self,
        router: Router,
        policy: Policy,
        *,
        candidate: Candidate | None = None,
        record: Callable[[CascadeRun], None] | None = None,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; ``record`` is told of every run that has ended, in whichever way; ``candidate`` directs exploration.

        Where there is one, the last tier's answers are judged as well, though nothing depends on it but what is learned
        later.
        """
        self.router, self.policy = router, policy
        self._ledger = Ledger(policy.budget)
        self._records, self._record = record is not None, record or (lambda run: None)
        # The system's numbers have no state that processes forked from this one would share.
        self._random, self._clock = random or SystemRandom(), clock
        self.conversations = Conversations()
        self._explorer = Explorer(policy, candidate, self._random)
        self.fitting = Fitting()

    def check_start(self) -> None:
        """Refuse a start that the menu does not know.

        Raises
        ------
        InputError : the policy's start is no tier.
        """
        start_tier(self.router.menu, self.policy.start)

    def steps(
        self,
        arguments: Mapping[str, Any],
        *,
        api: Api = CHAT,
        task: str | None = None,
        key: str | None = None,
    ) -> Steps[CascadeRun]:
        """Take one request through.

        Parameters
        ----------
        arguments : of the ``create`` of the API's resource; ``model`` "auto" or none lets the router choose, a tier's
            name or model starts there.
        api : by which the request comes.
        task, key : the request's label, and who pays for it.

        Raises
        ------
        NoFeasibleTierError : no tier of the menu can serve the request.
        BudgetExceededError : a spend limit is reached, and the budget's policy is to refuse.
        openai.OpenAIError : the upstream's own, when no tier gave an answer.
        """
        run = self._begin(api, arguments, task, key)
        try:
            yield from self._answer(run)
        finally:
            if run.stream is None and run.attempts:
                self._record(run)
        if run.kept is None:
            raise for_caller(run.error)
        return run

    def end_stream(
        self, run: CascadeRun, collected: EventCollector, error: BaseException | None
    ) -> Steps[Verdict | None]:
        """Note what came of a streamed answer, with the gate's verdict where the gate need not ask anybody for it.

        Parameters
        ----------
        collected : what was streamed.
        error : what ended the stream before its time.
        """
        attempt, answer = self._note_stream(run, collected, error)
        try:
            if self._records and error is None:
                attempt.verdict = yield from self._judge(run, attempt, answer, may_ask=False)
        finally:
            self._record(run)
        return attempt.verdict

    def remember_stream(self, run: CascadeRun, collected: EventCollector) -> None:
        """Keep in mind what a stream that has just ended has said; the next request may refer to it at once."""
        kept = run.kept
        assert kept is not None
        self._remember(
            run,
            collected.id,
            lambda: collected.answer(kept.tier, kept.model, run.decision.request, run.as_chat),
        )

    def abandon_stream(self, run: CascadeRun, collected: EventCollector) -> None:
        """The same for a stream that nobody reads any more; without a verdict, and without waiting for anything."""
        self._note_stream(run, collected, GeneratorExit())
        self._record(run)

    def audit(self, run: CascadeRun) -> Steps[dict[str, float]]:
        """Ask the reference what has been answered already, and compare.

        Returns
        -------
        Scores (0..1) of the answer that was kept and of the reference's, by tier; without those that cannot be told.
        """
        kept, reference = run.kept, run.loaded.reference
        run.ends = self._end(self.policy.deadline)
        attempt, answer = yield from self._call(run, reference, AUDIT, run.arguments)
        if answer is None or kept is None or kept.answer is None:
            return {}
        if self.policy.audit_gate is None:
            return _compared(kept, attempt)
        scores = {}
        for each in (attempt, kept):
            assert each.answer is not None
            verdict = yield from judge(
                self.policy.audit_gate,
                each.answer,
                partial(self._ask, run, each.tier),
                partial(self._patience, run),
                auditing=True,
            )
            if verdict is not None:
                scores[each.tier] = verdict.score
        return scores

    def _begin(self, api: Api, arguments: Mapping[str, Any], task: str | None, key: str | None) -> CascadeRun:
        given = {name: value for name, value in arguments.items() if not isinstance(value, _NOT_GIVEN)}
        policy, reference = self.policy, api.earlier(given)
        earlier = None if reference is None else self.conversations.find(reference)
        as_chat = api.as_chat(given, () if earlier is None else earlier.messages or ())
        request = _request(as_chat, task)
        decision = self.router.decide(request)
        if reference is not None:
            decision = self.conversations.at_home(decision, earlier, given.get("model"))
        unseen = not request.turns or (reference is not None and (earlier is None or earlier.messages is None))
        final = api.is_final(given)
        route = self._route(decision, given.get("model"), unseen=unseen, final=final)
        wants_stream = bool(given.get("stream"))
        if final or (wants_stream and policy.stream_optimistically):
            route = replace(route, places=route.places[:1])
        limit = _limit(given.get("timeout"), policy.deadline)
        sent = {name: value for name, value in given.items() if name not in _OWN}
        return CascadeRun(
            id=new_id(),
            time=time.time(),
            policy=policy,
            decision=decision,
            route=route,
            api=api,
            arguments=sent,
            as_chat=sent if as_chat is given else as_chat,
            key=key,
            wants_stream=wants_stream,
            final=final,
            limit=limit,
            ends=self._end(limit),
        )

    def _route(self, decision: Decision, model: object, *, unseen: bool, final: bool) -> TierOrder:
        """Which tiers to try.

        Parameters
        ----------
        unseen : most of the request is kept by the provider, or it is of no known form, so only the reference is known
            to be good enough.
        final : only one answer may be asked for, so no tier is tried in the hope of another.
        """
        odds, start = self.policy.odds, self.policy.start
        if isinstance(model, str) and model != "auto":
            start_tier(self.router.menu, model, "model")
            return find_route(decision, odds, model)
        if start == ROUTER and unseen:
            return find_route(decision, odds, decision.loaded.tiers[decision.loaded.reference].name)
        if start == ROUTER and final:
            start = decision.tier
        return self._explorer.explore(find_route(decision, odds, start), decision)

    def _end(self, limit: float | None) -> float | None:
        return None if limit is None else self._clock() + limit

    def _answer(self, run: CascadeRun) -> Steps[None]:
        first, *others = run.route.places
        if (yield from self._try(run, first, last=not others)):
            return
        if not run.attempts:  # the budget does not allow the first call
            yield from self._answer_on_no_budget(run)
            return
        for place in others:
            if (yield from self._try(run, place, last=place == others[-1])):
                return
        yield from self._fail_over(run)

    def _answer_on_no_budget(self, run: CascadeRun) -> Steps[None]:
        """Refuse, or ask the cheapest tier whatever it costs."""
        budget = self.policy.budget
        assert budget is not None
        if budget.when_reached == REFUSE:
            raise BudgetExceededError(
                f"the spend limit{'' if run.key is None else ' of this key'} is reached; raise Budget's total or "
                "per_key, or let the cheapest tier answer with when_reached='cheapest'"
            )
        run.route = TierOrder(run.decision.feasible[:1])
        yield from self._try(run, run.route.places[0], last=True, overdraw=True)

    def _try(self, run: CascadeRun, place: int, *, last: bool, overdraw: bool = False) -> Steps[bool]:
        """Ask one tier; whether the request is answered by that."""
        if run.attempts and self._time_left(run) <= 0:
            return False
        purpose = EXPLORE if run.route.explored and not run.attempts else ANSWER
        attempt = self._begin_attempt(run, place, purpose, overdraw=overdraw)
        if attempt is None:
            return False
        run.tried.append(place)
        run.errors.pop(place, None)
        if last and run.wants_stream:
            return (yield from self._stream(run, place, attempt))
        arguments = run.arguments if last else run.api.with_needs(run.arguments, needs_of(self.policy.gate))
        added = [name for name, value in arguments.items() if value is not run.arguments.get(name)]
        answer = yield from self._complete(run, place, attempt, arguments, added)
        if answer is None:
            assert attempt.exception is not None
            self._note_failure(run, place, attempt.exception)
            return False
        if self._records or not last:
            attempt.verdict = yield from self._judge(run, attempt, answer, may_ask=not last)
        passed = attempt.verdict is not None and attempt.verdict.passed
        if not (last or passed):
            self._keep_if_better(run, attempt)
            return False
        run.kept, run.passed = attempt, None if last else True
        self._remember(run, getattr(attempt.completion, "id", None), lambda: answer)
        if not run.final:
            run.audited = place != run.loaded.reference and self._random.random() < self.policy.audit
        return True

    def _remember(self, run: CascadeRun, answer_id: object, answer: Callable[[], Answer]) -> None:
        """Keep what was said in mind, where a later request may refer to it."""
        for reference in run.api.references(run.arguments, answer_id):
            assert run.kept is not None
            instructions = int(bool(run.arguments.get("instructions")))
            said = [*run.as_chat["messages"][instructions:], answer_message(answer())]
            self.conversations.note(reference, run.kept.tier, said)

    def _note_failure(self, run: CascadeRun, place: int, error: Exception) -> None:
        """Note what came of a call; raise it where the other tiers would say the same."""
        run.errors[place] = error
        if run.kept is not None or not is_bad_request(error, run.arguments):
            return
        run.refused.add(place)
        if blames_request(error, run.arguments) or len(run.refused) > 1:
            raise error

    def _keep_if_better(self, run: CascadeRun, attempt: Attempt) -> None:
        """Keep an answer that was turned down until there is a better one."""
        score = attempt.verdict.score if attempt.verdict else 0.0
        if run.kept is None or run.kept.verdict is None or score > run.kept.verdict.score:
            run.kept, run.passed = attempt, False

    def _fail_over(self, run: CascadeRun) -> Steps[None]:
        """Where the route's last call failed: dearer tiers, an answer that was turned down, the others, once more."""
        last = run.tried[-1]
        if last not in run.errors:
            return  # it did answer, and time or money is up
        for place in fallbacks(run.decision, run.tried):
            if run.kept is not None and place < last:
                break
            if (yield from self._try(run, place, last=True)):
                return
        if run.kept is None:
            yield from self._try_again(run)

    def _try_again(self, run: CascadeRun) -> Steps[None]:
        """Ask the tiers again whose failure may have passed, after the pause that the most patient of them wants."""
        for turn in range(self.policy.retries):
            order = dict.fromkeys([*run.route.places[::-1], *run.tried])
            hopeful = [place for place in order if place in run.errors and is_passing(run.errors[place])]
            if not hopeful:
                return
            usual = min(_LONGEST_PAUSE, 0.5 * 2**turn) * (0.75 + 0.25 * self._random.random())
            pause = min(retry_after(run.errors[place]) or usual for place in hopeful)
            if pause >= self._time_left(run):
                return
            yield Pause(pause)
            for place in hopeful:
                if (yield from self._try(run, place, last=True)):
                    return

    def _stream(self, run: CascadeRun, place: int, attempt: Attempt) -> Steps[bool]:
        """Ask for a stream; what comes of it is known when it ends."""
        began = self._clock()
        try:
            tier, patience = run.loaded.tiers[place], self._patience(run)
            call = Call(tier, run.arguments, api=run.api, timeout=patience, stream=True, gap=run.limit)
            run.stream = yield from self.fitting.send(call, run.arguments, (), partial(self._patience, run))
        except NotSentError as error:
            self._withdraw(run, attempt, error)
        except Exception as error:
            attempt.error, attempt.exception = failure(error), error
            self._note_failure(run, place, error)
            return False
        finally:
            attempt.latency = self._clock() - began
            if run.stream is None:
                self._ledger.settle(run, attempt)
        run.kept, run.passed = attempt, None
        return True

    def _note_stream(
        self, run: CascadeRun, collected: EventCollector, error: BaseException | None
    ) -> tuple[Attempt, Answer]:
        attempt = run.kept
        assert attempt is not None
        attempt.error = None if error is None else failure(error)
        answer = collected.answer(attempt.tier, attempt.model, run.decision.request, run.as_chat)
        attempt.answer, attempt.finish_reason = answer, answer.finish_reason
        self._ledger.note_bill(run, attempt, collected.bill)
        self._ledger.settle(run, attempt)
        return attempt, answer

    def _call(
        self,
        run: CascadeRun,
        place: int,
        purpose: str,
        arguments: Mapping[str, Any],
        optional: Collection[str] = (),
    ) -> Steps[tuple[Attempt, Answer | None]]:
        """One call beside those that are to answer the request.

        Raises
        ------
        BudgetExceededError : it is not to be paid for.
        """
        attempt = self._begin_attempt(run, place, purpose)
        if attempt is None:
            raise BudgetExceededError(f"the budget does not allow to ask {run.loaded.tiers[place].name} ({purpose})")
        answer = yield from self._complete(run, place, attempt, arguments, optional)
        return attempt, answer

    def _begin_attempt(self, run: CascadeRun, place: int, purpose: str, *, overdraw: bool = False) -> Attempt | None:
        """An attempt at a tier, cancelled until something else is known of it; None: the budget does not allow it."""
        tier = run.loaded.tiers[place]
        attempt = Attempt(purpose, tier.name, tier.model, error="cancelled")
        if overdraw:
            self._ledger.overdraw(run, attempt, place)
        elif not self._ledger.reserve(run, attempt, place):
            return None
        run.attempts.append(attempt)
        return attempt

    def _complete(
        self,
        run: CascadeRun,
        place: int,
        attempt: Attempt,
        arguments: Mapping[str, Any],
        optional: Collection[str] = (),
    ) -> Steps[Answer | None]:
        """Make a call; no answer where it failed.

        Parameters
        ----------
        optional : names of arguments that are no wish of the caller's; what he gave stands in for them.
        """
        began = self._clock()
        answer = None
        own = run.arguments if attempt.purpose in (ANSWER, EXPLORE) else {}
        try:
            call = Call(run.loaded.tiers[place], arguments, api=run.api, timeout=self._patience(run))
            completion = yield from self.fitting.send(call, own, optional, partial(self._patience, run))
            answer = self._read(run, attempt, completion, arguments)
            attempt.error = None
        except NotSentError as error:
            self._withdraw(run, attempt, error)
        except Exception as error:
            attempt.error, attempt.exception = failure(error), error
        finally:
            attempt.latency = self._clock() - began
            self._ledger.settle(run, attempt)
        return answer

    def _withdraw(self, run: CascadeRun, attempt: Attempt, error: NotSentError) -> NoReturn:
        """Forget a call that was never made, and raise what kept it from being made."""
        self._ledger.release(run, attempt)
        run.attempts.remove(attempt)
        raise error.reason from None

    def _read(self, run: CascadeRun, attempt: Attempt, completion: Any, arguments: Mapping[str, Any]) -> Answer:
        """The answer in a completion; an unusable one raises, and costs what the upstream says."""
        bill = read_bill(completion, getattr(http_response(completion), "headers", None))
        self._ledger.note_bill(run, attempt, bill)
        answer = run.api.read(
            completion,
            tier=attempt.tier,
            model=attempt.model,
            request=run.decision.request,
            arguments=run.shown(arguments),
        )
        answer = replace(answer, tokens_in=bill.usage.tokens_in, tokens_out=bill.usage.tokens_out)
        attempt.completion, attempt.answer, attempt.finish_reason = completion, answer, answer.finish_reason
        return answer

    def _judge(self, run: CascadeRun, attempt: Attempt, answer: Answer, *, may_ask: bool) -> Steps[Verdict | None]:
        if answer.finish_reason in _UNFINISHED:
            return None
        ask = partial(self._ask, run, attempt.tier) if may_ask else None
        return (yield from judge(self.policy.gate, answer, ask, partial(self._patience, run)))

    def _ask(self, run: CascadeRun, answering: str, wanted: Ask) -> Steps[Answer]:
        """What a gate asks for."""
        tier = run.loaded.menu.find(wanted.tier or answering)
        if tier is None:
            names = ", ".join(tier.name for tier in run.loaded.tiers)
            raise ConfigError(f"a gate asks tier '{wanted.tier}', which is not in the menu; expected one of: {names}")
        place = run.loaded.tiers.index(tier)
        arguments = run.api.asked(wanted.arguments, run.arguments, run.as_chat)
        attempt, answer = yield from self._call(run, place, wanted.purpose, arguments, wanted.optional)
        if answer is None:
            assert attempt.exception is not None
            raise attempt.exception
        return answer

    def _time_left(self, run: CascadeRun) -> float:
        return float("inf") if run.ends is None else run.ends - self._clock()

    def _patience(self, run: CascadeRun) -> float | None:
        """Seconds that a call may take: half of what is left while there are tiers that have not been asked."""
        left = self._time_left(run)
        if left == float("inf"):
            return None
        others = len(set(run.tried)) < len(run.decision.feasible)
        return max(left / 2 if others else left, 1e-3)


def _limit(timeout: Any, deadline: float | None) -> float | None:
    """Seconds that a request may take; None: as long as the client allows.

    Raises
    ------
    TypeError, ValueError : as the client, the timeout is none, or is negative.
    """
    seconds = timeout.read if isinstance(timeout, openai.Timeout) else timeout
    if seconds is None:
        return deadline
    if not isinstance(seconds, int | float):
        raise TypeError(f"timeout: found {type(timeout).__name__}, expected seconds or openai.Timeout")
    if not seconds >= 0:
        raise ValueError(f"timeout: found {seconds}, expected seconds from 0")
    return float(seconds)


def _request(as_chat: Mapping[str, Any], task: str | None) -> Request:
    """What the router decides on; without turns where the upstream may understand what nobody here does."""
    try:
        return read_arguments(as_chat, task)
    except UnreadableMessagesError as error:
        _log.warning("%s; the reference is asked", error)
        return Request("", task=task, turns=0, unread_chars=json_chars(as_chat.get("messages")))


def _compared(kept: Attempt, reference: Attempt) -> dict[str, float]:
    """Scores of two answers, the reference's taken as right; none where other words may well mean the same."""
    assert kept.answer is not None
    assert reference.answer is not None
    said, right = claim(kept.answer), claim(reference.answer)
    if said is None or right is None:
        return {}
    exact = all(
        answer.tool_calls or final_answer(answer.text).kind != "text" for answer in (kept.answer, reference.answer)
    )
    return {kept.tier: float(said == right), reference.tier: 1.0} if exact or said == right else {}
