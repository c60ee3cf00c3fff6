"""The gate for someone who gives none."""

from __future__ import annotations

from classifier.gates.finish import Finished, NotEmpty
from classifier.gates.gate import AllOf, Gate
from classifier.gates.structure import MatchesSchema, ValidToolCalls
from classifier.gates.wording import NoRefusal


def default_gate() -> Gate:
    """Passes an answer that came to its end, says something, does not refuse, and is of the form the request asks for.

    The form is the request's own ``response_format``, and its tools' parameters where the answer calls tools. It costs
    no call, and knows nothing of whether the answer is right: add `Agreement`, `Judge`, `Check` or a learned gate.
    """
    return AllOf((Finished(), NotEmpty(), NoRefusal(), MatchesSchema(), ValidToolCalls()))
