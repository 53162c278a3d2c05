// <u-maze>: a policy with memory, one without, and the reader, each in a corridor with a fork at its end.
import { Figure, button, choice, define, el, percent, slider } from "./ui.mjs";
import { Player } from "./writer.mjs";
import { affine, fromHalf, softmax } from "./tensor.mjs";

const FORWARD = 2;
const DOES = ["turns left", "turns right", "goes forward"];
const SEES = ["the sign: left", "the sign: right", "the corridor", "the fork"];
const EXITS = ["left", "right"];
const LOOK = `
.lane { display: grid; gap: 4px; }
.lane .who { font-weight: 600; font-size: 14px; }
.way { display: grid; grid-template-columns: repeat(var(--n), minmax(0, 1fr)) 54px; height: 84px; }
.way i { border: solid var(--edge); border-width: 1px 0; margin: 27px 0; position: relative; display: grid; place-items: center; font: 600 13px/1 var(--mono); }
.way i:first-child { border-left-width: 1px; }
.way .fork { display: grid; grid-template-rows: 28px 28px 28px; }
.way .fork i { margin: 0; border-width: 0 1px; }
.way .fork .middle { border-left-width: 0; }
.way .fork .good { background: color-mix(in srgb, var(--good) 30%, var(--page)); }
.way .fork .bad { background: color-mix(in srgb, var(--bad) 30%, var(--page)); }
.way .here::after { content: ""; position: absolute; width: min(16px, 100%); aspect-ratio: 1; border-radius: 50%; background: var(--ink); border: 2px solid var(--page); }
.says { font-size: 13.5px; min-height: 2.7em; font-variant-numeric: tabular-nums; color: var(--muted); }
.says b { color: var(--text); font-weight: 600; }
.state { display: grid; grid-template-columns: repeat(var(--n), minmax(0, 1fr)) 54px; gap: 1px 0; }
.state i { height: 5px; margin-right: 1px; background: color-mix(in srgb, var(--h) var(--ink), var(--line)); }
.state .empty { background: none; }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1.4fr); gap: 22px; align-items: end; }
@container (max-width: 560px) {
  .pair { grid-template-columns: minmax(0, 1fr); gap: 10px; }
  .says { min-height: 4.2em; }
}
`;

/** One corridor: the rules of unrolled.worlds.TMaze, without its clock. */
export class Maze {
  constructor(cue, length) {
    Object.assign(this, { cue, length, at: 0, time: 0, paid: 0, exit: null });
  }
  get over() {
    return this.exit !== null;
  }
  see() {
    return this.time === 0 ? this.cue : this.at === this.length ? 3 : 2;
  }
  step(a) {
    if (this.over) return;
    const there = this.at === this.length;
    const turn = a !== FORWARD;
    if (turn && there) this.exit = a;
    if (turn && there && a === this.cue) this.paid += 1;
    if (turn !== there) this.paid -= 0.1;
    if (!turn && !there) this.at += 1;
    this.time += 1;
  }
}

/** A GRU with a head: h_t = z h_{t-1} + (1 - z) n_t, and scores of the three actions. */
export class Walker {
  constructor({ hidden, weights }) {
    const [numbers, H] = [fromHalf(weights), hidden];
    const D = (numbers.length - 3 * H * H - 7 * H - 3) / (4 + 3 * H);
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    Object.assign(this, { H, D, embed: take(4 * D), W_x: take(3 * H * D), W_h: take(3 * H * H) });
    Object.assign(this, { b: take(3 * H), b_n: take(H), W: take(3 * H), b_a: take(3) });
    this.none = new Float32Array(3 * H);
  }
  start() {
    return new Float32Array(this.H);
  }
  step(h, x) {
    const { H, D } = this;
    const a = affine(this.W_x, this.embed.subarray(x * D, (x + 1) * D), this.b, new Float32Array(3 * H));
    const u = affine(this.W_h, h, this.none, new Float32Array(3 * H));
    const sigmoid = (v) => 1 / (1 + Math.exp(-v));
    return h.map((old, i) => {
      const [r, z] = [sigmoid(a[i] + u[i]), sigmoid(a[H + i] + u[H + i])];
      return z * old + (1 - z) * Math.tanh(a[2 * H + i] + r * (u[2 * H + i] + this.b_n[i]));
    });
  }
  logits(h) {
    return affine(this.W, h, this.b_a, new Float32Array(3));
  }
}

