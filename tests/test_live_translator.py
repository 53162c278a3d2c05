"""The translator in the page: its grammar is the library's, its network is torch's, and it can be used."""

import importlib
import random

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live
from unrolled.pairs import answers
from unrolled.trainings.interpreters import right, trained
from unrolled.translation import END, Pair, _pair

lib = importlib.import_module("unrolled.live.translator")


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    page = open_page(browser, tmp_path_factory.mktemp("page"), bare_page(live.translator()))
    page.ask = lambda code, *more: page.locator("u-translator").evaluate(f"(figure, given) => {code}", *more)
    return page


def choices(n, seed=0):
    """Sentences that the menus can say."""
    rng = random.Random(seed)
    for _ in range(n):
        looks = [tuple(rng.sample(lib.LOOKS, k)) for k in (rng.randint(0, 2), rng.randint(0, 1))]
        noun, how, verb = (rng.choice(some) for some in (lib.WHO, lib.HOW, lib.DOES))
        first = rng.choice([*lib.DETS]), looks[0], noun, how, verb
        second = rng.choice([*lib.DETS, *lib.OBJECTS])
        rest = ((), "") if second in lib.OBJECTS else (looks[1], rng.choice(lib.WHAT))
        yield lib.Choice(*first, second, *rest)


def pair(choice) -> Pair:
    return _pair(lib.compose(choice))


@pytest.mark.parametrize(
    ("choice", "english", "french", "links"),
    [
        (lib.FIRST_CHOICE, "the beautiful green horse does not find my old keys.",
         "le beau cheval vert ne trouve pas mes vieilles clés.",
         [(0, 0), (1, 1), (2, 3), (3, 2), (5, 4), (5, 6), (6, 5), (7, 7), (8, 8), (9, 9), (10, 10)]),
        (("a", (), "queen", "never", "sell", "a", ("small",), "hat"), "a queen never sells a small hat.",
         "une reine ne vend jamais de petit chapeau.",
         [(0, 0), (1, 1), (2, 2), (2, 4), (3, 3), (4, 5), (5, 6), (6, 7), (7, 8)]),
        (("these", ("nervous",), "mouse", "often", "hide", "him"), "these nervous mice often hide him.",
         "ces souris nerveuses le cachent souvent.",
         [(0, 0), (1, 2), (2, 1), (3, 5), (4, 4), (5, 3), (6, 6)]),
        (("a", ("old", "wet"), "nun", "", "lose", "two", ("green",), "piano"),
         "an old wet nun loses two green pianos.",
         "une vieille nonne mouillée perd deux pianos verts.",
         [(0, 0), (1, 1), (2, 3), (3, 2), (4, 4), (5, 5), (6, 7), (7, 6), (8, 8)]),
    ],
)  # fmt: skip
def test_sentences_are_composed_with_agreement_order_and_alignment(choice, english, french, links):
    assert pair(lib.Choice(*choice)) == Pair(english, french, tuple(links))


def test_the_network_can_say_all_of_it():
    _, english, french, _ = trained("attention")
    for p in map(pair, choices(500, seed=1)):
        english.encode(p.english + END)
        french.encode(END + p.french + END)


@pytest.mark.claim("Q2")
def test_most_of_what_can_be_composed_is_translated_to_the_last_word():
    asked = [pair(c) for c in choices(150, seed=2)]
    assert right(*trained("attention")[:3], asked) > 0.9


def test_the_page_composes_what_the_library_does(page):
    for choice in choices(200, seed=3):
        part = lib.compose(choice)
        found = page.ask("figure.compose(given)", choice)
        assert found["en"] == list(part.en)
        assert [(word, tuple(places)) for word, places in found["fr"]] == list(part.fr)


@torch.no_grad()
def test_the_page_computes_what_torch_does(page):
    model, english, french, _ = trained("attention")
    for choice in choices(12, seed=4):
        p = pair(choice)
        words = list(lib.compose(choice).en)
        plain = "({symbol, look, logits}) => ({symbol, look: [...look], logits: [...logits]})"
        steps = page.ask(f"figure.model.translate(given).map({plain})", words)
        source = english.encode(p.english + END)
        wrote, = answers(model, [source], french.id(END), 23)
        assert "".join(s["symbol"] for s in steps).removesuffix(END) == french.decode(wrote)
        x = torch.cat([torch.tensor([french.id(END)]), wrote])[None]
        state = model.start(source[None])
        logits, look = (torch.tensor([s[name] for s in steps]) for name in ("logits", "look"))
        torch.testing.assert_close(logits, model(x, state)[0][0], rtol=0, atol=1e-4)
        torch.testing.assert_close(look, model.weights(x, state)[0], rtol=0, atol=1e-4)


def test_a_menu_changes_the_sentence_and_a_pronoun_needs_no_noun(page):
    page.get_by_label("who", exact=True).select_option("cow")
    assert "vache" in page.locator(".said").text_content()
    page.get_by_label("determiner").nth(1).select_option("him")
    assert page.ask("figure.truth.en.at(-2)") == "him" and page.get_by_label("what", exact=True).is_disabled()


def test_word_by_word_ends_with_the_whole_sentence(page):
    page.ask("figure.play()")
    assert page.locator("tr.later").count() > 3
    page.wait_for_function("() => document.querySelector('u-translator').clock === null", timeout=20_000)
    assert page.locator("tr.later").count() == 0 and page.ask("figure.shown >= figure.steps.length")


def test_another_sentence_is_one_that_the_grammar_knows(page):
    for _ in range(5):
        page.get_by_role("button", name="Another sentence").click()
        assert page.ask("figure.truth.en").count(".") == 1 and not page.faults


def test_people_who_want_less_motion_get_the_sentence_at_once(browser, tmp_path):
    still = open_page(browser, tmp_path, bare_page(live.translator()), reduced_motion="reduce")
    still.get_by_role("button", name="Word by word").click()
    assert still.locator("tr.later").count() == 0


def test_it_fits_a_phone(browser, tmp_path):
    small = open_page(browser, tmp_path, bare_page(live.translator()), viewport={"width": 360, "height": 800})
    assert small.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    ("place", "word", "message"),
    [(0, "some", "det is 'some'"), (2, "hat", "noun is 'hat'"), (1, ("odd",), "adjectives are"),
     (4, "eat", "verb is 'eat'"), (7, "", "noun_2 is ''")],
)  # fmt: skip
def test_unknown_words_are_refused(place, word, message):
    choice = [*lib.FIRST_CHOICE]
    choice[place] = word
    with pytest.raises(ValueError, match=message):
        live.translator(tuple(choice))
