"""The judge of written stories: what the grammar writes is faultless, and each fault is seen."""

import math

import pytest
from unrolled import stories
from unrolled.consistency import consistency


def test_stories_of_the_grammar_hold_together():
    found = consistency(stories.sample(40, seed=5))
    assert found.words == found.pronouns == found.capitals == 1 and found.pairs > 0.95


@pytest.mark.claim("O1")
def test_each_fault_is_seen_where_it_is():
    tale = "Ada was planning to visit Spain. She ordered soup. She took the train from London to Madrid."
    wrong = consistency([tale.replace("Madrid", "Rome"), tale.replace("She ordered", "He ordered")])
    assert (wrong.words, wrong.capitals, wrong.pronouns) == (1, 0.5, 0.75)
    assert consistency([tale.replace("soup", "souq")]).words == 16 / 17


def test_what_cannot_be_counted_is_nan():
    found = consistency(["the train waited"])
    assert math.isnan(found.pronouns) and math.isnan(found.capitals) and found.words == 1
