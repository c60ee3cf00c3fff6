"""Arguments as a model takes them: without what tierwise has added and the model refuses.

Gates ask for log-probabilities or another temperature, judges get a limit, streams are to count tokens: none of that
may cost an answer. Where a model refuses such an argument the call is made again at once without it, and for some
hours it is left out from the start. The limit on an answer has two names, ``max_tokens`` and ``max_completion_tokens``;
a model that refuses the one is asked with the other, whoever gave it. All else that the caller gave stays as it is.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI

from classifier.cascade.calls import Call, Steps
from classifier.cascade.failures import is_about_something_else, names, said
from classifier.cascade.fork import renew_in_child

HOURS = 6.0  # after which a model may have learned to take what it refused
_MOST_MODELS = 4096
_MOST_TRIES = 8  # at one call; some models refuse one argument at a time
_STATUSES = (400, 404, 415, 422, 501)  # of answers by which an argument is refused
_UNNAMED = (400, 422)  # of those that need not say which
_COUNTS = "stream_options"
_OTHER_LIMIT = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
# One wish under several names.
_ALIKE = {
    _COUNTS: (_COUNTS, "include_usage"),
    "logprobs": ("logprobs", "top_logprobs", "log_probs", "logprob"),
    "include": ("include", "logprobs", "top_logprobs"),
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens"),
}
# What chat completions call an argument that goes by another name elsewhere.
_CHAT_NAMES = {"max_completion_tokens": "max_tokens", "max_output_tokens": "max_tokens", "include": "logprobs"}
_REFUSES = re.compile(
    r"support|unrecogni[sz]ed|unknown|unexpected|extra|permit|allow|invalid|deprecat|only the default|can ?n[o']t|"
    r"must|does ?n[o']t|available|enabled|incompatible|expected|requires?|forbidden|disabled|remove|instead",
    re.IGNORECASE,
)
_WRONG_SIZE = re.compile(
    r"too (?:large|big|high|small|low)|at most|at least|maximum|minimum|exceed|greater|less than|above|below|range",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fit:
    """What is known of one model.

    Attributes
    ----------
    left_out : arguments that it refuses.
    renamed : the name of a limit, and the one that it wants in its place; the same where it takes neither.
    """

    left_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)


NOTHING = Fit()


class FitMemory:
    """What models have refused, for some hours; bounded, and threads may share it."""

    def __init__(self, hours: float = HOURS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = hours * 3600, clock
        self._known: OrderedDict[tuple[str, str], tuple[float, Fit]] = OrderedDict()
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        """Make a lock anew: a thread that the child process does not have may have held it."""
        self._lock = threading.Lock()

    def get(self, model: tuple[str, str]) -> Fit:
        """What is known of a model, by address and name."""
        with self._lock:
            return self._get(model)

    def _get(self, model: tuple[str, str]) -> Fit:
        learned, fit = self._known.get(model, (0.0, NOTHING))
        return fit if self._clock() - learned < self._seconds else NOTHING

    def clear(self) -> None:
        """Forget everything, as where a model is known to take more than it did."""
        with self._lock:
            self._known.clear()

    def add(self, model: tuple[str, str], fit: Fit) -> None:
        """Note what was found out about a model; the model noted first is forgotten where there are too many."""
        with self._lock:
            known = self._get(model)
            merged = Fit(known.left_out | fit.left_out, {**known.renamed, **fit.renamed})
            self._known[model] = self._clock(), merged
            self._known.move_to_end(model)
            while len(self._known) > _MOST_MODELS:
                self._known.popitem(last=False)


MEMORY = FitMemory()  # of the process: cascades that are made for each request learn from each other


class Fitting:
    """Makes a cascade's calls with the arguments that their models take."""

    def __init__(self, memory: FitMemory = MEMORY) -> None:
        self._address, self._addresses = "", dict[str, str]()
        self._memory = memory

    def know(self, client: OpenAI | AsyncOpenAI, clients: Mapping[str, OpenAI] | Mapping[str, AsyncOpenAI]) -> None:
        """Take note of where the models are: a name may stand for different ones at different addresses.

        Parameters
        ----------
        clients : by tier name, where it is not ``client``.
        """
        self._address = str(client.base_url)
        self._addresses = {name: str(each.base_url) for name, each in clients.items()}

    def send(
        self, call: Call, own: Mapping[str, Any], optional: Collection[str], patience: Callable[[], float | None]
    ) -> Steps[Any]:
        """Make a call, and again at once where something is refused that can be left out or renamed.

        Parameters
        ----------
        own : the caller's own arguments, whose values stand in for those that are left out.
        optional : names of arguments that may be left out.
        patience : seconds that a call may take from now on.
        """
        model = self._addresses.get(call.tier.name, self._address), call.tier.model
        known = self._memory.get(model)
        trial = _Trial(call, own, optional, known)
        while True:
            try:
                reply = yield trial.call()
            except openai.APIStatusError as error:
                more = trial.learn(error)
                if trial.sure != known:
                    self._memory.add(model, trial.sure)
                if not more:
                    raise trial.error from None
                trial.timeout = patience()
            else:
                if trial.fit != known:
                    self._memory.add(model, trial.fit)
                return reply


