"""Decisions of which the forecast is given."""

from __future__ import annotations

import dataclasses

from classifier.model import Prediction
from classifier.request import make_request
from classifier.rule import Plan, Setting

EASY = "spell thing1"
HAIKU, SONNET, OPUS, GEMINI = range(4)


def decided(router, quality, cost, *, weight=0.1, bonus=0.0, feasible=(0, 1, 2, 3), novelty=0.5, position=OPUS):
    decision = router.decide(make_request(EASY), Plan("learned", Setting(weight, bonus, 0.5)))
    prediction = Prediction(list(quality), list(quality), [each * router.rule.reference_cost for each in cost])
    return dataclasses.replace(
        decision,
        forecast=decision.forecast._replace(prediction=prediction, novelty=novelty),
        feasible=feasible,
        position=position,
        loaded=router.loaded,
    )
