// <u-sampler>: what a trained LSTM says of the next symbol, what the settings leave of it, and what it writes.
import { define, el, percent, ranked, say, show, slider } from "./ui.mjs";
import { Bars, Writer } from "./writer.mjs";
import { softmax } from "./tensor.mjs";
import { LSTM } from "./lstmcell.mjs";

const KEPT = 400; // symbols whose cost is remembered
const COLUMN = 7; // pixels of one symbol in the picture of the costs
const MOST = 8; // bits at the top of that picture

/** The distribution with the settings: temperature first, then top-k, then top-p. As `generate.sample`. */
export function cut(logits, { temperature, top_k, top_p }) {
  const p = softmax(logits, temperature);
  const order = ranked(p);
  let before = 0; // the mass of all likelier symbols that top-k left
  const left = order.slice(0, top_k).reduce((sum, i) => sum + p[i], 0);
  const q = new Float64Array(p.length);
  for (const i of order.slice(0, top_k)) {
    if (before / left < top_p) q[i] = p[i];
    before += p[i];
  }
  const sum = q.reduce((a, b) => a + b, 0);
  return q.map((a) => a / sum);
}

/** Bars with two lengths: an outline for what the model says, blue for what is left. */
class CutBars extends Bars {
  drawCut(p, q, symbols) {
    this.draw(p, symbols); // order, outline and names are the model's
    const order = ranked(p);
    this.rows.forEach((row, r) => {
      const i = order[r];
      if (i === undefined) return;
      const out = q[i] === 0;
      const { fill, number } = row.parts;
      fill.hidden = q[i] < 0.002;
      fill.style.width = `${(100 * q[i]).toFixed(2)}%`;
      row.said ??= row.querySelector(".track").appendChild(el("s"));
      row.said.style.width = `${(100 * p[i]).toFixed(2)}%`;
      row.said.hidden = p[i] < 0.002;
      number.textContent = out ? "out" : percent(q[i]);
      const words = out ? "cut off" : percent(q[i]);
      row.setAttribute("aria-label", `${say(symbols[i])}, model ${percent(p[i])}, left ${words}`);
    });
    const stay = q.reduce((n, a) => n + (a > 0), 0);
    const bits = -q.reduce((sum, a) => sum + (a > 0 ? a * Math.log2(a) : 0), 0);
    const symbolsStay = stay === 1 ? "1 symbol stays" : `${stay} symbols stay`;
    this.rest.textContent = `${symbolsStay} of ${q.length}; the draw is worth ${bits.toFixed(2)} bits.`;
  }
}

class USampler extends Writer {
  words = { label: "Live figure: a sampler around an LSTM", play: "Write", stop: "Pause", step: "Draw one" };
  pace = 20; // symbols a second
  limit = 600;

  setUp(data) {
    this.model = new LSTM(data);
    const { temperature, top_k, top_p } = data;
    this.settings = { temperature, top_k, top_p };
    this.watch = new ResizeObserver(() => this.redraw());
  }

  makeBars(onpick) {
    return new CutBars(8, onpick);
  }

  /** What each symbol of the text cost the network, with the floor of the language. */
  picture() {
    this.costs = el("div", { class: "costs", role: "img" });
    this.frame = el("div", { class: "costframe" }, this.costs);
    this.watch.observe(this.frame);
    this.mean = el("p", { class: "caption" });
    return el("div", {}, this.frame, this.mean);
  }

  controls() {
    const V = this.model.vocab.symbols.length;
    const set = (name) => (value) => {
      this.settings[name] = value;
      this.look();
    };
    const warm = (t) => (t === 0 ? "0 (always the likeliest)" : t.toFixed(1));
    const all = (k) => (k === V ? `${k} (all)` : `${k}`);
    const share = (p) => (p === 1 ? "1 (all)" : p.toFixed(2));
    const { temperature, top_k, top_p } = this.settings;
    return [
      slider("Temperature", { min: 0, max: 2, step: 0.1, value: temperature }, warm, set("temperature")),
      slider("Top-k", { min: 1, max: V, step: 1, value: top_k }, all, set("top_k")),
      slider("Top-p", { min: 0.05, max: 1, step: 0.05, value: top_p }, share, set("top_p")),
    ];
  }

  begin(text) {
    this.state = this.model.start();
    this.logits = this.model.logits(this.state);
    this.bits = [];
    for (const symbol of text) if (this.model.vocab.ids.has(symbol)) this.take(symbol);
    this.given = this.bits.length;
  }

  /** One symbol more: what it cost before it was read, and the state after it. */
  take(symbol) {
    const id = this.model.vocab.ids.get(symbol);
    this.bits.push(-Math.log2(softmax(this.logits)[id]));
    this.state = this.model.step(this.state, id);
    this.logits = this.model.logits(this.state);
    if (this.bits.length > 2 * KEPT) {
      this.given = Math.max(0, this.given - KEPT);
      this.bits.splice(0, KEPT);
    }
  }

  symbols() {
    return this.model.vocab.symbols;
  }

  chances() {
    return cut(this.logits, this.settings);
  }

  look() {
    const [p, q] = [softmax(this.logits), this.chances()];
    this.bars.drawCut(p, q, this.symbols());
    const unknown = this.model.vocab.unknown(this.text).map(show).join(" ");
    this.note.textContent = unknown ? `Left out, because the network never saw it: ${unknown}` : this.data.note;
    this.redraw();
    const best = ranked(q).slice(0, 3).filter((i) => q[i] > 0);
    const list = best.map((i) => `${say(this.symbols()[i])} ${percent(q[i])}`).join(", ");
    this.tell(`After “${this.text.slice(-12)}”: ${list}. ${this.bars.rest.textContent}`);
  }

  redraw() {
    if (!this.bits) return;
    const columns = Math.max(1, Math.floor(this.frame.clientWidth / COLUMN));
    const seen = this.bits.slice(-columns);
    const first = this.bits.length - seen.length;
    const tall = (b) => `height:${Math.min(100, (100 * b) / MOST).toFixed(1)}%`;
    const kind = (k) => (first + k < this.given ? "given" : null);
    this.costs.replaceChildren(...seen.map((b, k) => el("i", { class: kind(k), style: tall(b) })));
    this.frame.style.setProperty("--floor", `${(100 * this.data.floor) / MOST}%`);
    this.mean.textContent = this.inBits();
    this.costs.setAttribute("aria-label", `Bits of each of the last ${seen.length} symbols. ${this.inBits()}`);
  }

  /** The average cost of what was written. */
  inBits() {
    const floor = `the language itself costs ${this.data.floor.toFixed(2)}`;
    const own = this.bits.slice(this.given);
    if (!own.length) return `Each bar: what a symbol cost the network, in bits. Dotted: ${floor}.`;
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    const many = own.length === 1 ? "symbol" : `${own.length} symbols`;
    return `The last ${many} cost the network ${mean.toFixed(2)} bits each; ${floor} (dotted).`;
  }
}

define("u-sampler", USampler);
