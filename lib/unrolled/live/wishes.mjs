// <u-wishes>: three models read the same words; change one word, and see which of them notices.
import { Figure, button, choice, define, el, percent, ranked } from "./ui.mjs";
import { affine, fromHalf, rnnStep, softmax } from "./tensor.mjs";
import { NGram } from "./counts.mjs";

const FIRST = 0x100; // the character that stands for word 0 in the data
const NEW_LINE = 0; // the id of the word that comes before every story
const [HIGH, EDGE, LEFT] = [92, 6, 12]; // pixels of a chart, and what is kept free above, below and before it
const SHOWN = 3; // guesses
const TASK = "The story so far. Choose a word (arrow keys work too), then change it.";
const CHARTS =
  "Charts: how far a guess moves (1: to other words altogether) when the word so many steps back becomes " +
  "another one, on average over the words that its list offers. ";
const LOOK = `
.words { display: flex; flex-wrap: wrap; gap: 5px 4px; margin: 8px 0 0; }
.words label { position: relative; cursor: pointer; }
.words input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
.words span { display: block; min-width: 28px; height: 32px; padding: 0 7px; border: 2px solid var(--x); border-radius: 4px; background: var(--x); color: var(--page); font: 600 14px/28px var(--mono); text-align: center; }
.words .new { background: var(--page); color: var(--text); border-style: dashed; }
.words :checked + span { outline: 3px solid var(--accent); outline-offset: 1px; }
.words :focus-visible + span { outline: 3px solid var(--text); outline-offset: 2px; }
.words .next { border-color: var(--y); background: none; color: var(--text); }
.change { align-items: flex-end; }
.change label { display: grid; gap: 4px; flex: 1 1 170px; }
select { font: inherit; color: inherit; height: 40px; width: 100%; padding: 0 8px; border: 1px solid var(--edge); border-radius: 10px; background: var(--page); }
.models { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 16px; }
.model { display: grid; gap: 6px; align-content: start; --ink: var(--model); }
.model .title { display: flex; align-items: center; gap: 8px; font-size: 15px; }
.model .title svg { flex: none; }
.moved { display: grid; grid-template-columns: auto minmax(0, 1fr) 36px; gap: 8px; align-items: center; }
.moved i { background: var(--model); border: 0; border-radius: 0 3px 3px 0; }
.moved b { text-align: right; font-weight: 650; font-variant-numeric: tabular-nums; }
.guesses { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
.guesses li { display: grid; grid-template-columns: minmax(0, 1fr) auto; font-size: 13px; letter-spacing: -0.01em; line-height: 22px; border-bottom: 1px solid var(--line); background: linear-gradient(var(--y), var(--y)) bottom left / var(--p) 4px no-repeat; padding-bottom: 3px; font-variant-numeric: tabular-nums; }
.guesses li + li { margin-top: 3px; }
.guesses span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chart { display: block; width: 100%; height: ${HIGH}px; overflow: visible; }
.chart text { fill: var(--muted); font-size: 11px; }
.chart .axis { stroke: var(--line); }
.chart .here { stroke: var(--accent); stroke-width: 2; }
.model path { fill: none; stroke: var(--ink); stroke-width: 1.6; }
.model .point { fill: var(--ink); stroke: none; }
.ends { display: flex; justify-content: space-between; }
.verdict { min-height: 4.35em; }
@container (max-width: 700px) { .verdict { min-height: 5.8em; } }
@container (max-width: 600px) {
  .models { grid-template-columns: minmax(0, 1fr); gap: 22px; }
  .verdict { min-height: 10.2em; }
}
`;

/** The n-gram of counts.mjs with words: its text comes numbered, one character a word, and n is 3. */
export class Trigram extends NGram {
  constructor(symbols, text) {
    super("");
    this.symbols = symbols;
    this.text = text;
  }
  follow(context, ways) {
    return this.once(`follow ${ways} ${context}`, () => super.follow(context, ways));
  }
  guess(ids) {
    const context = this.pack(ids.slice(-2));
    return this.once(`guess ${context}`, () => this.kneserNey(context, 3));
  }
}

/** Arrays of the given sizes, one after the other in base64. */
function arrays(weights, ...sizes) {
  const numbers = fromHalf(weights);
  let from = 0;
  return sizes.map((size) => numbers.subarray(from, (from += size)));
}

/** softmax(W_y h + b_y) */
const guessFrom = ({ W_y, b_y }, h) => softmax(affine(W_y, h, b_y, new Float32Array(b_y.length)));

