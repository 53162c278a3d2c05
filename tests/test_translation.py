"""The little translation language is French, knows its alignments, and keeps combinations back."""

import os
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torch
from unrolled import data, translation
from unrolled.bleu import translation_scores
from unrolled.fetch import DataError
from unrolled.translation import (
    SPLITS,
    Pair,
    clean,
    encode,
    groups,
    held_back,
    references,
    sample,
    tatoeba,
    text,
)
from unrolled.translation_words import ADJECTIVES, NOUNS
from unrolled.vocab import WORD, Vocab

ROOT = Path(__file__).parents[1]
MIRROR = Path(os.environ.get("UNROLLED_DATA") or ROOT.parent / "shared" / "data")
MANY = sample(1500, seed=1)

# Looked over by a person: agreement, word order, pronouns, negation, contraction, irregular forms.
FRENCH = """
a witch does not paint a blue carpet. | une sorcière ne peint pas de tapis bleu.
the waitress never keeps her. | la serveuse ne la garde jamais.
the red pretty judge does not look at him. | le joli juge rouge ne le regarde pas.
the dry foxes sing on a red boat of the hen. | les renards secs chantent sur un bateau rouge de la poule.
seven dentists of these good hens snore. | sept dentistes de ces bonnes poules ronflent.
three judges who push her behind a cold beach are old. |
    trois juges qui la poussent derrière une plage froide sont vieux.
the fox and the horses are expensive. | le renard et les chevaux sont chers.
she steals an old coat of his judge. | elle vole un vieux manteau de son juge.
there are seven famous white lamps. | il y a sept lampes blanches célèbres.
on monday, your frogs look for the crazy maps. | le lundi, tes grenouilles cherchent les cartes folles.
two pretty fat goats sell a curious good knife. | deux jolies grosses chèvres vendent un bon couteau curieux.
they draw the royal mirrors of their wet ducks. | ils dessinent les miroirs royaux de leurs canards mouillés.
""".replace("|\n   ", "|")
GENDER = dict.fromkeys("king waiter fox dog horse judge pilot duck hat knife carpet bus bridge".split(), "m")
GENDER |= dict.fromkeys("queen waitress mouse nun cow goat turtle witch suitcase lamp bakery".split(), "f")
PLURAL = {"mice": "mouse", "knives": "knife", "bakeries": "bakery", "foxes": "fox", "buses": "bus"}
PLURAL |= {"waitresses": "waitress", "witches": "witch"}
PLURAL |= {one + "s": one for one in set(GENDER) - set(PLURAL.values())}
FORMS = {  # masculine, feminine, and both in the plural
    "old": "vieux vieille vieux vieilles", "white": "blanc blanche blancs blanches",
    "royal": "royal royale royaux royales", "red": "rouge rouge rouges rouges",
    "happy": "heureux heureuse heureux heureuses", "beautiful": "beau belle beaux belles",
}  # fmt: skip


def words(sentence):
    """The symbols without the spaces that they carry."""
    return [symbol.strip() for symbol in WORD.findall(sentence)]


def test_sentences_that_a_person_looked_over():
    found = {pair.english: pair.french for pair in MANY}
    for line in FRENCH.strip().splitlines():
        english, french = line.split(" | ")
        assert found[english] == french


def test_a_sentence_has_one_translation():
    found = {}
    for pair in [*MANY, *sample(300, seed=2, high=5)]:
        assert found.setdefault(pair.english, pair.french) == pair.french


def test_words_are_symbols_and_links_point_at_them():
    for pair in MANY:
        english, french = words(pair.english), words(pair.french)
        assert " ".join(english).replace(" .", ".").replace(" ,", ",") == pair.english
        assert all(0 <= i < len(english) and 0 <= j < len(french) for i, j in pair.links)
        assert {j for _, j in pair.links} == set(range(len(french)))  # every French word stands for something
        left_out = [english[i] for i in set(range(len(english))) - {i for i, _ in pair.links}]
        assert set(left_out) <= {"do", "does"}


def test_linked_words_mean_the_same():
    nouns = {form: noun for kind in NOUNS.values() for noun in kind for form in noun.en}
    for pair in MANY:
        english, french = words(pair.english), words(pair.french)
        for i, j in pair.links:
            if english[i] in nouns:
                noun = nouns[english[i]]
                assert french[j] == noun.fr[noun.en.index(english[i])]
            if english[i] in ADJECTIVES:
                assert french[j] in ADJECTIVES[english[i]].values()


