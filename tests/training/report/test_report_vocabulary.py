from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import word_buckets
from classifier.text import scan_text
from training.report.vocabulary import Term, find_terms


def buckets_of(text: str) -> np.ndarray:
    return np.unique(word_buckets(scan_text(text).words))


def test_words_and_pairs_are_found_again_with_their_counts() -> None:
    texts = ["prove that two is even", "prove it", "two prove two prove"]
    one, pair = word_buckets([b"two", b"is"])[[0, 2]]
    found = find_terms(np.array([one, pair]), texts)
    assert found == {int(one): (Term("two", 2),), int(pair): (Term("two is", 1),)}


def test_what_no_text_holds_is_left_out() -> None:
    assert find_terms(np.array([7], np.uint32), ["nothing of the kind", ""]) == {}


@given(st.lists(st.text(max_size=60), max_size=5))
def test_every_bucket_of_a_text_has_its_term(texts: list[str]) -> None:
    buckets = np.unique(np.concatenate([np.empty(0, np.uint32), *map(buckets_of, texts)]))
    found = find_terms(buckets, texts)
    assert sorted(found) == buckets.tolist()
    assert all(1 <= term.texts <= len(texts) for terms in found.values() for term in terms)