/** The bag: h is the sum of the columns of W_x, in whatever order they come. */
export class WordBag {
  constructor(V, { hidden: H, weights }) {
    [this.W_x, this.W_y, this.b_y] = arrays(weights, H * V, V * H, V);
  }

  guess(ids) {
    const V = this.b_y.length;
    const h = new Float64Array(this.W_x.length / V);
    for (const id of ids) h.forEach((_, i) => (h[i] += this.W_x[i * V + id]));
    return guessFrom(this, h);
  }
}

/** The recurrent network: one update of h for each word. What it has read before, it need not read again. */
export class WordRNN {
  constructor(V, { hidden: H, weights }) {
    [this.W_x, this.W_h, this.b_h, this.W_y, this.b_y] = arrays(weights, H * V, H * H, H, V * H, V);
    this.read = [];
    this.states = [new Float32Array(H)]; // after no word, after one, ...
  }

  guess(ids) {
    const same = ids.findIndex((id, t) => id !== this.read[t]);
    this.states.length = 1 + (same < 0 ? ids.length : same);
    for (const id of ids.slice(this.states.length - 1))
      this.states.push(rnnStep(this, this.states.at(-1), id));
    this.read = [...ids];
    return guessFrom(this, this.states.at(-1));
  }
}

/** How far two guesses lie apart: total variation, from 0 (the same) to 1 (nothing in common). */
export const apart = (p, q) => p.reduce((sum, a, i) => sum + Math.abs(a - q[i]), 0) / 2;

/** The same row with another word at place i. */
const replaced = (ids, i, id) => ids.map((old, j) => (j === i ? id : old));

/** A node of a drawing. */
function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The marker of a model about (x, y): a square, a diamond or a circle, as on the plots of the book. */
function marker(kind, x, y, r) {
  if (kind === "o") return svg("circle", { class: "point", cx: x, cy: y, r });
  const turn = kind === "D" ? `rotate(45 ${x} ${y})` : "";
  const side = 1.8 * r;
  return svg("rect", {
    class: "point",
    x: x - side / 2,
    y: y - side / 2,
    width: side,
    height: side,
    transform: turn,
  });
}

const caption = (...parts) => el("span", { class: "caption" }, ...parts);

/** 2 words, 1 word. */
const words = (n) => `${n} ${n === 1 ? "word" : "words"}`;

/** What one model has to show: how far its guess moved, its guesses before and now, and its chart. */
class Panel {
  constructor([name, ink, dashes, kind], model) {
    Object.assign(this, { name, dashes, kind, model });
    const sample = svg(
      "svg",
      { width: 34, height: 14, "aria-hidden": "true" },
      this.line("M1 7H33"),
      marker(kind, 17, 7, 4),
    );
    this.fill = el("i");
    this.number = el("b");
    this.lists = [el("ol"), el("ol")];
    this.chart = svg("svg", { class: "chart", role: "img" });
    this.legend = caption();
    this.last = el("span");
    const list = (title, i) => el("div", {}, caption(title), this.lists[i]);
    this.node = el(
      "section",
      { class: "model", style: `--model:${ink}`, "aria-label": name },
      el("p", { class: "title" }, sample, name),
      el(
        "p",
        { class: "moved" },
        caption("has moved"),
        el("span", { class: "track" }, this.fill),
        this.number,
      ),
      el("div", { class: "guesses" }, list("at first", 0), list("now", 1)),
      this.legend,
      this.chart,
      el("p", { class: "caption ends" }, this.last, el("span", {}, "1 back")),
    );
  }

  line(d) {
    return svg("path", { d, "stroke-dasharray": this.dashes });
  }

  /** The guesses before and now, and how far they lie apart. */
  compare(first, now, symbols) {
    this.guesses = [first, now].map((ids) => this.model.guess(ids));
    this.moved = apart(...this.guesses);
    this.fill.style.width = `${(100 * this.moved).toFixed(2)}%`;
    this.fill.hidden = this.moved < 0.005;
    this.number.textContent = this.moved.toFixed(2);
    this.guesses.forEach((p, k) => {
      const rows = ranked(p).slice(0, SHOWN);
      this.lists[k].replaceChildren(
        ...rows.map((i) =>
          el("li", { style: `--p:${100 * p[i]}%` }, el("span", {}, symbols[i].trim() || "⏎"), percent(p[i])),
        ),
      );
    });
  }

