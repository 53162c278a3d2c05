// <u-transformer>: a trained transformer reads and writes; each head shows where it looks.
import { define, el, percent, ranked, say, show, slider } from "./ui.mjs";
import { Writer, inWords } from "./writer.mjs";
import { Vocab, affine, fromHalf, softmax } from "./tensor.mjs";

const MOST = 400; // characters of one story; beyond, the older half is let go
const SMALL = 48; // characters in the small picture of a head
const LOOK = `
.heads { display: grid; grid-template-columns: max-content repeat(var(--n), minmax(0, 84px)); gap: 6px 8px; align-items: center; justify-content: start; }
.heads > span { font-size: 13px; color: var(--muted); }
.heads button { padding: 3px; border: 1px solid var(--edge); border-radius: 8px; background: var(--page); cursor: pointer; line-height: 0; }
.heads [aria-pressed="true"] { border: 3px solid var(--accent); padding: 1px; }
.heads canvas { width: 100%; aspect-ratio: 1; image-rendering: pixelated; color: var(--h); }
.told { font: 15px/27px var(--mono); height: 144px; overflow-y: auto; border: 1px solid var(--line); border-radius: 10px; padding: 4px 8px; }
.told span { display: inline-block; width: 10.5px; height: 26px; text-align: center; cursor: crosshair; white-space: pre; border-radius: 2px;
  background: color-mix(in srgb, var(--accent) calc(45% * var(--w)), transparent); box-shadow: inset 0 calc(-7px * var(--w)) 0 var(--accent); }
.told .who { outline: 2px solid var(--text); outline-offset: -2px; }
.where { min-height: 2.9em; font-variant-numeric: tabular-nums; }
@container (max-width: 560px) { .where { min-height: 4.4em; } }
`;

/** Normalised: mean 0, variance 1, then a gain and a bias. */
function norm(h, [gain, bias]) {
  const mean = h.reduce((a, b) => a + b, 0) / h.length;
  const spread = Math.sqrt(h.reduce((a, b) => a + (b - mean) ** 2, 0) / h.length + 1e-5);
  return h.map((a, i) => ((a - mean) / spread) * gain[i] + bias[i]);
}

const map = ([W, b], v) => affine(W, v, b, new Float64Array(b.length));
const bend = (a) => 0.5 * a * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (a + 0.044715 * a ** 3)));

/** The pairs i and i + d/2 of each head, turned by the angle of hand i at time t. */
function rotate(v, t, d) {
  const out = v.slice();
  for (let start = 0; start < v.length; start += d) {
    for (let i = 0; i < d / 2; i++) {
      const angle = t * 10000 ** ((-2 * i) / d);
      const [a, b] = [v[start + i], v[start + i + d / 2]];
      out[start + i] = a * Math.cos(angle) - b * Math.sin(angle);
      out[start + i + d / 2] = a * Math.sin(angle) + b * Math.cos(angle);
    }
  }
  return out;
}

/** The model: its weights one after the other in the data, and a step that looks back over all it read. */
export class Transformer {
  constructor({ symbols, width, layers, heads, weights }) {
    const numbers = fromHalf(weights);
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    const linear = (rows, columns) => [take(rows * columns), take(rows)];
    const pair = () => [take(width), take(width)];
    const square = () => linear(width, width);
    Object.assign(this, { vocab: new Vocab(symbols), width, heads, embed: take(symbols.length * width) });
    this.blocks = Array.from({ length: layers }, () => ({
      norm1: pair(),
      q: square(),
      k: square(),
      v: square(),
      o: square(),
      norm2: pair(),
      up: linear(4 * width, width),
      down: linear(width, 4 * width),
    }));
    this.norm = pair();
    this.last = linear(symbols.length, width);
  }

  /** Nothing read yet: no keys and no values. */
  start() {
    return this.blocks.map(() => ({ keys: [], values: [] }));
  }

