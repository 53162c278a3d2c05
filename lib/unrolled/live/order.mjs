// <u-order>: what a row repeats, and how many bits its order is worth; shuffle it, and put it back.
import { Figure, button, choice, count, define, el, ranked, say, show, textField } from "./ui.mjs";
import { random } from "./tensor.mjs";

const SQUARES = 300; // elements that are drawn
const ROWS = 6; // elements in the list of those that repeat
const PACE = 900; // milliseconds that the squares take to their new places
const CHANCE = "What is left after shuffling is the error of a short text.";
const WORD =
  /[\p{L}\p{N}_][\p{L}\p{N}_\u0300-\u036f]*(?:['’][\p{L}\p{N}_][\p{L}\p{N}_\u0300-\u036f]*)*|[^\p{L}\p{N}_\s]/gu;
const LOOK = `
.squares { display: flex; flex-wrap: wrap; gap: 3px; align-content: flex-start; padding: 3px; margin: -3px; overflow: auto; max-height: 300px; }
.squares span { min-width: 22px; height: 24px; padding: 0 3px; border: 1px solid var(--x); border-radius: 3px; background: var(--x); color: var(--page); font: 600 13px/22px var(--mono); text-align: center; cursor: pointer; }
.squares .once { background: none; border-style: dashed; color: var(--text); }
.squares .marked { outline: 2px solid var(--accent); outline-offset: 0; background: var(--page); color: var(--text); }
.stats { display: flex; flex-wrap: wrap; gap: 4px 22px; font-variant-numeric: tabular-nums; }
.stats b { font-size: 19px; font-weight: 650; }
.key { padding-top: 8px; }
.key i { display: inline-block; width: 15px; height: 15px; margin: 0 6px -3px 0; border: 1px solid var(--x); border-radius: 3px; background: var(--x); }
.key .once { background: none; border-style: dashed; margin-left: 14px; }
.key .marked { background: none; border: 0; outline: 2px solid var(--accent); outline-offset: -1px; margin-left: 14px; }
.most ol { min-height: calc(${ROWS} * 31px); }
.most .bar { grid-template-columns: var(--name) minmax(0, 1fr) 50px; }
.most kbd { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-align: left; padding-left: 6px; }
.most [aria-pressed="true"] kbd { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 4px; }
.worth .bar { grid-template-columns: 118px minmax(0, 1fr) 44px; padding-left: 0; }
.worth ol { min-height: 0; margin: 6px 0; }
.worth .last { border-top: 1px solid var(--edge); border-radius: 0; padding-left: 0; }
@container (max-width: 600px) { .squares { max-height: 360px; } }
`;

/** A text as a row of elements: its characters, or its words and marks without the blanks. */
export const elements = (text, unit) => (unit === "words" ? (text.match(WORD) ?? []) : [...text]);

/** How often each thing stands in a list. */
export function tally(things) {
  const found = new Map();
  for (const thing of things) found.set(thing, (found.get(thing) ?? 0) + 1);
  return found;
}

/** The entropy of a tally, in bits: the questions that a guess is short of. */
export function entropy(found) {
  const counts = [...found.values()];
  const total = counts.reduce((a, b) => a + b, 0);
  return counts.reduce((sum, c) => sum - (c / total) * Math.log2(c / total), 0);
}

/** H(x_t) + H(x_{t-1}) - H(x_{t-1}, x_t) of numbers: what the one before tells about the next one, in bits. */
export function bitsSaved(x) {
  if (x.length < 2) return 0;
  const pairs = x.slice(1).map((id, i) => x[i] * x.length + id); // an id is less than the length
  return entropy(tally(x.slice(1))) + entropy(tally(x.slice(0, -1))) - entropy(tally(pairs));
}

/** The same elements in another order (Fisher and Yates, 1938). */
export function shuffled(row, draw) {
  const mixed = [...row];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

/** The mean of the bits saved in so many shuffled rows, which have no order. */
export function byChance(x, seed, times) {
  const draw = random(seed);
  let [row, total] = [x, 0];
  for (let i = 0; i < times; i++) total += bitsSaved((row = shuffled(row, draw)));
  return total / times;
}

/** Let nodes glide from where they were to where they are; at once for people who asked for less motion. */
function glide(nodes, places) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  nodes.forEach((node, i) => {
    const [before, now] = [places.get(node), node.getBoundingClientRect()];
    const from = before
      ? { transform: `translate(${before.x - now.x}px, ${before.y - now.y}px)` }
      : { opacity: 0 };
    node.animate([from, {}], { duration: PACE, easing: "ease-in-out" });
  });
}

/** Bits as people read them; never "-0.00". */
const bits = (b) => (Math.abs(b) < 0.005 ? 0 : b).toFixed(2).replace("-", "−");

const caption = (...parts) => el("p", { class: "caption" }, ...parts);

/** How full a bar is. */
const track = (share) =>
  el(
    "span",
    { class: "track" },
    el("i", { style: `width:${100 * Math.min(1, share)}%`, hidden: share < 0.002 }),
  );

class UOrder extends Figure {
  build(data, root) {
    Object.assign(this, { data, unit: data.unit, draws: random(data.seed + 1) });
    const { area, node } = textField("A text (type your own)", 3, () => this.read(area.value));
    const units = ["characters", "words"].map((unit) => [unit, unit, unit]);
    const pick = (event) => this.mark(this.row[event.target.dataset.i]);
    this.stats = el("p", { class: "stats" });
    this.squares = el("div", { class: "squares", role: "img", tabindex: "0", onclick: pick });
    this.key = el("p", { class: "caption key" });
    this.most = el("ol", { "aria-label": "what repeats most; choose one to mark it" });
    this.worth = el("ol", { "aria-label": "bits that the element before saves" });
    this.note = el("p", { class: "note" });
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: repetition, length and order" },
        node,
        choice("Its elements", units, this.unit, (unit) => this.read(this.text, unit)),
        this.stats,
        el("div", {}, this.squares, this.key),
        el("div", { class: "row" }, ...this.buttons()),
        el("div", { class: "two even" }, ...this.lists()),
      ),
    );
    area.value = data.text;
    this.read(data.text);
    this.style.minHeight = ""; // what was kept free is filled now
  }

  buttons() {
    return [
      button("Shuffle", () => this.arrange(shuffled(this.order, this.draws)), "main"),
      button("Put back in order", () => this.arrange(this.places())),
    ];
  }

  lists() {
    const most = el(
      "div",
      { class: "bars most" },
      caption("What repeats most? Choose one to mark it."),
      this.most,
    );
    const worth = el(
      "div",
      { class: "bars worth" },
      caption("Bits saved by the element before"),
      this.worth,
      this.note,
    );
    return [most, worth];
  }

  /** 0, 1, 2 ...: every element at its own place. */
  places() {
    return this.row.map((_, i) => i);
  }

  /** Another text, or other elements of it: count everything. */
  read(text, unit = this.unit) {
    Object.assign(this, { text, unit, row: elements(text, unit).slice(0, this.data.longest) });
    this.counts = tally(this.row);
    this.kinds = [...this.counts.keys()];
    const ids = new Map(this.kinds.map((kind, i) => [kind, i]));
    this.x = this.row.map((kind) => ids.get(kind));
    this.chance = byChance(this.x, this.data.seed, this.data.shuffles);
    this.nodes = new Map();
    this.squares.style.minHeight = "";
    this.order = this.places();
    this.marked = undefined;
    this.count();
    this.look();
    this.mark(this.top[0]);
  }

  /** Another order of the same elements; the squares glide to their places. */
  arrange(order) {
    const before = new Map([...this.squares.children].map((node) => [node, node.getBoundingClientRect()]));
    this.order = order;
    this.squares.style.minHeight = `${this.squares.offsetHeight}px`; // another order may need fewer lines
    this.look();
    glide([...this.squares.children], before);
  }

  /** The square of the element that stood at place i of the text: hollow if it stands there only. */
  node(i) {
    const kind = this.row[i];
    if (!this.nodes.has(i)) {
      const once = this.counts.get(kind) === 1 ? "once" : "";
      this.nodes.set(i, el("span", { class: once, "data-i": i }, show(kind)));
    }
    return this.nodes.get(i);
  }

  /** What repeats: the numbers, and the list of those that do so most. */
  count() {
    const times = [...this.counts.values()];
    const repeat = times.filter((n) => n > 1).length;
    const numbers = [
      [this.row.length, this.unit],
      [this.kinds.length, "different"],
      [repeat, "of them repeat"],
    ];
    this.stats.replaceChildren(
      ...numbers.map(([n, words]) => el("span", {}, el("b", {}, count(n)), ` ${words}`)),
    );
    this.facts = numbers.map(([n, words]) => `${count(n)} ${words}`).join(", ");
    this.top = ranked(times)
      .slice(0, Math.min(ROWS, repeat))
      .map((i) => this.kinds[i]);
    this.most.style.setProperty("--name", this.unit === "words" ? "96px" : "34px");
    this.most.replaceChildren(...this.top.map((kind) => this.entry(kind)));
    if (!repeat) this.most.replaceChildren(el("li", {}, "Nothing repeats."));
  }

  entry(kind) {
    const [n, most] = [kind, this.top[0]].map((k) => this.counts.get(k));
    const row = [el("kbd", {}, show(kind)), track(n / most), el("b", {}, `${count(n)}×`)];
    const onclick = () => this.mark(kind);
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "bar", "aria-label": `${say(kind)}, ${n} times`, onclick },
        ...row,
      ),
    );
  }

  /** Mark all places of one element; the same again takes the marks away. */
  mark(kind) {
    if (kind === undefined && this.row.length) return; // beside the squares
    this.marked = kind === this.marked ? undefined : kind;
    [...this.most.querySelectorAll("button")].forEach((node, r) =>
      node.setAttribute("aria-pressed", String(this.top[r] === this.marked)),
    );
    this.paint();
  }

  paint() {
    for (const [i, node] of this.nodes) node.classList.toggle("marked", this.row[i] === this.marked);
    const rest = this.row.length - SQUARES;
    this.key.replaceChildren(
      el("i", {}),
      " stands more than once ",
      el("i", { class: "once" }),
      " only once",
      ...(this.marked === undefined
        ? []
        : [el("i", { class: "marked" }), ` “${show(this.marked)}”, ${count(this.counts.get(this.marked))}×`]),
      rest > 0 ? ` (the first ${SQUARES} of ${count(this.row.length)} are drawn)` : "",
    );
  }

  /** Draw the row as it stands now, and measure what its order is worth. */
  look() {
    this.squares.replaceChildren(...this.order.slice(0, SQUARES).map((i) => this.node(i)));
    this.squares.setAttribute(
      "aria-label",
      `A row of ${this.squares.children.length} squares, beginning: ${[...this.squares.children]
        .slice(0, 20).map((node) => node.textContent).join(" ")}`, // the text itself stands above
    );
    this.saved = [bitsSaved(this.order.map((i) => this.x[i])), this.chance];
    const all = entropy(tally(this.x));
    const rows = {
      "as it stands": this.saved[0],
      shuffled: this.chance,
      difference: this.saved[0] - this.chance,
    };
    const [now, mixed, rest] = Object.values(rows).map(bits);
    const line = ([name, value]) =>
      el("li", { class: "bar" }, el("span", {}, name), track(value / (all || 1)), el("b", {}, bits(value)));
    this.worth.replaceChildren(...Object.entries(rows).map(line));
    this.worth.lastChild.classList.add("last");
    const worth = `One is worth ${bits(all)} bits if nothing is known. Shuffled: the mean of ${this.data.shuffles}. `;
    this.note.replaceChildren(worth, el("b", {}, CHANCE));
    this.paint();
    this.tell(
      `${this.facts}. The one before saves ${now} bits, in a shuffled row ${mixed}: a difference of ${rest}.`,
    );
  }
}

define("u-order", UOrder);
