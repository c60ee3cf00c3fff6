"""Deciding on stored features is deciding on the request."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from classifier import Router
from classifier.cascade.settings import Settings, usual_odds
from classifier.errors import InputError
from classifier.features import Features, request_form
from classifier.outcomes import dump_features, load_features
from classifier.request import Request
from tests.helpers.requests import any_request
from tests.helpers.routers import Trained, decided

KEY = bytes(32)


@pytest.fixture(scope="module", params=["learned", "length", "task"])
def routed(request: pytest.FixtureRequest, linear: Trained) -> Router:
    return Router(linear.router().artifact, strategy=request.param)


@given(request=any_request)
def test_the_decision_is_the_same(routed: Router, request: Request) -> None:
    by_request = decided(routed, request)
    features = routed.features(request)
    by_features = routed.decide_on(load_features(dump_features(features, KEY), KEY, features.task))
    assert (by_features.tier, by_features.feasible) == (by_request.tier, by_request.feasible)
    assert by_features.prediction.quality == pytest.approx(by_request.prediction.quality)
    assert by_features.tokens == by_request.tokens


@given(request=any_request)
def test_features_tell_a_requests_form(router: Router, request: Request) -> None:
    form = request_form(router.features(request))
    for name in ("max_tokens", "turns", "tools", "tool_calls", "images", "json_format", "json_schema", "chars"):
        assert getattr(form, name) == getattr(request, name), name
    assert form.text == ""


def test_features_of_another_kind_are_refused(router: Router) -> None:
    found = router.features(Request("translate thing0"))
    with pytest.raises(InputError, match=r"^features: found 3 dense ones, expected the artifact's"):
        router.decide_on(Features(found.terms, found.word_terms, np.zeros(3), None, 4.0))


def test_the_usual_odds_are_those_of_a_cascade_without_options(router: Router) -> None:
    assert Settings(router=router).engine.policy.odds == usual_odds(router)