  /** Read one symbol: the logits of the next, and where each head of each layer looked. The cache grows. */
  step(cache, id) {
    let h = Float64Array.from(this.embed.subarray(id * this.width, (id + 1) * this.width));
    const looks = this.blocks.map((block, i) => {
      const [taken, weights] = this.look(block, cache[i], norm(h, block.norm1));
      h = h.map((a, j) => a + taken[j]);
      const thought = map(block.down, map(block.up, norm(h, block.norm2)).map(bend));
      h = h.map((a, j) => a + thought[j]);
      return weights;
    });
    return { logits: map(this.last, norm(h, this.norm)), looks };
  }

  look(block, { keys, values }, a) {
    const [t, d] = [keys.length, this.width / this.heads];
    const q = rotate(map(block.q, a), t, d);
    keys.push(rotate(map(block.k, a), t, d));
    values.push(map(block.v, a));
    const out = new Float64Array(this.width);
    const weights = Array.from({ length: this.heads }, (_, n) => {
      const scores = keys.map((k) => {
        let sum = 0;
        for (let i = n * d; i < (n + 1) * d; i++) sum += q[i] * k[i];
        return sum / Math.sqrt(d);
      });
      const w = softmax(scores);
      values.forEach((v, s) => {
        for (let i = n * d; i < (n + 1) * d; i++) out[i] += w[s] * v[i];
      });
      return w;
    });
    return [map(block.o, out), weights];
  }
}

class UTransformer extends Writer {
  words = { label: "Live figure: a transformer, and where it looks", play: "Play", stop: "Pause", step: "Step" };
  pace = 10; // symbols a second
  limit = MOST;

  setUp(data) {
    this.model = new Transformer(data);
    Object.assign(this, { temperature: data.temperature, layer: data.layers - 1, head: 0, back: 0 });
  }

  picture() {
    const { blocks, heads } = this.model;
    const each = (n, make) => Array.from({ length: n }, (_, i) => make(i));
    this.small = each(blocks.length, (l) =>
      each(heads, (n) => {
        const canvas = el("canvas", { width: SMALL, height: SMALL, "aria-hidden": "true" });
        const name = `layer ${l + 1}, head ${n + 1}`;
        const chosen = () => this.set({ layer: l, head: n });
        return el("button", { type: "button", "aria-label": name, title: name, onclick: chosen }, canvas);
      }),
    );
    const rows = this.small.flatMap((row, l) => [el("span", {}, `layer ${l + 1}`), ...row]);
    this.told = el("div", { class: "told", "aria-hidden": "true" });
    this.where = el("p", { class: "where" });
    const far = (back) => (back ? `${back} character${back > 1 ? "s" : ""} back` : "the last character");
    this.who = slider("Who looks:", { min: 0, max: 60, step: 1, value: 0 }, far, (back) => this.set({ back }));
    return el(
      "div",
      { class: "side" },
      el("style", {}, LOOK),
      el("p", { class: "caption" }, `Heads: each row of a picture looks at the columns (the last ${SMALL} characters).`),
      el("div", { class: "heads", style: `--n:${heads}`, role: "group", "aria-label": "Layer and head" }, ...rows),
      this.told,
      this.where,
      this.who,
    );
  }

  controls() {
    const warm = (t) => (t === 0 ? "0 (always the likeliest)" : t.toFixed(1));
    return [
      slider("Temperature", { min: 0, max: 2, step: 0.1, value: this.temperature }, warm, (t) => {
        this.temperature = t;
        this.look();
      }),
    ];
  }

  /** Read the last line: a story begins after a new line, and the model knows one story at a time. */
  begin(text) {
    this.cache = this.model.start();
    this.steps = [];
    this.step("\n");
    const line = text.slice(text.lastIndexOf("\n") + 1);
    for (const symbol of [...line].slice(-MOST / 2)) if (this.model.vocab.ids.has(symbol)) this.step(symbol);
    this.back = 0;
  }

