"""One router in many threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from classifier.request import make_request
from tests.helpers.requests import CODE, LANGUAGES, MATH, made_table


@pytest.mark.slow
def test_eight_threads_that_share_a_router_decide_as_one_does(blend):
    router = blend.router()
    requests = made_table(60)[0] + [
        make_request(text * times) for text in (*LANGUAGES.values(), CODE, MATH) for times in (1, 40)
    ]
    alone = [router.decide(request) for request in requests]
    with ThreadPoolExecutor(8) as threads:
        rounds = [threads.submit(lambda: [router.decide(request) for request in requests]) for _ in range(24)]
        for each in rounds:
            for decision, expected in zip(each.result(), alone, strict=True):
                assert decision == expected
                assert decision.features.terms.tobytes() == expected.features.terms.tobytes()
                assert decision.features.dense.tobytes() == expected.features.dense.tobytes()