  /** How far the guess moves, on average, when the word at each place becomes one of its other words. */
  measure(ids, others) {
    const here = this.model.guess(ids);
    const mean = (choices, i) =>
      choices.reduce((sum, id) => sum + apart(this.model.guess(replaced(ids, i, id)), here), 0) /
      choices.length;
    this.effects = others.map((choices, i) => (i ? mean(choices, i) : 0)); // place 0 is the new line
  }

  /** The chart: time from left to right, the last word at the right end; `at` is the word that is chosen. */
  draw(at) {
    const wide = this.chart.clientWidth || 200;
    const n = this.effects.length - 1; // without the new line
    const x = (i) => LEFT + ((i - 0.5) / n) * (wide - LEFT);
    const y = (e) => HIGH - EDGE - e * (HIGH - 2 * EDGE);
    const points = this.effects.map((e, i) => [x(i), y(e)]).slice(1);
    const level = (e) => svg("path", { class: "axis", d: `M${LEFT} ${y(e)}H${wide}` });
    const name = (e) => svg("text", { x: 0, y: y(e) + 4 }, String(e));
    const r = Math.min(4, (0.42 * (wide - LEFT)) / n);
    this.chart.replaceChildren(
      ...[0, 0.5, 1].map(level),
      ...[0, 1].map(name),
      svg("path", { class: "here", d: `M${x(at)} ${y(1)}V${y(0)}` }),
      this.line(`M${points.map(([u, v]) => `${u.toFixed(1)} ${v.toFixed(1)}`).join("L")}`),
      ...points.map(([u, v], i) => marker(this.kind, u, v, i + 1 === at ? r + 2 : r)),
    );
    const back = this.effects.length - at;
    this.last.textContent = `${n} back`;
    this.legend.replaceChildren(`a change ${back} back: `, el("b", {}, this.effects[at].toFixed(2)));
    const felt = this.effects.flatMap((e, i) => (i && e >= 0.05 ? [n + 1 - i] : [])).reverse();
    const places = felt.length ? `${felt.join(", ")} words back` : "nowhere";
    this.chart.setAttribute("aria-label", `Where the ${this.name} notices a change: ${places}.`);
  }

  /** "The bag noticed (0.42): “Rome”, no longer “Paris”." */
  verdict(symbols, far, order) {
    const [before, now] = this.guesses.map((p) => symbols[ranked(p)[0]].trim() || "a new line");
    const guess = before === now ? `still “${now}”` : `now “${now}”, no longer “${before}”`;
    const reason = {
      trigram: far > 2 ? "it sees two words, and the nearest change is farther back" : "",
      bag: order ? "the same words are in it" : "",
    }[this.name];
    if (this.moved < 0.005) return `The ${this.name} did not notice${reason ? `: ${reason}` : ""}.`;
    const degree = this.moved < 0.05 ? "hardly noticed" : "noticed";
    return `The ${this.name} ${degree} (${this.moved.toFixed(2)}): ${guess}.`;
  }
}

