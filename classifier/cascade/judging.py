"""A gate at work on one answer."""

from __future__ import annotations

from collections.abc import Callable, Generator

from classifier.cascade.calls import Steps, Wait
from classifier.gates import Answer, Ask, Gate, Verdict
from classifier.gates.gate import failed_verdict, sound_verdict


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
        verdict = sound_verdict(gate, end.value)
    except Exception as error:
        verdict = failed_verdict(gate, error)
    finally:
        if isinstance(steps, Generator):
            steps.close()
    return None if auditing and verdict.failed else verdict
