"""Try a cheap tier, check the answer, go on to a dearer one where it falls short, and remember what happened."""

from classifier.cascade.asynchronous import AsyncCascade
from classifier.cascade.budget import Budget
from classifier.cascade.calls import Attempt
from classifier.cascade.limits import AnswerLimits
from classifier.cascade.result import CascadeResult, outcome_id
from classifier.cascade.route import GateRates, TierOrder
from classifier.cascade.sync import Cascade

__all__ = [
    "AnswerLimits",
    "AsyncCascade",
    "Attempt",
    "Budget",
    "Cascade",
    "CascadeResult",
    "GateRates",
    "TierOrder",
    "outcome_id",
]