  take(symbol) {
    if (symbol === "\n" || this.steps.length > MOST) this.begin(this.text);
    else this.step(symbol);
    this.back = 0;
  }

  step(symbol) {
    this.steps.push({ symbol, ...this.model.step(this.cache, this.model.vocab.ids.get(symbol)) });
  }

  goesOn(symbol) {
    return symbol !== "\n"; // the story is over
  }

  symbols() {
    return this.model.vocab.symbols;
  }

  chances() {
    return softmax(this.steps.at(-1).logits, this.temperature);
  }

  set(changed) {
    Object.assign(this, changed);
    this.look();
  }

  look() {
    const p = this.chances();
    this.bars.draw(p, this.symbols());
    const unknown = this.model.vocab.unknown(this.text).map(show).join(" ");
    this.note.textContent = unknown ? `Left out, because the model never saw it: ${unknown}` : this.data.note;
    this.drawTold();
    this.redraw();
    this.tell(`${inWords(this.text || "\n", p, this.symbols())} ${this.where.textContent}`);
  }

  /** The story, the one who looks, and how much it looks at each character. */
  drawTold() {
    const place = Math.max(0, this.steps.length - 1 - this.back);
    const weights = this.steps[place].looks[this.layer][this.head];
    this.told.replaceChildren(
      ...this.steps.map(({ symbol }, t) =>
        el(
          "span",
          {
            class: t === place ? "who" : "",
            style: `--w:${weights[t] > 0.005 ? weights[t].toFixed(3) : 0}`,
            onclick: () => this.set({ back: this.steps.length - 1 - t }),
          },
          symbol === "\n" ? "⏎" : symbol,
        ),
      ),
    );
    const input = this.who.querySelector("input");
    Object.assign(input, { max: this.steps.length - 1, value: this.back });
    const back = this.steps.length - 1 - place;
    const far = back ? `${back} character${back > 1 ? "s" : ""} back` : "the last character";
    this.who.querySelector("output").textContent = far;
    input.setAttribute("aria-valuetext", far);
    const best = ranked(weights).slice(0, 3);
    const seen = best.map((t) => `${this.near(t)} ${percent(weights[t])}`).join(", ");
    this.where.textContent = `Layer ${this.layer + 1}, head ${this.head + 1}, at ${this.near(place)}, looks at ${seen}.`;
  }

  /** A character and the word around it: "a" in "France". */
  near(t) {
    const [text, symbol] = [this.steps.map((step) => step.symbol), this.steps[t].symbol];
    if (/\s/.test(symbol)) return say(symbol);
    let [a, b] = [t, t];
    while (a > 0 && !/\s/.test(text[a - 1])) a -= 1;
    while (b < text.length - 1 && !/\s/.test(text[b + 1])) b += 1;
    return `“${symbol}” in “${text.slice(a, b + 1).join("")}”`;
  }

  /** The small pictures: also when the page changes its theme. */
  redraw() {
    if (!this.steps) return;
    const from = Math.max(0, this.steps.length - SMALL);
    this.small.forEach((row, l) =>
      row.forEach((node, n) => {
        node.setAttribute("aria-pressed", String(l === this.layer && n === this.head));
        drawHead(node.firstChild, this.steps.slice(from), from, l, n);
      }),
    );
  }
}

/** A row for each step, a column for each that it looks at; the more weight, the more ink. */
function drawHead(canvas, steps, from, l, n) {
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, SMALL, SMALL);
  context.fillStyle = getComputedStyle(canvas).color;
  steps.forEach(({ looks }, t) => {
    const weights = looks[l][n];
    for (let s = from; s < weights.length; s++) {
      context.globalAlpha = Math.sqrt(weights[s]);
      if (weights[s] > 0.004) context.fillRect(s - from, t, 1, 1);
    }
  });
}

define("u-transformer", UTransformer);
