// <u-probe>: two trained LSTMs read the reader's brackets; a probe or one unit colours what they read.
import { Figure, choice, define, el, slider, textField } from "./ui.mjs";
import { affine, fromHalf } from "./tensor.mjs";

const LOOK = `
.read { display: grid; grid-template-columns: 5.2em repeat(var(--n), minmax(26px, 1fr)); row-gap: 5px; overflow-x: auto; padding: 4px; margin: -4px; align-items: center; }
.read .name { font-size: 13px; color: var(--muted); position: sticky; left: 0; background: var(--page); }
.read .symbol { height: 28px; margin: 0 1px; border-radius: 4px; background: var(--x); color: var(--page); font: 700 16px/28px var(--mono); text-align: center; }
.read .state { height: 40px; margin: 0 1px; border: 1px solid var(--edge); border-radius: 4px; text-align: center; font: 600 12px/38px var(--mono); font-variant-numeric: tabular-nums; }
.read .yes { background: color-mix(in srgb, var(--h) var(--ink), var(--page)); }
.read .no { background: color-mix(in srgb, var(--u-c, #c38600) var(--ink), var(--page)); }
.read .answer { text-align: center; font: 600 15px/24px var(--mono); }
.sum { min-height: 4.4em; font-variant-numeric: tabular-nums; }
`;
const ROUND = { "(": ")", "[": "]" };
const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/** A small LSTM, its probe, and the unit that follows the open bracket most closely. */
export class Net {
  constructor({ weights, w, b, best }, symbols, hidden) {
    const [V, H] = [symbols.length, hidden];
    const [E, numbers] = [Math.min(V, H), fromHalf(weights)];
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    Object.assign(this, { symbols, hidden, E, w, b, best });
    this.embed = take(V * E);
    this.W_x = take(4 * H * E);
    this.W_h = take(4 * H * H);
    this.bias = take(4 * H);
    this.W_y = take(V * H);
    this.b_y = take(V);
  }

  /** h and c after one more symbol: the gates come in the order i, f, g, o. */
  step({ h, c }, id) {
    const H = this.hidden;
    const x = this.embed.subarray(id * this.E, (id + 1) * this.E);
    const a = affine(this.W_x, x, this.bias, new Float64Array(4 * H));
    affine(this.W_h, h, a, a);
    const cell = c.map((old, k) => sigmoid(a[H + k]) * old + sigmoid(a[k]) * Math.tanh(a[2 * H + k]));
    return { h: cell.map((value, k) => sigmoid(a[3 * H + k]) * Math.tanh(value)), c: cell };
  }

  /** For each symbol: the state, what the probe reads in it, and the scores of the answers. */
  read(text) {
    let state = { h: new Float64Array(this.hidden), c: new Float64Array(this.hidden) };
    return [...text].map((symbol) => {
      state = this.step(state, this.symbols.indexOf(symbol));
      const reading = state.h.reduce((sum, value, k) => sum + this.w[k] * value, this.b);
      const logits = affine(this.W_y, state.h, this.b_y, new Float64Array(this.symbols.length));
      return { h: state.h, reading, logits };
    });
  }
}

/** After each symbol the innermost open bracket, "" where none is open, and how many are open. */
export function opened(text) {
  const stack = [];
  return [...text].map((symbol) => {
    if (symbol in ROUND) stack.push(symbol);
    else stack.pop();
    return { open: stack.at(-1) ?? "", depth: stack.length };
  });
}

/** The text without what is no bracket, and without what closes nothing or the wrong one. */
export function legal(text, most) {
  const [stack, kept] = [[], []];
  for (const symbol of text) {
    if (kept.length >= most) break;
    if (symbol in ROUND) stack.push(symbol);
    else if (!stack.length || ROUND[stack.at(-1)] !== symbol) continue;
    else stack.pop();
    kept.push(symbol);
  }
  return kept.join("");
}

class UProbe extends Figure {
  build(data, root) {
    this.nets = data.nets.map((net) => new Net(net, data.symbols, data.hidden));
    Object.assign(this, { most: data.most, unit: data.unit ?? data.nets[0].best, by: data.unit == null ? "probe" : "unit" });
    const field = textField("Type brackets: ( ) [ ]", 1, () => this.set({ text: field.area.value }));
    field.area.value = data.text;
    this.grid = el("div", { class: "read", role: "group", tabindex: "0" });
    this.sum = el("p", { class: "sum" });
    const best = data.nets.map((net) => net.best).join(" and ");
    const units = { min: 0, max: data.hidden - 1, step: 1, value: this.unit };
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: two networks and a probe" },
        field.node,
        choice("Colour by", [["probe", "the probe"], ["unit", "one unit"]], this.by, (by) => this.set({ by })),
        slider("Unit:", units, (k) => `${k}`, (unit) => this.set({ unit, by: "unit" })),
        el("p", { class: "caption" }, `Closest to the open bracket are unit ${best}, of network a and b.`),
        this.grid,
        this.sum,
      ),
    );
    this.set({ text: data.text });
    this.style.minHeight = ""; // what was kept free is filled now
  }

  set(changed) {
    Object.assign(this, changed);
    this.text = legal(this.text, this.most);
    const radio = this.shadowRoot.querySelector(`input[value="${this.by}"]`);
    if (radio) radio.checked = true;
    this.read = this.nets.map((net) => net.read(this.text));
    this.truth = opened(this.text);
    this.values = this.read.map((steps) => steps.map((s) => (this.by === "probe" ? s.reading : s.h[this.unit])));
    this.draw();
  }

  draw() {
    const row = (name, cells) => [el("span", { class: "name" }, name), ...cells];
    const state = (value) => {
      const ink = `--ink:${Math.round(42 * Math.min(1, Math.abs(value)))}%`;
      return el("span", { class: `state ${value > 0 ? "yes" : "no"}`, style: ink }, value.toFixed(1));
    };
    const answer = (words) => el("span", { class: "answer" }, words);
    this.grid.style.setProperty("--n", Math.max(1, this.text.length));
    this.grid.replaceChildren(
      ...row("read", [...this.text].map((symbol) => el("span", { class: "symbol" }, symbol))),
      ...row("open", this.truth.map(({ open }) => answer(open || "·"))),
      ...this.values.flatMap((values, k) => row(`network ${"ab"[k]}`, values.map(state))),
    );
    const words = this.inWords();
    this.grid.setAttribute("aria-label", `${this.text || "nothing"}. ${words}`);
    this.sum.textContent = words;
    this.tell(words);
  }

  /** How often each reading is right where something is open: positive for round, negative for square. */
  rights() {
    const asked = this.truth.map(({ open }, t) => [open, t]).filter(([open]) => open);
    const count = (values) => asked.filter(([open, t]) => values[t] > 0 === (open === "(")).length;
    return { asked: asked.length, right: this.values.map(count) };
  }

  inWords() {
    const { asked, right } = this.rights();
    const what = this.by === "probe" ? "The probe" : `Unit ${this.unit}`;
    const deepest = Math.max(0, ...this.truth.map(({ depth }) => depth));
    const deep = deepest > 4 ? ` You are ${deepest} deep: in training it was never more than 4.` : "";
    if (!asked) return "Nothing is open. Type an opening bracket.";
    return (
      `Blue and above 0 says round, orange and below 0 says square. ${what} is right at ${right[0]} of ` +
      `${asked} places in network a, and at ${right[1]} in network b.${deep}`
    );
  }
}

define("u-probe", UProbe);
