// <u-wavenet>: what one output of a dilated stack sees, and a trained WaveNet that sings in the page.
import { random, sample, softmax } from "./tensor.mjs";
import { Figure, button, choice, count, define, el, slider } from "./ui.mjs";
import { SILENCE, Singer, condition, muDecode } from "./singer.mjs";

const STEP = 20; // units of the drawing from time to time
const HIGH = 236;
const SECONDS = 0.6;
const SLICE = 24; // milliseconds of singing between two breaths, so that the page stays awake
const SOUNDS = { heed: "ee", head: "eh", hod: "ah", hawed: "aw", "who'd": "oo" };
const LOOK = `
.stack { display: block; width: 100%; height: 236px; cursor: crosshair; touch-action: manipulation; }
.stack .faint { stroke: var(--text); stroke-opacity: 0.18; fill: none; }
.stack .lines { stroke: var(--h); stroke-width: 2; fill: none; }
.stack .node { fill: var(--page); stroke: var(--text); stroke-opacity: 0.4; }
.stack .input.on { fill: var(--x); stroke: var(--x); stroke-opacity: 1; }
.stack .inner.on { fill: var(--h); stroke: var(--h); stroke-opacity: 1; }
.sum { min-height: 4.4em; font-variant-numeric: tabular-nums; }
.sing { border-top: 1px solid var(--line); padding-top: 14px; display: grid; gap: 12px; }
.wave { display: block; width: 100%; height: 84px; border-bottom: 1px solid var(--line); border-top: 1px solid var(--line); }
.wave path { stroke: var(--accent); stroke-width: 1; fill: none; vector-effect: non-scaling-stroke; }
progress { width: 100%; height: 10px; accent-color: var(--accent); }
.told { min-height: 2.9em; font-variant-numeric: tabular-nums; }
@container (max-width: 560px) { .sum { min-height: 6em; } .told { min-height: 4.4em; } }
`;

/** Which of the places 0 ... t the output at t sees: of the inputs first, then of each layer. */
export function sees(gaps, t) {
  const rows = [new Set([t])];
  for (const d of [...gaps].reverse()) {
    const row = new Set();
    for (const place of rows[0]) for (const back of [0, d]) if (place >= back) row.add(place - back);
    rows.unshift(row);
  }
  return rows;
}

/** How many different inputs a stack sees, wherever they lie. */
export const seenInAll = (gaps) => {
  let steps = new Set([0]);
  for (const d of gaps) steps = new Set([...steps].flatMap((back) => [back, back + d]));
  return steps.size;
};

const svg = (tag, attributes) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

