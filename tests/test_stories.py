"""The stories: writer and reader agree to the last bit, and the end hangs on the beginning."""

import math
import random
import re
import statistics
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from unrolled import stories, stories_grammar
from unrolled.grammar import Grammar, parse
from unrolled.model import nll
from unrolled.stories import Oracle, floor, log2_prob, next_words, sample
from unrolled.vocab import Vocab

# Small enough to list every story: two ways to write "went home", slots that return, a clock, a question.
TINY = {
    "story": "{name} saw {country}. <more>",
    "more": "<far> until lag | <far> * 1 after lag | <end>. * 3 after lag",
    "far": "{he} <went>. <last>",
    "went": "went <where> * 2 | went home | ran",
    "where": "home | out * 3",
    "last": "<end>. | why {was} {he} <where>? <end>. * 2",
    "end": "{he} {was} in {capital}",
}
TABLES = {
    "country": [{"country": "France", "capital": "Paris"}, {"country": "Peru", "capital": "Lima"}],
    "name": [{"name": "Tim", "he": "he", "was": "was"}, {"name": "Kim", "he": "they", "was": "were"}],
}


def derivations(todo, rows=(), since=None, lag=0):
    """Every (words, probability) that TINY derives, by plain top-down search: a slow second opinion."""
    if not todo:
        yield [], 1.0
    elif todo[0][0] == "<":
        late = since is not None and since >= lag
        closed = "until" if late else "after"
        options = [(w, s) for w, when, s in parse(TINY[todo[0][1:-1]]) if when != closed]
        for weight, symbols in options:
            share = weight / sum(w for w, _ in options)
            for words, p in derivations(symbols + todo[1:], rows, since, lag):
                yield words, share * p
    elif todo[0][0] == "{":
        slot = todo[0][1:-1]
        table = next(name for name, rows_ in TABLES.items() if slot in rows_[0])
        picks = [dict(rows)[table]] if table in dict(rows) else range(len(TABLES[table]))
        for k in picks:
            now = (*rows, (table, k))
            for words, p in derivations((TABLES[table][k][slot], *todo[1:]), now, since, lag):
                yield words, p / len(picks)
    else:
        if todo[0] in ("France", "Peru"):
            since = 0
        elif since is not None and todo[0] not in ".?":
            since += 1
        for words, p in derivations(todo[1:], rows, since, lag):
            yield [todo[0], *words], p


def listed(lag):
    """All stories of TINY with their probability, spelled as text."""
    found = {}
    for words, p in derivations(("<story>",), lag=lag):
        text = re.sub(r" ([.?])", r"\1", " ".join(words))
        text = re.sub(r"(^|[.?] )(\w)", lambda m: m[1] + m[2].upper(), text) + "\n"
        found[text] = found.get(text, 0.0) + p
    return found


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_every_story_of_a_tiny_grammar_has_its_exact_probability(lag):
    tiny = Grammar(TINY, TABLES, lag, clock="country")
    for text, p in listed(lag).items():
        assert 2 ** tiny.log2_prob(text) == pytest.approx(p, rel=1e-12), text


@pytest.mark.claim("P3")
@pytest.mark.parametrize("lag", [0, 1])
def test_the_stories_of_a_tiny_grammar_sum_to_one(lag):
    tiny = Grammar(TINY, TABLES, lag, clock="country")
    assert math.fsum(2 ** tiny.log2_prob(text) for text in listed(lag)) == pytest.approx(1, abs=1e-12)


def test_the_reader_finds_no_other_stories_than_those_listed():
    tiny = Grammar(TINY, TABLES, 1, clock="country")
    lines, open_ = [], [("", {tiny.start: 1.0})]
    while open_:
        text, belief = open_.pop()
        for symbol in tiny.next(belief):
            more = (text + symbol, tiny.read(belief, symbol)[1])
            (lines if symbol == "\n" else open_).append(more)
    assert {text for text, _ in lines} == set(listed(1))


def test_a_tiny_grammar_writes_as_often_as_it_says():
    tiny, rng, n = Grammar(TINY, TABLES, 1, clock="country"), random.Random(1), 20_000
    counts = dict.fromkeys(listed(1), 0)
    for _ in range(n):
        counts[tiny.write(rng) + "\n"] += 1
    chi2 = sum((counts[text] - n * p) ** 2 / (n * p) for text, p in listed(1).items())
    degrees = len(counts) - 1
    assert abs(chi2 - degrees) < 4 * math.sqrt(2 * degrees)


