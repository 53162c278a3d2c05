// <u-bptt>: one weight over ten steps; how the gradient of the last state is made up of its steps.
import { Figure, button, define, el, slider } from "./ui.mjs";

const LOOK = `
.steps { display: grid; grid-template-columns: repeat(var(--n), minmax(0, 1fr)); gap: 0; align-items: end; }
.steps > div { display: grid; justify-items: center; gap: 3px; position: relative; }
.steps .state { width: 30px; height: 30px; border-radius: 50%; border: 2px solid var(--h); background: color-mix(in srgb, var(--h) var(--ink), var(--page)); }
.steps .input { min-width: 26px; height: 24px; border-radius: 3px; background: var(--x); color: var(--page); font: 600 12px/24px var(--mono); text-align: center; }
.steps .value { font: 12px/1.2 var(--mono); font-variant-numeric: tabular-nums; }
.steps .chart { height: 150px; width: 100%; position: relative; border-bottom: 1px solid var(--edge); }
.steps .chart i { position: absolute; left: 18%; right: 18%; bottom: 0; background: var(--accent); border-radius: 3px 3px 0 0; }
.steps .minus i { background: var(--page); border: 2px solid var(--accent); border-bottom: 0; }
.steps .cut .chart i { opacity: 0.28; }
.steps .cut .chart::after { content: "cut"; position: absolute; bottom: 2px; left: 0; right: 0; text-align: center; font-size: 11px; color: var(--muted); }
.steps .number { font-size: 12px; color: var(--muted); }
.total { font-variant-numeric: tabular-nums; min-height: 4.4em; }
@container (max-width: 560px) {
  .steps .state { width: 22px; height: 22px; }
  .steps .value { font-size: 10px; }
  .steps .input { min-width: 20px; font-size: 10px; }
  .total { min-height: 6em; }
}
`;

/** The states h_0 ... h_T, and how much of dh_T/dw each step contributes, from step 1 to T. */
export function shares(w, row) {
  const h = [0];
  for (const x of row) h.push(Math.tanh(w * h.at(-1) + x));
  const parts = [];
  let message = 1;
  for (let t = row.length; t > 0; t--) {
    const slope = message * (1 - h[t] ** 2);
    parts.unshift(slope * h[t - 1]);
    message = slope * w;
  }
  return { h, parts };
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const shown = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** A gradient as people read it: small ones as powers of ten. */
function small(value) {
  if (value === 0) return "0";
  if (Math.abs(value) >= 0.001) return shown(value, 4);
  const power = Math.floor(Math.log10(Math.abs(value)));
  const digits = [...String(Math.abs(power))].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("");
  return `${shown(value / 10 ** power, 1)} × 10⁻${digits}`;
}

class UBptt extends Figure {
  build(data, root) {
    Object.assign(this, { row: data.row, w: data.w, k: data.k });
    const n = data.row.length;
    this.columns = data.row.map((x, i) => this.column(x, i));
    this.steps = el("div", { class: "steps", role: "img", tabindex: "0", style: `--n:${n}` }, ...this.columns);
    this.total = el("p", { class: "total" });
    const weight = { min: -2, max: 2, step: 0.05, value: data.w };
    const back = { min: 1, max: n, step: 1, value: data.k };
    this.knob = slider("w =", weight, (v) => shown(v), (v) => this.set(v, this.k));
    const reach = slider("The message goes back", back, (v) => `${v} step${v > 1 ? "s" : ""}`, (v) => this.set(this.w, v));
    const presets = [0.5, 0.9, 1.5].map((w) => button(`w = ${w}`, () => this.turn(w)));
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: one weight, ten steps" },
        el("p", { class: "caption" }, "Bars: what each step contributes to the slope of the last state for w. Hollow bars count negative."),
        this.steps,
        this.total,
        this.knob,
        reach,
        el("div", { class: "row" }, ...presets),
      ),
    );
    this.set(data.w, data.k);
    this.style.minHeight = ""; // what was kept free is filled now
  }

  column(x, i) {
    const parts = { bar: el("i", {}), state: el("div", { class: "state" }), value: el("div", { class: "value" }) };
    const node = el(
      "div",
      {},
      el("div", { class: "chart" }, parts.bar),
      parts.state,
      parts.value,
      el("div", { class: "input" }, shown(x, 1)),
      el("div", { class: "number" }, String(i + 1)),
    );
    return Object.assign(node, { parts });
  }

  /** Turn the knob from outside, as if by hand. */
  turn(w) {
    const input = this.knob.querySelector("input");
    input.value = w;
    input.dispatchEvent(new Event("input"));
  }

  set(w, k) {
    Object.assign(this, { w, k }, shares(w, this.row));
    const n = this.row.length;
    const most = Math.max(...this.parts.map(Math.abs), 1e-300);
    this.columns.forEach((node, i) => {
      const share = this.parts[i];
      node.classList.toggle("cut", i < n - k);
      node.firstChild.classList.toggle("minus", share < 0);
      node.parts.bar.style.height = `${(100 * Math.abs(share)) / most}%`;
      node.parts.state.style.setProperty("--ink", `${Math.round(100 * Math.abs(this.h[i + 1]))}%`);
      node.parts.value.textContent = shown(this.h[i + 1]);
    });
    this.whole = sum(this.parts);
    this.heard = sum(this.parts.slice(n - k));
    const off = k < n ? ` Cut after ${k}: ${small(this.heard)}.` : "";
    const first = this.parts.findIndex((part) => Math.abs(part) > most / 100);
    const words =
      `The slope of the last state for w is ${small(this.whole)}.${off} The first step that still gives ` +
      `1\u202f% of the largest bar is step ${first + 1}; step 2 gives ${small(this.parts[1])}.`;
    this.total.textContent = words;
    this.steps.setAttribute("aria-label", `${n} steps with w = ${shown(w)}. ${words}`);
    this.tell(words);
  }
}

define("u-bptt", UBptt);