def test_adjectives_agree_and_stand_where_they_belong():
    checked = Counter()
    for pair in MANY:
        english, french, links = words(pair.english), words(pair.french), dict(pair.links)
        for i, (adjective, noun) in enumerate(zip(english, english[1:])):
            one = PLURAL.get(noun, noun)
            if adjective in FORMS and one in GENDER:
                form = FORMS[adjective].split()["mf".index(GENDER[one]) + 2 * (noun in PLURAL)]
                assert french[links[i]] == form
                assert (links[i] < links[i + 1]) == (adjective in ("old", "beautiful"))
                checked[adjective] += 1
    assert len(checked) == len(FORMS) and checked.total() >= 30


def test_a_predicate_agrees_over_a_distance():
    checked = 0
    for pair in MANY:
        english, french, links = words(pair.english), words(pair.french), dict(pair.links)
        for i in range(len(english) - 2):
            noun, is_, adjective = english[i : i + 3]
            alone = "of" not in english and "who" not in english and "and" not in english[:i]
            if noun in GENDER and is_ == "is" and adjective in FORMS and alone:
                assert french[links[i + 2]] == FORMS[adjective].split()["mf".index(GENDER[noun])]
                checked += 1
    assert checked >= 3


def test_nothing_would_be_elided():
    """No French word that ends in a mute e or a, where l', d', n' or qu' would be due, meets a vowel."""
    short = {"le", "la", "de", "ne", "ce", "ma", "ta", "sa"}
    for pair in MANY:
        french = words(pair.french)
        assert not [b for a, b in zip(french, french[1:]) if a in short and b[0] in "aeiouyéèêâîôûh"]


@pytest.mark.parametrize(("low", "high"), [(3, 3), (5, 8), (20, 20), (30, 45)])
def test_sentences_are_as_long_as_asked_for(low, high):
    lengths = {len(words(pair.english)) for pair in sample(20, low=low, high=high)}
    assert min(lengths) >= low and max(lengths) <= high and (low == high or len(lengths) > 2)


def attributes(pair):
    """(adjective, noun) that stand side by side in a sentence, a second opinion on what was held back."""
    singular = {form: noun.en[0] for kind in NOUNS.values() for noun in kind for form in noun.en}
    english = words(pair.english)
    return {(a, singular[b]) for a, b in zip(english, english[1:]) if a in ADJECTIVES and b in singular}


def test_what_is_held_back_is_never_trained_on_and_always_asked():
    trained = set().union(*map(attributes, MANY))
    assert not any(held_back(*pair) for pair in trained)
    new = sample(60, seed=5, split="new")
    assert sum(any(held_back(*pair) for pair in attributes(p)) for p in new) > 20  # others: "the hat is red"
    assert {a for a, _ in trained} == set(ADJECTIVES)
    assert {n for _, n in trained} == {noun.en[0] for kind in NOUNS.values() for noun in kind}


def test_the_splits_share_no_sentence():
    train, valid, new = ({p.english for p in sample(60, split=split, high=6)} for split in SPLITS)
    assert not (train & valid or train & new or valid & new)


def test_the_seed_decides_and_a_larger_sample_begins_with_the_smaller():
    assert sample(20, seed=4) == sample(30, seed=4)[:20] != sample(20, seed=5)


def test_it_is_varied():
    assert len({pair.english for pair in MANY}) > 1350
    assert 250 < len(Vocab.words(text(MANY, "english"))) < 450


def test_pairs_become_ids_that_begin_and_end():
    pairs = MANY[:50]
    vocabs = [Vocab.words(text(pairs, side)) for side in ("english", "french")]
    sources, targets = encode(pairs, *vocabs)
    for pair, source, target in zip(pairs, sources, targets):
        assert vocabs[0].decode(source) == pair.english + "\n"
        assert vocabs[1].decode(target) == "\n" + pair.french + "\n"


@pytest.mark.parametrize(
    "settings", [{"split": "test"}, {"low": 2}, {"low": 9, "high": 8}, {"split": "new", "high": 4}, {"n": -1}]
)
def test_bad_settings_are_named(settings):
    with pytest.raises(ValueError, match="expected one of .'train', 'valid', 'new'."):
        sample(**{"n": 3, **settings})


def test_a_side_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="side is 'german'"):
        text(MANY, "german")


# ---- Tatoeba