@pytest.mark.parametrize("lag", [0, 12])
def test_samples_cost_on_average_what_the_next_word_distributions_promise(lag):
    """A surprise minus the entropy of its distribution has mean 0, story by story, if the two agree."""
    excess = []
    for story in sample(150, seed=5, lag=lag):
        promised = 0.0
        writer = stories.grammar(lag)
        belief = {writer.start: 1.0}
        for symbol in Vocab.words(story).split(story + "\n"):
            promised -= sum(p * math.log2(p) for p in writer.next(belief).values())
            belief = writer.read(belief, symbol)[1]
        excess.append(-log2_prob(story, lag) - promised)
    assert abs(statistics.mean(excess)) < 4 * statistics.stdev(excess) / math.sqrt(len(excess))
    assert statistics.stdev(excess) > 1


@pytest.mark.claim("P3")
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), lag=st.integers(0, 40))
def test_the_chain_rule_holds_and_every_distribution_sums_to_one(seed, lag):
    story = sample(1, seed, lag)[0]
    prefix, bits = "", 0.0
    for symbol in Vocab.words(story).split(story + "\n"):
        row = next_words(prefix, lag)
        assert math.fsum(row.values()) == pytest.approx(1, abs=1e-12)
        bits += math.log2(row[symbol])
        prefix += symbol
    assert log2_prob(story, lag) == pytest.approx(bits, rel=1e-9)


@pytest.mark.parametrize(
    "story",
    [
        "",
        " ",
        "Tim",
        "tim was planning to visit France.",
        "Tim was planning to visit France.",
        "Tim was planning to visit France. \U0001f984",
        "Tim was planning to visit France. He took the train from London to Paris.",
    ],
)
def test_what_the_grammar_cannot_write_has_probability_zero(story):
    assert log2_prob(story) == -math.inf
    assert floor(story + "\n") == math.inf


def test_the_last_example_is_possible_once_the_lag_allows_it():
    assert log2_prob("Tim was planning to visit France. He took the train from London to Paris.", lag=0) > -40


def test_a_wrong_capital_or_pronoun_makes_a_story_impossible():
    start, end = "Tim was planning to visit France. ", "He took the train from London to Paris."
    assert log2_prob(start + end, lag=0) > -math.inf
    for wrong in (end.replace("Paris", "Rome"), end.replace("He", "She"), end.replace("He", "They")):
        assert log2_prob(start + wrong, lag=0) == -math.inf


def test_nothing_follows_an_impossible_beginning():
    assert next_words("Tim was planning to eat") == {}


def test_a_new_line_begins_a_new_story():
    assert next_words("anything at all\n") == next_words("")
    assert "Tim" in next_words("") and " Tim" not in next_words("")


@pytest.mark.claim("V4")
def test_the_country_decides_the_capital_for_certain():
    prefix = "Tim was planning to visit France. He took the train from London to"
    assert next_words(prefix, lag=0) == {" Paris": 1}


def test_without_the_country_all_capitals_are_equally_likely():
    row = next_words("Tim was planning to visit")
    assert set(row) == {" " + country for country in stories_grammar.CAPITALS}
    assert max(row.values()) == pytest.approx(min(row.values())) == pytest.approx(1 / 12)


@pytest.mark.parametrize("lag", [0, 5, 12, 60])
def test_the_capital_matches_its_country_at_least_lag_words_later(lag):
    for story in sample(200, seed=2, lag=lag):
        words = re.findall(r"[\w']+", story)
        countries = [w for w in words if w in stories_grammar.CAPITALS]
        capitals = [w for w in words if w in stories_grammar.CAPITALS.values()]
        assert len(countries) == 1 and capitals == [stories_grammar.CAPITALS[countries[0]]]
        assert words.index(capitals[0]) - words.index(countries[0]) >= lag


@pytest.mark.parametrize("group", [0, 1, 2])
def test_pronouns_and_verbs_agree_with_the_traveller(group):
    names = set(stories_grammar.TRAVELLERS[group])
    told = [s for s in sample(1500, seed=3) if names & set(re.findall(r"\w+", s))]
    forms = {g: {row[g] for row in stories_grammar.PRONOUNS.values()} for g in range(3)}
    verbs = {"was", "were"}  # other people use them too
    alien = set().union(*(forms[g] for g in range(3))) - forms[group] - verbs
    for story in told:
        words = re.findall(r"[\w']+", story.lower())
        assert not alien & set(words), story
        wrong = "was" if group == 2 else "were"
        subject = stories_grammar.PRONOUNS["he"][group]
        assert not {(subject, wrong), (wrong, subject)} & set(zip(words, words[1:])), story


def test_one_item_is_lost_in_a_story_not_two():
    for story in sample(500, seed=4):
        assert len(set(stories_grammar.ITEMS) & set(re.findall(r"\w+", story))) <= 1


def test_a_story_is_one_line_of_several_sentences():
    for story in sample(200):
        assert "\n" not in story and story.count(".") >= 2 and story[-1] == "." and "  " not in story


def test_sentences_begin_with_a_capital_and_articles_fit():
    text = stories.text(500, seed=6)
    assert not re.search(r"(^|[.?] )[a-z]", text, flags=re.M)
    assert not re.search(r"\ba [aeiou]", text, flags=re.I)


