// <u-rnn>: a trained recurrent network reads and writes; its state is drawn as it unrolls.
import { define, el, show, slider } from "./ui.mjs";
import { Writer, inWords } from "./writer.mjs";
import { Vocab, affine, fromHalf, rnnStep, softmax } from "./tensor.mjs";

const KEPT = 2000; // steps that are remembered for the picture
const COLUMN = 20; // pixels that one step takes in the unrolled picture

/** The network: five arrays, one after the other in the data, and two functions. */
export class RNN {
  constructor({ symbols, hidden, weights }) {
    const [V, H] = [symbols.length, hidden];
    const numbers = fromHalf(weights);
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    Object.assign(this, {
      vocab: new Vocab(symbols),
      hidden,
      W_x: take(H * V),
      W_h: take(H * H),
      b_h: take(H),
      W_y: take(V * H),
      b_y: take(V),
    });
  }
  start() {
    return this.step(new Float32Array(this.hidden), this.vocab.ids.get("\n")); // a text begins after a new line
  }
  step(h, id) {
    return rnnStep(this, h, id);
  }
  logits(h) {
    return affine(this.W_y, h, this.b_y, new Float32Array(this.b_y.length));
  }
}

class URnn extends Writer {
  words = { label: "Live figure: a recurrent network writes", play: "Play", stop: "Pause", step: "Step" };
  pace = 12; // symbols a second
  limit = Infinity;

  setUp(data) {
    this.model = new RNN(data);
    this.temperature = data.temperature;
    this.watch = new ResizeObserver(() => this.redraw());
  }

  /** Time runs left to right, depth upwards: symbols x, states h, what the network thought of the next symbol. */
  picture() {
    this.strip = el("canvas", { class: "states", role: "img" });
    this.frame = el("div", { class: "strip" }, this.strip);
    this.watch.observe(this.frame);
    this.hits = el("div", { class: "hits" });
    this.inputs = el("div", { class: "inputs" });
    this.cells = Array.from({ length: this.model.hidden }, () => el("i"));
    const line = (letter, kind, body) => [el("span", { class: `letter ${kind}` }, letter), body];
    const now = el("div", { class: "now", "aria-hidden": "true" }, ...this.cells);
    const legend = el(
      "p",
      { class: "caption legend" },
      el("i", {}, "x"),
      " what it read, ",
      el("i", {}, "h"),
      ` its ${this.model.hidden} numbers after each symbol (the calmest on top; now: the last column again), `,
      el("i", {}, "p"),
      " how likely it found the symbol that then came.",
    );
    return el(
      "div",
      { class: "picture" },
      ...line("p", "y", this.hits),
      ...line("h", "h", this.frame),
      ...line("x", "x", this.inputs),
      ...line("now", "h", now),
      legend,
    );
  }

  controls() {
    const warm = (t) => (t === 0 ? "0 (always the likeliest)" : t.toFixed(1));
    const fast = (s) => `${s} symbols a second`;
    return [
      slider("Temperature", { min: 0, max: 2, step: 0.1, value: this.temperature }, warm, (t) => {
        this.temperature = t;
        this.look();
      }),
      slider("Speed", { min: 1, max: 40, step: 1, value: this.pace }, fast, (s) => (this.pace = s)),
    ];
  }

  /** Read a whole text; every step is kept, for the picture. */
  begin(text) {
    const h = this.model.start();
    this.steps = [{ symbol: "\n", h, logits: this.model.logits(h) }];
    for (const symbol of text) if (this.model.vocab.ids.has(symbol)) this.take(symbol);
  }

  /** One step of the network: x_t in, h_t and the next distribution out. */
  take(symbol) {
    const id = this.model.vocab.ids.get(symbol);
    const last = this.steps.at(-1);
    last.hit = softmax(last.logits)[id]; // what it had thought of the symbol that came
    const h = this.model.step(last.h, id);
    this.steps.push({ symbol, h, logits: this.model.logits(h) });
    if (this.steps.length > 2 * KEPT) this.steps.splice(0, KEPT);
  }

  symbols() {
    return this.model.vocab.symbols;
  }

  chances() {
    return softmax(this.steps.at(-1).logits, this.temperature);
  }

  look() {
    const p = this.chances();
    this.bars.draw(p, this.symbols());
    this.redraw();
    const unknown = this.model.vocab.unknown(this.text).map(show).join(" ");
    const stranger = `Left out, because the network never saw it: ${unknown}`;
    this.note.textContent = unknown ? stranger : this.data.note;
    this.tell(inWords(this.text || "\n", p, this.symbols()));
  }

  /** The picture alone: also when the page changes its width or its theme. */
  redraw() {
    if (!this.steps) return;
    const { h } = this.steps.at(-1);
    this.cells.forEach((cell, i) => cell.style.setProperty("--ink", `${(100 * shade(h[i])).toFixed(0)}%`));
    this.drawStrip();
  }

  drawStrip() {
    const columns = Math.max(1, Math.floor(this.frame.clientWidth / COLUMN));
    const steps = this.steps.slice(Math.min(1 - columns, -1)); // one column is free: the symbol to come
    const H = this.model.hidden;
    const [red, green, blue] = colour(this.strip);
    Object.assign(this.strip, { width: columns, height: H });
    this.strip.style.width = `${columns * COLUMN}px`;
    const image = new ImageData(columns, H); // one pixel a unit and a step; the style sheet stretches it
    steps.forEach(({ h }, t) =>
      h.forEach((a, i) => image.data.set([red, green, blue, 255 * shade(a)], 4 * (i * columns + t))),
    );
    this.strip.getContext("2d").putImageData(image, 0, 0);
    this.strip.setAttribute(
      "aria-label",
      `The ${H} numbers of the state over the last ${steps.length} steps: blue is 1, blank is -1.`,
    );
    const cells = steps.map(({ symbol }) => el("span", {}, show(symbol)));
    this.inputs.replaceChildren(...cells, el("span", { class: "next" }, "?"));
    this.hits.replaceChildren(
      ...steps.map(({ hit = 0 }) => el("i", { style: `height:${100 * hit}%`, hidden: hit < 0.01 })),
    );
  }
}

/** -1 is blank, 1 is full: how much ink a unit of the state gets. */
const shade = (a) => (a + 1) / 2;

/** Red, green and blue of a node's text colour, which the style sheet says in one of many ways. */
function colour(node) {
  const name = getComputedStyle(node).color;
  if (!colour.known?.has(name)) {
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = name;
    context.fillRect(0, 0, 1, 1);
    colour.known = new Map([[name, context.getImageData(0, 0, 1, 1).data]]);
  }
  return colour.known.get(name);
}

define("u-rnn", URnn);