LINES = """Go.\tVa !
Go!\tMarche.
Walk.\tMarche !
Run!\tCours\u202f!
Who?\tQui ?
He’s old.\tIl est vieux.
"""


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A Tatoeba of six pairs."""
    folder = tmp_path / "tatoeba"
    folder.mkdir()
    (folder / "fra.txt").write_text(LINES, encoding="utf-8")
    monkeypatch.setattr(data, "folder", lambda name: folder)
    translation._tatoeba.cache_clear()
    yield
    translation._tatoeba.cache_clear()


def test_every_pair_is_in_one_split(few):
    pairs = [pair for split in ("train", "valid", "test") for pair in tatoeba(split, required=True)]
    assert sorted(p.english for p in pairs) == ["Go!", "Go.", "He's old.", "Run!", "Walk.", "Who?"]
    assert {p.french for p in pairs if p.english == "Run!"} == {"Cours !"}


def test_pairs_that_share_a_sentence_are_in_one_group():
    """Go. is Go!, and Go! shares Marche with Walk."""
    pairs = [Pair(*map(clean, line.split("\t"))) for line in LINES.splitlines()]
    found = groups(pairs)
    assert len(set(found[:3])) == 1 and len(set(found)) == 4


def test_without_the_file_our_own_sentences_take_its_place(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    monkeypatch.delenv("UNROLLED_DATA", raising=False)
    translation._tatoeba.cache_clear()
    monkeypatch.setattr(translation, "sample", lambda n, seed, split: [Pair(str(n), split)])
    assert [*tatoeba("train"), *tatoeba("test")] == [Pair("20000", "train"), Pair("2000", "new")]
    assert "Our own sentences take its place" in capsys.readouterr().out
    with pytest.raises(DataError):
        tatoeba("valid", required=True)


def test_a_split_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="split is 'dev'"):
        tatoeba("dev")


@pytest.mark.realdata
@pytest.mark.skipif(not MIRROR.is_dir(), reason="needs the mirror of public data")
def test_tatoeba_is_split_without_a_leak(tmp_path, monkeypatch):
    monkeypatch.setenv("UNROLLED_CACHE", str(tmp_path))
    monkeypatch.setenv("UNROLLED_DATA", str(MIRROR))
    with zipfile.ZipFile(MIRROR / "tatoeba_fra_eng" / "fra-eng.zip") as archive:
        assert "fra.txt" in archive.namelist()
    translation._tatoeba.cache_clear()
    splits = [tatoeba(split, required=True) for split in ("train", "valid", "test")]
    assert [len(pairs) for pairs in splits] == [138_440, 1_479, 2_868]
    for side in (0, 1):
        seen = [{"".join(filter(str.isalnum, pair[side].casefold())) for pair in pairs} for pairs in splits]
        assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert not any(c in pair.french for pair in splits[0] for c in "\u202f\xa0’\u200b")
    many = references(splits[2])
    assert len(many) == 1978 and max(map(len, many.values())) > 5


# ---- BLEU and chrF


def test_a_perfect_translation_scores_a_hundred():
    french = [pair.french for pair in MANY[:20]]
    scores = translation_scores(french, french)
    assert (scores.bleu, scores.chrf, scores.n) == (pytest.approx(100), pytest.approx(100), 20)
    assert "BLEU 100.00" in repr(scores) and "tok:13a" in repr(scores)


def test_bleu_by_hand():
    """Of 6 words 5 are right, of 5 pairs 3, of 4 triples 2, of 3 quadruples 1; the length is right, too."""
    scores = translation_scores(["le chat noir dort sur lit"], ["le chat noir dort au lit"])
    expected = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert scores.bleu == pytest.approx(expected)


def test_any_of_several_references_will_do():
    several = [["le chat noir dort", "le chat noir sommeille"], ["un grand chien court vite"]]
    scores = translation_scores(["le chat noir sommeille", "un grand chien court vite"], several)
    assert scores.bleu == pytest.approx(100) and scores.chrf == pytest.approx(100)


@pytest.mark.parametrize(("hypotheses", "refs"), [(["a"], []), ([], []), (["a"], [[]])])
def test_numbers_that_do_not_fit_are_named(hypotheses, refs):
    with pytest.raises(ValueError, match="hypotheses and"):
        translation_scores(hypotheses, refs)


def test_without_sacrebleu_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(ImportError, match="pip install sacrebleu"):
        translation_scores(["a"], ["a"])


def test_references_collect_all_translations_of_a_sentence():
    pairs = [Pair("Go.", "Va !"), Pair("Run.", "Cours !"), Pair("Go.", "Allez !")]
    assert references(pairs) == {"Go.": ["Va !", "Allez !"], "Run.": ["Cours !"]}


def test_ids_fit_a_model():
    sources, _ = encode(MANY[:3], Vocab.words(text(MANY, "english")), Vocab.words(text(MANY, "french")))
    assert all(source.dtype == torch.long for source in sources)
