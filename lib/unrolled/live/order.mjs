// <u-order>: what a text repeats, how long it is, and how many bits its order is worth, before and after a shuffle.
import { Figure, button, count, define, el, ranked, show, textField } from "./ui.mjs";
import { random } from "./tensor.mjs";

const LONGEST = 20000; // symbols of the text that are looked at
const ROWS = 8;
const CHANCE =
  " when the rest is hidden. What a shuffled row still saves is chance: a longer text has less of it.";

/** How often each thing stands in a list. */
export function tally(things) {
  const found = new Map();
  for (const thing of things) found.set(thing, (found.get(thing) ?? 0) + 1);
  return found;
}

/** The entropy of a tally, in bits: the questions that a guess is short of. */
export function entropy(found) {
  const total = [...found.values()].reduce((a, b) => a + b, 0);
  return [...found.values()].reduce((sum, c) => sum - (c / total) * Math.log2(c / total), 0);
}

/** H(x_t) + H(x_{t-1}) - H(x_{t-1}, x_t): what the symbol before tells about the next one, in bits. */
export function bitsSaved(row) {
  if (row.length < 2) return 0;
  const pairs = row.slice(1).map((s, i) => row[i] + s);
  return entropy(tally(row.slice(1))) + entropy(tally(row.slice(0, -1))) - entropy(tally(pairs));
}

/** The same symbols in another order (Fisher and Yates, 1938). */
export function shuffled(row, draw) {
  const mixed = [...row];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

/** A bar that only shows: how full it is, and what it says. */
function bar(name, share, number) {
  const fill = el("i", { style: `width:${100 * Math.min(1, share)}%`, hidden: share < 0.002 });
  return el("li", { class: "bar" }, name, el("span", { class: "track" }, fill), el("b", {}, number));
}

class UOrder extends Figure {
  build(data, root) {
    this.draws = random(data.seed);
    const { area, node } = textField("A row of symbols (type your own)", 4, () => this.read(area.value));
    this.area = area;
    this.repeats = el("ol", { "aria-label": "the most frequent symbols" });
    this.bits = el("ol", { "aria-label": "bits that order saves" });
    this.lines = [el("p", { class: "line" }), el("p", { class: "line" })];
    this.note = el("p", { class: "note" });
    const caption = (words) => el("p", { class: "caption" }, words);
    const left = el("div", { class: "bars" }, caption("It repeats: the most frequent symbols"), this.repeats);
    const right = el(
      "div",
      { class: "bars wide" },
      caption("Bits a symbol that its neighbour saves"),
      this.bits,
      caption("The row, and one shuffle of it"),
      ...this.lines,
      el(
        "div",
        { class: "row" },
        button("Shuffle again", () => this.look(), "main"),
      ),
    );
    root.append(
      el(
        "section",
        { class: "card", "aria-label": "Live figure: repetition, length and order" },
        node,
        this.note,
        el("div", { class: "two even" }, left, right),
      ),
    );
    area.value = data.text;
    this.read(data.text);
  }

  read(text) {
    this.row = [...text].slice(0, LONGEST);
    this.look();
  }

  look() {
    const rows = [this.row, shuffled(this.row, this.draws)];
    this.saved = rows.map(bitsSaved);
    rows.forEach((row, i) => (this.lines[i].textContent = row.slice(0, 200).map(show).join("")));
    const found = tally(this.row);
    const worth = entropy(found); // more than everything can not be saved
    this.bits.replaceChildren(
      ...["in order", "shuffled"].map((name, i) =>
        bar(el("span", {}, name), this.saved[i] / (worth || 1), this.saved[i].toFixed(2)),
      ),
    );
    this.repeat(found);
    this.note.replaceChildren(
      el("b", {}, count(this.row.length)),
      " symbols, ",
      el("b", {}, count(found.size)),
      " different ones. Each is worth ",
      el("b", {}, `${worth.toFixed(2)} bits`),
      CHANCE,
    );
    const [order, mixed] = this.saved.map((bits) => bits.toFixed(2));
    this.tell(
      `${this.row.length} symbols, ${found.size} different. Order saves ${order} bits, shuffled ${mixed}.`,
    );
  }

  repeat(found) {
    const [symbols, counts] = [[...found.keys()], [...found.values()]];
    const top = ranked(counts).slice(0, ROWS);
    this.repeats.replaceChildren(
      ...top.map((i) =>
        bar(el("kbd", {}, show(symbols[i])), counts[i] / counts[top[0]], `${count(counts[i])}×`),
      ),
    );
  }
}

define("u-order", UOrder);
