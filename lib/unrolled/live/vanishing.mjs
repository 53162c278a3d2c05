// <u-vanishing>: one number over a hundred steps; its state, and its gradient on a logarithmic axis.
import { Figure, button, choice, define, el, slider } from "./ui.mjs";

const [WIDE, HIGH] = [600, 150]; // of a chart, in its own units
const LEAST = -30; // the lowest power of ten that is drawn
const MOST = 10;
const LOOK = `
.chart { display: block; width: 100%; height: auto; overflow: visible; }
.chart path { fill: none; stroke-width: 2.5; }
.chart .state { stroke: var(--h); }
.chart .gradient { stroke: var(--accent); stroke-dasharray: 7 4; }
.chart line { stroke: var(--line); }
.chart text { fill: var(--muted); font-size: 13px; }
.ends { font-variant-numeric: tabular-nums; min-height: 3em; }
@container (max-width: 560px) { .ends { min-height: 4.6em; } .chart text { font-size: 20px; } }
`;

/** The states h_0 ... h_T, and the gradients dh_t/dh_0. */
export function run(w, h0, squash, steps) {
  const [h, gradient] = [[h0], [1]];
  for (let t = 0; t < steps; t++) {
    h.push(squash ? Math.tanh(w * h.at(-1)) : w * h.at(-1));
    gradient.push(gradient.at(-1) * w * (squash ? 1 - h.at(-1) ** 2 : 1));
  }
  return { h, gradient };
}

const shown = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** A size as people read it: very small and very large ones as powers of ten. */
function size(value) {
  if (value === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(value)));
  if (power > -3 && power < 4) return shown(value, power < 0 ? 3 : 2);
  const digits = [...String(Math.abs(power))].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).join("");
  return `${shown(value / 10 ** power, 1)} × 10${power < 0 ? "⁻" : ""}${digits}`;
}

const svg = (tag, attributes, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
};

/** A chart with its marks on the left: rows are [height from 0 to 1, words]. */
function chart(kind, rows) {
  const line = svg("path", { class: kind });
  const marks = rows.flatMap(([height, words]) => {
    const y = HIGH * (1 - height);
    return [
      svg("line", { x1: 70, x2: WIDE, y1: y, y2: y }),
      svg("text", { x: 62, y: y + 5, "text-anchor": "end" }, words),
    ];
  });
  const box = svg("svg", { class: "chart", viewBox: `0 -10 ${WIDE} ${HIGH + 20}`, "aria-hidden": "true" });
  box.append(...marks, line);
  return { box, line };
}

const way = (heights) =>
  heights
    .map((y, t) => `${t ? "L" : "M"}${(70 + ((WIDE - 70) * t) / (heights.length - 1)).toFixed(1)} ${(HIGH * (1 - y)).toFixed(1)}`)
    .join("");

const within = (y) => Math.min(1, Math.max(0, y));

class UVanishing extends Figure {
  build(data, root) {
    Object.assign(this, data);
    this.states = chart("state", [[0, "−1"], [0.5, "0"], [1, "1"]]);
    this.gradients = chart("gradient", [[0, "10⁻³⁰"], [0.25, "10⁻²⁰"], [0.5, "10⁻¹⁰"], [0.75, "1"], [1, "10¹⁰"]]);
    this.ends = el("p", { class: "ends" });
    const weight = { min: -2, max: 2, step: 0.05, value: data.w };
    const first = { min: 0.001, max: 1, step: 0.001, value: data.h0 };
    this.knob = slider("w =", weight, (v) => shown(v), (w) => this.set({ w }));
    const bend = [["yes", "tanh"], ["no", "without"]];
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: a fading message" },
        el("p", { class: "caption" }, `The state over ${data.steps} steps`),
        this.states.box,
        el("p", { class: "caption" }, "The size of its gradient for the first state, logarithmic"),
        this.gradients.box,
        this.ends,
        this.knob,
        slider("First state h₀ =", first, (v) => shown(v, 3), (h0) => this.set({ h0 })),
        choice("Squashed by", bend, data.squash ? "yes" : "no", (v) => this.set({ squash: v === "yes" })),
        el("div", { class: "row" }, ...[0.8, 1, 1.3, 2].map((w) => button(`w = ${w}`, () => this.turn(w)))),
      ),
    );
    this.set({});
    this.style.minHeight = ""; // what was kept free is filled now
  }

  /** Turn the knob from outside, as if by hand. */
  turn(w) {
    const input = this.knob.querySelector("input");
    input.value = w;
    input.dispatchEvent(new Event("input"));
  }

  set(changed) {
    Object.assign(this, changed);
    Object.assign(this, run(this.w, this.h0, this.squash, this.steps));
    const powers = this.gradient.map((g) => Math.log10(Math.max(Math.abs(g), 1e-300)));
    this.states.line.setAttribute("d", way(this.h.map((h) => within((h + 1) / 2))));
    this.gradients.line.setAttribute("d", way(powers.map((p) => within((p - LEAST) / (MOST - LEAST)))));
    const words =
      `After ${this.steps} steps the state is ${size(this.h.at(-1))}, and its gradient for the first state ` +
      `${size(this.gradient.at(-1))}. At its largest the gradient was ${size(10 ** Math.max(...powers))}.`;
    this.ends.textContent = words;
    this.tell(words);
  }
}

define("u-vanishing", UVanishing);