class UWavenet extends Figure {
  build(data, root) {
    Object.assign(this, { data, layers: data.layers, kind: "doubling", name: data.vowel, f0: data.f0 });
    Object.assign(this, { temperature: data.temperature, songs: 0, levels: [] });
    this.singer = new Singer(data.net);
    this.drawing = svg("svg", { class: "stack", role: "img" });
    this.drawing.addEventListener("pointerdown", (event) => this.point(event));
    this.drawing.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.point(event));
    this.sum = el("p", { class: "sum" });
    this.place = slider("Output at time", { min: 1, max: 32, step: 1, value: 32 }, String, (t) => this.set({ t: t - 1 }));
    const section = (...nodes) =>
      el("section", { class: "card", "aria-label": "Live figure: dilated convolutions, and a voice" }, ...nodes);
    root.append(el("style", {}, LOOK), section(...this.explorer(data), el("div", { class: "sing" }, ...this.voices(data))));
    this.watch = new ResizeObserver(() => this.fit());
    this.watch.observe(this);
    this.fit();
    this.style.minHeight = ""; // what was kept free is filled now
  }

  explorer(data) {
    const kinds = Object.keys(data.gaps).map((kind) => [kind, kind, `gaps ${kind}`]);
    const layers = { min: 1, max: data.most, step: 1, value: data.layers };
    return [
      el("p", { class: "caption" }, "Build a stack, and point at an output: what does it see?"),
      this.drawing,
      this.sum,
      this.place,
      slider("Layers:", layers, String, (layers) => this.set({ layers })),
      choice("Gaps from layer to layer", kinds, "doubling", (kind) => this.set({ kind })),
    ];
  }

  voices(data) {
    const names = data.voice.names.map((name) => [name, SOUNDS[name] ?? name, `${SOUNDS[name]}, as in ${name}`]);
    const pitch = { min: data.voice.low, max: data.voice.high, step: 5, value: data.f0 };
    const warm = { min: 0.1, max: 1.3, step: 0.1, value: data.temperature };
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "How much of the sound is drawn" });
    this.line = svg("path", { d: "" });
    this.picture = svg("svg", { class: "wave", viewBox: "0 0 600 84", preserveAspectRatio: "none", role: "img" });
    this.picture.setAttribute("aria-label", "The wave that the network has drawn so far");
    this.picture.append(this.line);
    this.told = el("p", { class: "note told" }, "The trained network is silent. Let it sing.");
    this.go = button("Sing", () => (this.singing ? this.stop() : this.sing()), "main");
    this.again = button("Play again", () => this.play());
    this.again.disabled = true;
    return [
      choice("Ask the trained network for a vowel", names, data.vowel, (name) => (this.name = name)),
      slider("Pitch:", pitch, (f0) => `${f0} hertz`, (f0) => (this.f0 = f0)),
      slider("Temperature:", warm, (t) => t.toFixed(1), (t) => (this.temperature = t)),
      el("div", { class: "row" }, this.go, this.again),
      this.bar,
      this.picture,
      this.told,
    ];
  }

  /** As many places as the page is wide enough for. */
  fit() {
    const times = this.clientWidth < 560 ? 16 : 32;
    if (times === this.times) return;
    const input = this.place.querySelector("input");
    input.max = times;
    input.value = times;
    input.dispatchEvent(new Event("input"));
    this.set({ times, t: times - 1 });
  }

  point(event) {
    const { a, e } = this.drawing.getScreenCTM(); // the drawing keeps its shape, so it may stand in the middle
    const t = Math.floor((event.clientX - e) / a / STEP);
    const input = this.place.querySelector("input");
    input.value = Math.min(this.times, Math.max(1, t + 1));
    input.dispatchEvent(new Event("input"));
  }

  set(changed) {
    Object.assign(this, changed);
    if (!this.times) return;
    this.gaps = Array.from({ length: this.layers }, (_, layer) => this.data.gaps[this.kind] ** layer);
    this.rows = sees(this.gaps, this.t);
    this.draw();
    this.say();
  }

  draw() {
    const x = (t) => (t + 0.5) * STEP;
    const y = (depth) => HIGH - 14 - (depth * (HIGH - 28)) / this.layers;
    const r = this.layers > 6 ? 5 : 7;
    const faint = [];
    const strong = [];
    this.gaps.forEach((d, l) => {
      for (let t = 0; t < this.times; t++)
        for (const back of [0, d])
          if (t >= back) (this.rows[l + 1].has(t) ? strong : faint).push(`M${x(t - back)} ${y(l)}L${x(t)} ${y(l + 1)}`);
          else if (this.rows[l + 1].has(t)) strong.push(`M${x(t)} ${y(l + 1)}L-10 ${edge(x(t), y(l + 1), x(t - back), y(l))}`);
    });
    const nodes = this.rows.flatMap((row, depth) =>
      Array.from({ length: this.times }, (_, t) => {
        const look = `node ${depth ? "inner" : "input"}${row.has(t) ? " on" : ""}`;
        const square = { x: x(t) - r, y: y(0) - r, width: 2 * r, height: 2 * r, rx: 1.5 };
        return depth
          ? svg("circle", { class: look, cx: x(t), cy: y(depth), r })
          : svg("rect", { class: look, ...square });
      }),
    );
    const lines = [svg("path", { class: "faint", d: faint.join("") }), svg("path", { class: "lines", d: strong.join("") })];
    this.drawing.setAttribute("viewBox", `0 0 ${this.times * STEP} ${HIGH}`);
    this.drawing.replaceChildren(...lines, ...nodes);
  }

  say() {
    const reach = this.gaps.reduce((a, b) => a + b, 1);
    const seen = seenInAll(this.gaps);
    const left = seen - this.rows[0].size;
    const milliseconds = Number(((1000 * reach) / this.data.rate).toPrecision(3));
    const words =
      `Gaps ${this.gaps.map(count).join(", ")}: the horizon is ${count(reach)} samples, ${milliseconds} milliseconds ` +
      `at ${count(this.data.rate)} a second. The output sees ${seen === reach ? "all of them" : `${count(seen)} of them, with holes`}` +
      `${left ? `; ${count(left)} lie to the left of the picture` : ""}.`;
    this.sum.textContent = words;
    this.drawing.setAttribute("aria-label", `A stack of ${this.layers} layers. ${words}`);
    this.tell(words);
  }

  /** The network's state before a sound: it is told which vowel, and how high. */
  begin(name, f0) {
    return this.singer.start(condition(this.data.voice, name, f0));
  }

  /** Draw sample after sample, with a breath between slices; then play. */
  async sing() {
    const length = Math.round(SECONDS * this.data.rate);
    const { name, f0, temperature } = this;
    this.sound(); // a browser lets a page make sound only after a click: this one
    const mine = (this.singing = {});
    const draws = random(this.data.seed + this.songs++);
    const state = this.begin(name, f0);
    this.levels = [];
    this.go.textContent = "Stop";
    this.again.disabled = true;
    this.told.textContent = `Drawing ${count(length)} samples, each from the network's guess.`;
    this.tell(this.told.textContent);
    let [id, spent] = [SILENCE, 0];
    while (this.levels.length < length && this.singing === mine) {
      const start = performance.now();
      while (this.levels.length < length && performance.now() - start < SLICE) {
        id = sample(softmax(this.singer.step(state, id), temperature), draws());
        this.levels.push(id);
      }
      spent += performance.now() - start;
      this.bar.value = this.levels.length / length;
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.show(length);
      await new Promise((done) => setTimeout(done));
    }
    if (this.singing !== mine) return;
    this.rest();
    const speed = count((1000 * this.levels.length) / spent);
    this.told.textContent = `${count(length)} samples, ${speed} a second, for "${SOUNDS[name]}" at ${f0} hertz, temperature ${temperature.toFixed(1)}.`;
    this.tell(this.told.textContent);
    this.show(length);
    this.play();
  }

  stop() {
    this.rest();
    this.told.textContent = `Stopped after ${count(this.levels.length)} samples.`;
  }

  rest() {
    this.singing = null;
    this.go.textContent = "Sing";
    this.again.disabled = !this.levels.length;
  }

  show(length) {
    const wide = 600 / length;
    this.line.setAttribute("d", this.levels.map((id, t) => `${t ? "L" : "M"}${(t * wide).toFixed(1)} ${(42 - 40 * muDecode(id)).toFixed(1)}`).join(""));
  }

  sound() {
    const Context = window.AudioContext ?? window.webkitAudioContext;
    if (Context) this.context ??= new Context();
    this.context?.resume();
    return this.context;
  }

  play() {
    const context = this.sound();
    if (!context) return (this.told.textContent += " This browser cannot play it.");
    this.source?.stop();
    const buffer = context.createBuffer(1, this.levels.length, this.data.rate);
    buffer.getChannelData(0).set(this.levels.map((id) => muDecode(id)));
    this.source = context.createBufferSource();
    this.source.buffer = buffer;
    this.source.connect(context.destination);
    this.source.start();
  }

  leave() {
    this.singing = null;
    this.watch?.disconnect();
    this.context?.close();
  }
}

/** At what height a line from (x, y) to (u, v) leaves the picture on the left, a little outside. */
const edge = (x, y, u, v) => (y + ((v - y) * (x + 10)) / (x - u)).toFixed(1);

define("u-wavenet", UWavenet);