class UWishes extends Figure {
  build(data, root) {
    this.data = data;
    this.symbols = data.symbols;
    const V = data.symbols.length;
    const text = [...data.text].map((c) => String.fromCharCode(c.charCodeAt(0) - FIRST)).join("");
    this.trigram = new Trigram(data.symbols, text);
    const models = {
      ngram: this.trigram,
      bag: new WordBag(V, data.models.bag),
      rnn: new WordRNN(V, data.models.rnn),
    };
    this.panels = Object.entries(models).map(([name, model]) => new Panel(data.looks[name], model));
    const names = Object.keys(data.contexts);
    const stories = names.map((name) => [name, name, name]);
    this.row = el("div", { class: "words" });
    this.caption = caption();
    this.list = el("select", { onchange: () => this.change(+this.list.value) });
    this.words = el("p", { class: "verdict" });
    const picker = el("label", {}, this.caption, this.list);
    const story = el("fieldset", {}, el("legend", { class: "caption" }, TASK), this.row);
    const buttons = [
      button("Swap with the next", () => this.swap()),
      button("Reverse all", () => this.reverse()),
      button("Put back", () => this.restore()),
    ];
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: who notices a changed word?" },
        choice("What does the next word depend on?", stories, names[0], (name) => this.open(name)),
        story,
        el("div", { class: "row change" }, picker, ...buttons),
        this.words,
        el("div", { class: "models" }, ...this.panels.map((panel) => panel.node)),
        el("p", { class: "note" }, CHARTS, data.note),
      ),
    );
    this.watch = new ResizeObserver(() => this.redraw());
    this.watch.observe(this.row);
    this.open(names[0]);
    this.style.minHeight = ""; // what was kept free is filled now
  }

  /** Show a story as it was written. */
  open(name) {
    this.name = name;
    this.first = [NEW_LINE, ...this.data.contexts[name]];
    this.ids = [...this.first];
    this.at = this.data.marks[name];
    const group = `words${Math.random()}`;
    this.boxes = this.ids.slice(1).map((_, i) => {
      const input = el("input", { type: "radio", name: group, onchange: () => this.choose(i + 1) });
      const box = el("span");
      return { input, box, node: el("label", {}, input, box) };
    });
    this.row.replaceChildren(
      ...this.boxes.map(({ node }) => node),
      el("span", { class: "next", "aria-hidden": "true" }, "?"),
    );
    this.look();
  }

  /** All words as they were. */
  restore() {
    this.ids = [...this.first];
    this.look();
  }

  choose(i) {
    this.at = i;
    this.offer();
    this.redraw();
  }

  change(id) {
    this.ids[this.at] = id;
    this.look();
  }

  /** The chosen word changes places with the one after it, and stays chosen; the last one with the one before. */
  swap() {
    const other = this.at + 1 < this.ids.length ? this.at + 1 : this.at - 1;
    [this.ids[this.at], this.ids[other]] = [this.ids[other], this.ids[this.at]];
    this.at = other;
    this.look();
  }

  reverse() {
    this.ids = [NEW_LINE, ...this.ids.slice(1).reverse()];
    this.at = this.ids.length - this.at;
    this.look();
  }

  /** Ask all models again, and show what they say. */
  look() {
    this.others = this.ids.map((_, i) => this.choices(i));
    for (const panel of this.panels) {
      panel.compare(this.first, this.ids, this.symbols);
      panel.measure(this.ids, this.others);
    }
    this.boxes.forEach(({ input, box }, i) => {
      const word = this.symbols[this.ids[i + 1]].trim();
      box.textContent = word;
      box.className = this.ids[i + 1] === this.first[i + 1] ? "" : "new";
      input.setAttribute(
        "aria-label",
        `${word}, ${this.ids.length - 1 - i} back${box.className ? ", changed" : ""}`,
      );
    });
    this.offer();
    this.words.textContent = this.summary();
    this.tell(this.words.textContent);
    this.redraw();
  }

  /** The words that the trigram finds likeliest at a place, without the one that stands there. */
  choices(i) {
    const order = i ? ranked(this.trigram.guess(this.ids.slice(0, i))) : [];
    return order.filter((id) => id !== this.ids[i] && id !== NEW_LINE).slice(0, this.data.choices);
  }

  /** The list for the chosen word: itself, the word that stood there at first, and the choices. */
  offer() {
    const [now, first] = [this.ids[this.at], this.first[this.at]];
    const ids = [...new Set([now, first, ...this.others[this.at]])];
    const name = (id) => this.symbols[id].trim() + (id === first && id !== now ? " (as it was)" : "");
    this.list.replaceChildren(...ids.map((id) => el("option", { value: id }, name(id))));
    this.list.value = now;
    this.caption.textContent = `Change “${this.symbols[now].trim()}”, ${words(this.ids.length - this.at)} back, into`;
    this.boxes[this.at - 1].input.checked = true;
  }

  redraw() {
    if (this.others) for (const panel of this.panels) panel.draw(this.at);
  }

  /** What was changed, and who noticed. */
  summary() {
    const [now, first] = [this.ids, this.first];
    const places = now.flatMap((id, i) => (id === first[i] ? [] : [i]));
    if (!places.length) return "Nothing is changed yet. Change a word: which of the three will notice?";
    const far = now.length - places.at(-1);
    const sorted = (ids) => [...ids].sort((a, b) => a - b).join();
    const order = sorted(now) === sorted(first);
    const name = (ids) => `“${this.symbols[ids[places[0]]].trim()}”`;
    const one = `${name(first)} became ${name(now)}, ${words(far)} back.`;
    const many = order
      ? `The same words stand in another order, the nearest change ${words(far)} back.`
      : `${places.length} places are changed, the nearest ${words(far)} back.`;
    return [
      places.length === 1 ? one : many,
      ...this.panels.map((panel) => panel.verdict(this.symbols, far, order)),
    ].join(" ");
  }
}

define("u-wishes", UWishes);
