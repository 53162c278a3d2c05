// <u-lstm>: a cell of one number; the reader writes, erases, or leaves it alone, and sees what stays.
import { Figure, define, el, slider } from "./ui.mjs";

const EVENTS = ["·", "w", "e"]; // what a click goes through
const SIGNS = { "·": "·", w: "+1", e: "×0" };
const SAID = { "·": "left alone", w: "written", e: "erased" };
const LOOK = `
.cells { display: grid; grid-template-columns: 3.2em repeat(var(--n), minmax(30px, 1fr)); align-items: end; row-gap: 6px; overflow-x: auto; padding: 4px; margin: -4px; }
.cells .name { font: italic 600 15px/1.1 Georgia, "Times New Roman", serif; align-self: center; }
.cells .column { height: 92px; position: relative; border-bottom: 1px solid var(--edge); }
.cells .column i { position: absolute; left: 0; right: 0; bottom: 0; background: var(--u-c, #c38600); }
.cells .view { height: 34px; display: grid; place-items: center; }
.cells .view i { width: 20px; height: 20px; border-radius: 50%; border: 2px solid var(--h); background: color-mix(in srgb, var(--h) var(--ink), var(--page)); }
.cells .pull { height: 62px; position: relative; border-bottom: 1px solid var(--edge); }
.cells .pull i { position: absolute; left: 22%; right: 22%; bottom: 0; background: repeating-linear-gradient(var(--accent) 0 4px, transparent 4px 6px); }
.cells button { height: 32px; min-width: 0; padding: 0; margin: 0 1px; border: 1px solid var(--edge); border-radius: 4px; background: var(--page); font: 600 12px/1 var(--mono); cursor: pointer; }
.cells .w { background: var(--x); color: var(--page); }
.cells .e { border: 2px dashed var(--accent); }
.sum { font-variant-numeric: tabular-nums; min-height: 3em; }
@container (max-width: 560px) {
  .cells { grid-template-columns: 1.8em repeat(var(--n), minmax(30px, 1fr)); }
  .cells button { font-size: 11px; }
  .cells .view i { width: 13px; height: 13px; }
  .sum { min-height: 4.5em; }
}
`;

/** The cell, its view, and how hard a mistake at the end pulls at the cell of each step. */
export function run(f, row, o) {
  const gates = [...row].map((event) => (event === "e" ? 0 : f));
  const c = [];
  [...row].forEach((event, t) => c.push(gates[t] * (c.at(-1) ?? 0) + (event === "w" ? 1 : 0)));
  const pull = [1];
  for (const gate of gates.slice(1).reverse()) pull.unshift(pull[0] * gate);
  return { c, h: c.map((value) => o * Math.tanh(value)), pull };
}

const two = (value) => value.toFixed(2);

class ULstm extends Figure {
  build(data, root) {
    Object.assign(this, { row: [...data.row], f: data.f, o: data.o });
    const n = this.row.length;
    const each = (make) => this.row.map((_, t) => make(t));
    this.buttons = each((t) => el("button", { type: "button", onclick: () => this.turn(t) }));
    this.bars = each(() => el("i", {}));
    this.views = each(() => el("i", {}));
    this.pulls = each(() => el("i", {}));
    const line = (name, kind, nodes) => [
      el("span", { class: "name", "aria-hidden": "true" }, name),
      ...nodes.map((node) => (kind ? el("div", { class: kind, "aria-hidden": "true" }, node) : node)),
    ];
    this.sum = el("p", { class: "sum" });
    const open = { min: 0, max: 1, step: 0.01 };
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: a cell and its gates" },
        el("p", { class: "caption" }, "Choose what happens at each step: nothing, write a 1 (+1), erase (×0)."),
        el(
          "div",
          { class: "cells", style: `--n:${n}` },
          ...line("", "", this.buttons),
          ...line("c", "column", this.bars),
          ...line("h", "view", this.views),
          ...line("pull", "pull", this.pulls),
        ),
        this.sum,
        slider("Forget gate f where nothing is erased:", { ...open, value: data.f }, two, (f) => this.set({ f })),
        slider("Output gate o:", { ...open, value: data.o }, two, (o) => this.set({ o })),
      ),
    );
    this.set({});
    this.style.minHeight = ""; // what was kept free is filled now
  }

  /** The next thing that can happen at step t. */
  turn(t) {
    const row = [...this.row];
    row[t] = EVENTS[(EVENTS.indexOf(row[t]) + 1) % EVENTS.length];
    this.set({ row });
  }

  set(changed) {
    Object.assign(this, changed);
    Object.assign(this, run(this.f, this.row, this.o));
    const most = Math.max(1, ...this.c);
    this.row.forEach((event, t) => {
      this.buttons[t].textContent = SIGNS[event];
      this.buttons[t].className = event === "·" ? "" : event;
      const what = `step ${t + 1}: ${SAID[event]}, the cell holds ${two(this.c[t])}`;
      this.buttons[t].setAttribute("aria-label", what);
      this.bars[t].style.height = `${(100 * this.c[t]) / most}%`;
      this.views[t].style.setProperty("--ink", `${Math.round(100 * this.h[t])}%`);
      this.pulls[t].style.height = `${100 * this.pull[t]}%`;
    });
    const first = this.pull.findIndex((value) => value > 0.01);
    const words =
      `At the end the cell holds ${two(this.c.at(-1))} and shows ${two(this.h.at(-1))}. ` +
      `A mistake there is felt, with more than 1\u202f% of its pull, back to step ${first + 1}.`;
    this.sum.textContent = words;
    this.tell(words);
  }
}

define("u-lstm", ULstm);
