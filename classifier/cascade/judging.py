"""A gate at work on one answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from math import isnan

from classifier.cascade.calls import Steps, Wait
from classifier.errors import RouterError
from classifier.gates import Answer, Ask, Gate, Verdict

_log = logging.getLogger(__name__)


def judge(
    gate: Gate,
    answer: Answer,
    ask: Callable[[Ask], Steps[Answer]] | None,
    time_left: Callable[[], float | None],
    *,
    auditing: bool = False,
) -> Steps[Verdict | None]:
    """A gate's verdict. One that raises, or returns something else, has not passed; in an audit it tells nothing.

    Parameters
    ----------
    ask : makes a call that the gate asks for; None: nobody may be asked, and a gate that wants to gives no verdict.
    time_left : seconds that something awaited may take.
    """
    steps = None
    try:
        steps = gate.steps(answer)
        wanted = next(steps)
        while True:
            if isinstance(wanted, Ask) and ask is None:
                return None
            try:
                if isinstance(wanted, Ask):
                    assert ask is not None
                    reply = yield from ask(wanted)
                else:
                    reply = yield Wait(wanted, time_left())
            except Exception as error:
                wanted = steps.throw(error)
            else:
                wanted = steps.send(reply)
    except StopIteration as end:
        if isinstance(end.value, Verdict) and not isnan(end.value.score):
            return end.value
        found = TypeError(f"expected a Verdict with a score from 0 to 1, found {type(end.value).__name__}")
        return None if auditing else _failed(gate, found)
    except Exception as error:
        return None if auditing else _failed(gate, error)
    finally:
        if isinstance(steps, Generator):
            steps.close()


def _failed(gate: Gate, error: Exception) -> Verdict:
    # Only messages of our own are known to hold nothing of the request.
    detail = f" ({error})" if isinstance(error, RouterError) else ""
    _log.warning("gate %s raised %s%s; it counts as failed", gate.name, type(error).__name__, detail)
    return Verdict(gate.name, 0.0, False, f"the gate raised {type(error).__name__}")