class _Trial:
    """One call, and what is found out with it.

    Attributes
    ----------
    fit : what is known or supposed of the model.
    sure : what of it is known even if the call comes to nothing.
    error : what to raise then.
    timeout : seconds that the next try may take.
    """

    def __init__(self, call: Call, own: Mapping[str, Any], optional: Collection[str], known: Fit) -> None:
        self._call, self._own = call, own
        given = (name for name in call.arguments if name in optional or _CHAT_NAMES.get(name) in optional)
        self._optional = frozenset(given) | ({_COUNTS} if _counts_unasked(call) else frozenset())
        self.fit = self.sure = known
        self.timeout = call.timeout
        self.error: openai.APIStatusError
        self._errors: list[openai.APIStatusError] = []

    def call(self) -> Call:
        """The call, fitted."""
        arguments = dict(self._call.arguments)
        for name in self._optional & self.fit.left_out & arguments.keys():
            del arguments[name]
            if name in self._own:
                arguments[name] = self._own[name]
        for name, other in self.fit.renamed.items():
            if name in arguments and other not in arguments:
                arguments[other] = arguments.pop(name)
        count = self._call.count and _COUNTS not in self._optional & self.fit.left_out
        return replace(self._call, arguments=arguments, timeout=self.timeout, count=count)

    def learn(self, error: openai.APIStatusError) -> bool:
        """Learn from an error; whether another try is worth it."""
        self.error = error
        self._errors.append(error)
        if error.status_code not in _STATUSES or len(self._errors) >= _MOST_TRIES:
            return False
        return self._rename(error) or self._leave_out_named(error) or self._leave_out_all(error)

    def _rename(self, error: openai.APIStatusError) -> bool:
        """Give a limit its other name, where the error is about the name."""
        for name, other in _OTHER_LIMIT.items():
            known = self.fit.renamed.get(name)
            if name not in self._call.arguments or other in self._call.arguments or known == name:
                continue
            if not _refuses_name(error, known or name):
                continue
            if known is None:
                self._suppose(frozenset(), {name: other}, sure=names(error, other))
                return True
            self._suppose(frozenset(), {name: name}, sure=True)  # it takes neither
            self.error = self._errors[0]  # which is about the name that the caller knows
        return False

    def _leave_out_named(self, error: openai.APIStatusError) -> bool:
        named = frozenset(name for name in self._left() if any(_refuses(error, each) for each in _alike(name)))
        self._suppose(named, {}, sure=True)
        return bool(named)

    def _leave_out_all(self, error: openai.APIStatusError) -> bool:
        """Leave all out that can be, where the error does not say what it is about."""
        left = self._left()
        if not left or error.status_code not in _UNNAMED or is_about_something_else(error):
            return False
        self._suppose(left, {}, sure=False)
        return True

    def _left(self) -> frozenset[str]:
        """What can still be left out."""
        return self._optional - self.fit.left_out

    def _suppose(self, left_out: frozenset[str], renamed: Mapping[str, str], *, sure: bool) -> None:
        self.fit = Fit(self.fit.left_out | left_out, {**self.fit.renamed, **renamed})
        if sure:
            self.sure = Fit(self.sure.left_out | left_out, {**self.sure.renamed, **renamed})


def _counts_unasked(call: Call) -> bool:
    """Whether a stream is to count its tokens though its caller did not ask for it."""
    options = call.arguments.get(_COUNTS)
    asked = isinstance(options, Mapping) and options.get("include_usage")
    return call.stream and call.api.counts_wanted and not asked


def _alike(name: str) -> tuple[str, ...]:
    return _ALIKE.get(name, (name,))


def _refuses(error: openai.APIStatusError, name: str) -> bool:
    return names(error, name) and _REFUSES.search(said(error)) is not None


def _refuses_name(error: openai.APIStatusError, name: str) -> bool:
    """Whether a limit is refused by its name, and not for its size."""
    wrong_size = _WRONG_SIZE.search(said(error)) is not None and not names(error, _OTHER_LIMIT[name])
    return _refuses(error, name) and not wrong_size
