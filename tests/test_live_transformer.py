"""The transformer of chapter 14: its training, its checkpoint, and the page that computes what torch does."""

import pytest
import torch
from chromium import bare_page, chromium, open_page
from unrolled import live, records, stories
from unrolled.generate import generate, greedy
from unrolled.live import train_transformer as lib
from unrolled.model import nll
from unrolled.trainings import prompts
from unrolled.transformer import Transformer
from unrolled.vocab import Vocab


@pytest.fixture(scope="module")
def reader():
    return lib.trained()


def test_every_row_begins_where_a_line_begins():
    vocab = Vocab.chars("\nab")
    x = vocab.encode("\n" + "ab\n" * 50)
    rows = next(lib.Openings(x, vocab.id("\n"), 10, 6))
    assert rows.shape == (6, 11) and (rows[:, 0] == vocab.id("\n")).all()
    assert all(vocab.decode(row) in "\n" + "ab\n" * 50 for row in rows)


def test_the_drawing_of_rows_goes_on_where_it_was_saved():
    x = torch.arange(200) % 7
    one, other = (lib.Openings(x, 0, 20, 4, seed) for seed in (1, 2))
    next(one)
    other.load_state_dict(one.state_dict())
    assert next(one).equal(next(other))


def test_bits_of_stories_are_those_of_each_by_itself():
    text = stories.text(3, seed=4)
    vocab = Vocab.chars("\n" + text)
    model = Transformer(len(vocab), 16, 1, 2, positions="rotary")
    with torch.no_grad():
        lines = text.splitlines(keepends=True)
        each = [nll(model, vocab.encode("\n" + line)[None]) * len(line) for line in lines]
    assert lib.story_bits(model, vocab, text).bits == pytest.approx(float(sum(each)) / len(text), abs=1e-6)


def test_the_command_trains_and_saves(tmp_path, capsys):
    small = "--width 8 --layers 1 --heads 2 --steps 2 --stories 50 --out".split()
    known = lib.main([*small, str(tmp_path / "m.safetensors")])
    model, vocab, facts = lib.trained(tmp_path / "m.safetensors")
    assert facts["bits"] == known["bits"] and facts["command"] == lib.COMMAND
    assert "bits" in capsys.readouterr().out
    assert model.core.heads == 2 and len(vocab) == model.vocab_size


@pytest.mark.claim("T3")
def test_the_checkpoint_is_as_good_as_its_facts_say(reader):
    model, vocab, facts = reader
    assert lib.TRAINED.stat().st_size < 300_000
    fresh = stories.text(200, facts["seed"] + 2)
    assert lib.story_bits(model, vocab, fresh).bits == pytest.approx(facts["bits"], abs=1e-3)


@pytest.mark.claim("T4")
def test_the_record_of_prompts_has_a_row_for_each_text():
    rows = records.show("prompts").rows
    assert [row[0] for row in rows] == [prompts._line(begun) for begun, _ in prompts.TEXTS]
    assert all(own < others for *_, own, others in rows)


def test_an_ending_is_measured_after_its_own_beginning_and_after_others():
    texts = [("ab", "ab"), ("ba", "ba")]
    vocab = Vocab.chars("ab")
    model = Transformer(2, 8, 1, 2, positions="rotary").eval()
    (begun, said, own, others), _ = prompts.rows(model, vocab, texts, steps=3)
    with torch.no_grad():
        whole, first = nll(model, vocab.encode("abab")[None]) * 3, nll(model, vocab.encode("ab")[None])
    assert begun == "ab" and len(said) == 3 and own == pytest.approx(float(whole - first) / 2, abs=0.006)
    assert others == round(prompts.surprise(model, vocab, "ba", "ab"), 2)


# ---- the figure


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def show(browser, tmp_path):
    def opened(width=1280, **settings):
        page = open_page(browser, tmp_path, bare_page(live.transformer(**settings)),
                         viewport={"width": width, "height": 900})  # fmt: skip
        page.ask = lambda code, *given: page.locator("u-transformer").evaluate(
            f"(figure, given) => {code}", list(given)
        )
        return page

    return opened


@torch.no_grad()
def test_the_page_has_the_logits_and_the_weights_of_torch(show, reader):
    model, vocab, _ = reader
    story = stories.sample(1, seed=3)[0]
    page, x = show(prompt=story), vocab.encode("\n" + story)[None]
    theirs = torch.tensor(page.ask("figure.steps.map(step => [...step.logits])"))
    assert (theirs - model(x)[0][0]).abs().max() < 1e-4
    looks = page.ask("figure.steps.at(-1).looks.map(layer => layer.map(w => [...w]))")
    assert (torch.tensor(looks) - model.weights(x)[:, 0, :, -1]).abs().max() < 1e-4


def test_the_page_writes_the_likeliest_as_the_library_does(show, reader):
    model, vocab, _ = reader
    page = show(prompt="Nora packed ", temperature=0)
    page.ask("Array.from({ length: 60 }, () => figure.write())")
    x = vocab.encode("\nNora packed ")[None]
    assert page.ask("figure.text") == vocab.decode(generate(model, x, 60, greedy, stop=vocab.id("\n"))[0, 1:])


def test_a_new_line_begins_a_new_story(show):
    page = show(prompt="Tim was")
    page.ask("figure.append('\\n')")
    assert page.ask("figure.steps.length") == 1 and page.ask("figure.cache[0].keys.length") == 1


def test_a_long_story_is_cut_and_goes_on(show):
    page = show(prompt="a" * 900)
    assert page.ask("figure.steps.length") == 201
    page.ask("Array.from({ length: 250 }, () => figure.append('b'))")
    assert page.ask("figure.steps.length") <= 401


def test_a_head_and_a_character_are_chosen_by_keyboard(show):
    page = show(prompt="Tim was planning")
    button = page.get_by_role("button", name="layer 1, head 2")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert page.ask("[figure.layer, figure.head]") == [0, 1]
    page.get_by_role("slider", name="Who looks").focus()
    page.keyboard.press("ArrowRight")
    assert page.ask("figure.back") == 1
    assert "Layer 1, head 2, at “n” in “planning”" in page.ask("figure.where.textContent")


def test_words_typed_are_read_and_strangers_left_out(show):
    page = show()
    page.get_by_role("textbox").fill("Ada ☃ left")
    assert page.ask("figure.steps.length") == len("\nAda  left")
    assert "never saw" in page.ask("figure.note.textContent")


def test_it_fits_a_phone(show):
    page = show(width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