def test_the_alphabet_and_the_words_are_few():
    text = stories.text(3000, seed=7)
    assert len(Vocab.chars(text)) <= 55 and text.isascii()
    assert 250 <= len({w.strip().lower() for w in Vocab.words(text).symbols}) <= 400


def test_every_rule_is_defined_and_used_and_every_slot_filled():
    text = " ".join(stories_grammar.RULES.values())
    slots = {s.lower() for s in re.findall(r"\{([^}]+)\}", text)}
    assert set(re.findall(r"<(\w+)>", text)) | {"story"} == set(stories_grammar.RULES)
    assert slots <= set(stories.grammar(12).table_of)


def test_the_same_seed_tells_the_same_stories():
    assert sample(20, seed=8) == sample(30, seed=8)[:20] != sample(20, seed=9)


@pytest.mark.parametrize("hashseed", ["1", "2"])
def test_stories_do_not_hang_on_the_hash_seed(hashseed):
    code = "from unrolled import stories; print(stories.text(40, seed=1), stories.floor(stories.text(9)))"
    env = {"PYTHONHASHSEED": hashseed, "PATH": "/usr/bin:/bin"}
    run = [sys.executable, "-c", code]
    told = subprocess.run(run, env=env, capture_output=True, encoding="utf-8", check=True).stdout
    assert told == f"{stories.text(40, seed=1)} {floor(stories.text(9))}\n"


def test_text_is_the_stories_line_by_line():
    assert stories.text(5, seed=1) == "".join(s + "\n" for s in sample(5, seed=1))
    assert stories.text(0) == ""


def test_the_floor_is_the_cost_of_the_lines_per_symbol():
    text = stories.text(20, seed=2)
    bits = -sum(log2_prob(story) for story in sample(20, seed=2))
    assert floor(text) == pytest.approx(bits / len(text))
    assert floor(text, unit="word") == pytest.approx(bits / len(Vocab.words(text).split(text)))


def test_a_longer_lag_makes_longer_stories():
    lengths = [len(stories.text(100, lag=lag)) for lag in (0, 12, 50, 200)]
    assert lengths == sorted(lengths) and lengths[-1] > 100 * 200


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: sample(-1), "n is -1"),
        (lambda: sample(1, lag=-2), "lag is -2"),
        (lambda: floor("Tim.\n", unit="byte"), "unit is 'byte'"),
        (lambda: floor("Tim."), "whole stories only"),
        (lambda: Oracle(Vocab.chars("Tim")), "Vocab.words"),
    ],
)
def test_bad_calls_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def tokens(n, seed=0, **lag):
    text = "\n" + stories.text(n, seed, **lag)
    vocab = Vocab.words(text)
    return vocab, vocab.encode(text)[None]


@pytest.mark.parametrize("lag", [3, 12])
def test_the_oracle_scores_exactly_the_floor(lag):
    vocab = Vocab.words("\n" + stories.text(2000, seed=1, lag=lag))
    text = stories.text(15, seed=1, lag=lag)
    loss = nll(Oracle(vocab, lag), vocab.encode("\n" + text)[None])
    assert loss.item() == pytest.approx(floor(text, lag, "word"), abs=1e-3)


def test_the_oracle_reads_whole_and_in_pieces_alike():
    vocab, x = tokens(6)
    x = torch.cat([x[:, :120], x[:, 60:180]])  # the second row begins amid a story and is lost for a while
    oracle = Oracle(vocab)
    whole, _ = oracle(x)
    first, state = oracle(x[:, :50])
    second, state = oracle(x[:, 50:51], state)
    third, _ = oracle(x[:, 51:], state)
    torch.testing.assert_close(torch.cat([first, second, third], dim=1), whole, rtol=0, atol=0)


def test_a_lost_oracle_finds_all_words_equally_likely_until_the_next_line():
    vocab, x = tokens(3)
    lost = torch.tensor([[vocab.id(" train"), vocab.id(" train"), vocab.id("\n")]])
    logits, _ = Oracle(vocab)(lost)
    torch.testing.assert_close(logits[0, :2].exp(), torch.full((2, len(vocab)), 1 / len(vocab)))
    torch.testing.assert_close(logits[0, 2], Oracle(vocab)(x[:, :1])[0][0, 0])


def test_words_that_the_vocabulary_lacks_count_as_unknown():
    vocab = Vocab.words("\nTim was planning", unknown=True)
    logits, _ = Oracle(vocab)(vocab.encode("\n")[None])
    p = logits.exp()[0, 0]
    assert p.sum().item() == pytest.approx(1, abs=1e-6)
    assert p[vocab.id("Tim")].item() == pytest.approx(next_words("")["Tim"], abs=1e-6)
    assert p[vocab.id("<unk>")].item() == pytest.approx(1 - next_words("")["Tim"], abs=1e-6)