/** What the two policies do, and why: each a function of what it sees, and of what it keeps. */
export function minds(data) {
  const walker = new Walker(data);
  return {
    gru: { start: () => walker.start(), read: (h, x) => walker.step(h, x), logits: (h) => walker.logits(h) },
    none: { start: () => 0, read: (h, x) => x, logits: (x) => data.table[x] },
  };
}

const likeliest = (scores) => scores.indexOf(Math.max(...scores));

class UMaze extends Figure {
  build(data, root) {
    Object.assign(this, { data, cue: data.cue, length: data.length, minds: minds(data), pace: 5 });
    const walkButton = button("Walk", () => this.player.toggle(4 * data.longest), "main");
    const change = (on) => walkButton.replaceChildren(on ? "Pause" : "Walk");
    const [step, draw, pace] = [() => this.step(), () => this.look(), () => this.pace];
    this.player = new Player({ step, draw, pace, change });
    this.lanes = {
      gru: this.lane("With memory: a GRU with 16 numbers", "--h"),
      none: this.lane("Without memory", "--x"),
      you: this.lane("You", "--accent"),
    };
    this.state = el("div", { class: "state", role: "img" });
    const moves = ["Turn left", "Turn right", "Forward"].map((name, a) => button(name, () => this.move(a)));
    const steps = { min: 1, max: data.longest, step: 1, value: this.length };
    const one = () => (this.player.stop(), this.step(), this.look());
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: three walkers in a maze" },
        el(
          "div",
          { class: "pair" },
          choice("The sign says", [["0", "left"], ["1", "right"]], `${this.cue}`, (v) => this.set({ cue: +v })),
          slider("Steps to the fork:", steps, (n) => `${n}`, (length) => this.set({ length })),
        ),
        el("div", { class: "row" }, walkButton, button("Step", one), button("Start again", () => this.set({}))),
        this.lanes.gru.node,
        el("p", { class: "caption" }, "Its state, a column for each step. On top: the numbers that know the sign."),
        this.state,
        this.lanes.none.node,
        this.lanes.you.node,
        el("div", { class: "row" }, ...moves),
      ),
    );
    this.set({});
    this.style.minHeight = ""; // what was kept free is filled now
  }

  lane(name, ink) {
    const way = el("div", { class: "way", role: "img", style: `--ink: var(${ink})` });
    const says = el("p", { class: "says" });
    return { name, way, says, node: el("div", { class: "lane" }, el("span", { class: "who" }, name), way, says) };
  }

  /** All begin anew, perhaps with another sign or length. */
  set(changed) {
    this.player.stop();
    Object.assign(this, changed);
    for (const [who, lane] of Object.entries(this.lanes)) {
      lane.maze = new Maze(this.cue, this.length);
      if (who in this.minds) lane.kept = this.minds[who].start();
      lane.did = null;
    }
    this.columns = [];
    this.read();
    this.look();
  }

  /** Both policies look at what is there. */
  read() {
    for (const [who, mind] of Object.entries(this.minds)) {
      const lane = this.lanes[who];
      if (lane.maze.over) continue;
      lane.kept = mind.read(lane.kept, lane.maze.see());
      lane.logits = [...mind.logits(lane.kept)];
      if (who === "gru") this.columns.push(lane.kept);
    }
  }

  /** Both policies do what is likeliest; false once both have left. */
  step() {
    for (const who of Object.keys(this.minds)) {
      const lane = this.lanes[who];
      if (lane.maze.over) continue;
      lane.did = likeliest(lane.logits);
      lane.maze.step(lane.did);
    }
    this.read();
    return Object.keys(this.minds).some((who) => !this.lanes[who].maze.over);
  }

  move(a) {
    const { maze } = this.lanes.you;
    if (maze.over) return;
    this.lanes.you.did = a;
    maze.step(a);
    this.look();
  }

  look() {
    for (const lane of Object.values(this.lanes)) this.draw(lane);
    this.drawState();
    const words = Object.entries(this.lanes)
      .filter(([who]) => who !== "you" || this.lanes.you.did !== null)
      .map(([, lane]) => `${lane.name}: ${lane.says.textContent}`);
    this.tell(words.join(" "));
  }

  draw(lane) {
    const { maze, did, logits } = lane;
    const sign = maze.time === 0 ? ["↑", "↓"][maze.cue] : "";
    const cell = (at) => {
      const here = !maze.over && maze.at === at;
      return el("i", { class: here && !sign ? "here" : "" }, at === 0 ? sign : "");
    };
    const exit = (a) => {
      const out = maze.exit === a;
      const kind = out ? ` here ${a === maze.cue ? "good" : "bad"}` : "";
      return el("i", { class: `exit${kind}` }, out ? "" : "LR"[a]);
    };
    const middle = el("i", { class: `middle${!maze.over && maze.at === maze.length ? " here" : ""}` });
    lane.way.style.setProperty("--n", maze.length);
    const cells = Array.from({ length: maze.length }, (_, at) => cell(at));
    lane.way.replaceChildren(...cells, el("div", { class: "fork" }, exit(0), middle, exit(1)));
    const place = maze.over ? `out by the ${EXITS[maze.exit]}` : `at place ${maze.at} of ${maze.length}`;
    lane.way.setAttribute("aria-label", `${lane.name}: ${place}`);
    lane.says.replaceChildren(...(maze.over ? ended(maze) : going(maze, did, logits)));
  }

  /** The state after each step, as many columns as the corridor has places. */
  drawState() {
    const shown = this.columns.slice(-(this.length + 1));
    const { order } = this.data;
    this.state.style.setProperty("--n", this.length);
    const cells = order.flatMap((i) =>
      Array.from({ length: this.length + 1 }, (_, t) => {
        const ink = shown[t] && `--ink:${Math.round(50 + 50 * shown[t][i])}%`;
        return el("i", { style: ink, class: shown[t] ? "" : "empty" });
      }),
    );
    this.state.replaceChildren(...cells);
    const words = `The ${order.length} numbers of the state after each of ${shown.length} steps: blue is 1, pale is -1.`;
    this.state.setAttribute("aria-label", words);
  }
}

/** What is said of a walker who has left: by which exit, and what it was paid. */
function ended(maze) {
  const verdict = maze.exit === maze.cue ? "as the sign said" : "against the sign";
  return [`It turned ${EXITS[maze.exit]}, ${verdict}. Paid: `, el("b", {}, paid(maze)), "."];
}

/** What is said of a walker on its way: what it sees, and how likely it finds each action. */
function going(maze, did, logits) {
  const before = did === null ? "" : ` Before, it ${["turned left", "turned right", "went forward"][did]}.`;
  const sees = [`It sees `, el("b", {}, SEES[maze.see()]), "."];
  if (!logits) return [...sees, before, maze.paid < 0 ? ` Paid so far: ${paid(maze)}.` : ""];
  const p = softmax(Float32Array.from(logits));
  const next = likeliest(logits);
  return [...sees, " Next it ", el("b", {}, DOES[next]), ` (${percent(p[next])}).`];
}

const paid = ({ paid: sum }) => (Math.round(10 * sum) / 10).toString().replace("-", "\u2212");

define("u-maze", UMaze);
