// <u-captions>: choose a glyph or draw one; a trained network names it, and shows where it looked for each word.
import { Captioner } from "./captioner.mjs";
import { Figure, button, choice, define, el, percent } from "./ui.mjs";

const SIDE = 10; // canvas pixels that one pixel of the picture takes
const LOOK = `
.glyphs { display: flex; flex-wrap: wrap; gap: 6px; }
.glyphs button { min-width: 40px; height: 40px; padding: 0 6px; border: 1px solid var(--edge); border-radius: 8px; background: var(--page); font: 20px/1 "DejaVu Sans", system-ui, sans-serif; cursor: pointer; }
.two { display: grid; grid-template-columns: minmax(0, 280px) minmax(0, 1fr); gap: 18px; align-items: start; }
.paper { width: 100%; max-width: 280px; border: 1px solid var(--edge); border-radius: 6px; background: var(--page); color: var(--text); caret-color: var(--accent); touch-action: none; cursor: crosshair; image-rendering: pixelated; }
.said { display: flex; flex-wrap: wrap; gap: 6px; min-height: 200px; align-content: flex-start; }
.said button { display: grid; justify-items: start; padding: 5px 9px; min-height: 44px; border: 1px solid var(--edge); border-radius: 8px; background: var(--page); font: 600 13px/1.25 var(--mono); cursor: pointer; }
.said button[aria-pressed="true"] { border: 2px solid var(--accent); padding: 4px 8px; }
.said small { color: var(--muted); font: 400 12px/1.2 system-ui, sans-serif; }
.row { display: flex; flex-wrap: wrap; gap: 10px; align-items: end; }
@container (max-width: 560px) { .two { grid-template-columns: minmax(0, 1fr); } .said { min-height: 150px; } }
`;

class UCaptions extends Figure {
  build(data, root) {
    Object.assign(this, { data, net: new Captioner(data), ink: 1, cursor: null, chosen: 0 });
    [this.R, this.C] = data.size;
    this.paper = el("canvas", {
      class: "paper",
      width: this.C * SIDE,
      height: this.R * SIDE,
      tabindex: "0",
      role: "application",
      "aria-label": "The picture. Arrow keys move, space draws or rubs out.",
    });
    this.draws();
    this.words = el("div", { class: "said", role: "group", "aria-label": "What it says" });
    const glyph = (char, n) =>
      el("button", { type: "button", "aria-label": `Show ${char}`, onclick: () => this.show(n) }, char);
    const pens = [[1, "ink"], [0, "rubber"]];
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: a network names what it sees" },
        el("p", { class: "caption" }, "Choose a glyph, or draw in the picture."),
        el("div", { class: "glyphs" }, ...data.chars.map(glyph)),
        el(
          "div",
          { class: "two" },
          this.paper,
          el(
            "div",
            {},
            el("p", { class: "caption" }, "It says (choose a word to see where it looked for it):"),
            this.words,
          ),
        ),
        el(
          "div",
          { class: "row" },
          choice("Draw with", pens, 1, (ink) => (this.ink = ink)),
          button("Blank page", () => this.set(new Float32Array(this.R * this.C))),
        ),
      ),
    );
    this.show(0);
    this.style.minHeight = "";
  }

  /** One of the glyphs that came with the page. */
  show(n) {
    this.set(Float32Array.from(this.data.pages[n], (digit) => digit / this.data.levels));
  }

  /** With a mouse or a finger: press and move. With keys: arrows move, space draws. */
  draws() {
    const paint = (event) => {
      if (!event.buttons) return;
      const box = this.paper.getBoundingClientRect();
      const c = Math.floor(((event.clientX - box.left) / box.width) * this.C);
      const r = Math.floor(((event.clientY - box.top) / box.height) * this.R);
      if (r >= 0 && r < this.R && c >= 0 && c < this.C) this.put(r * this.C + c);
    };
    this.paper.addEventListener("pointerdown", paint);
    this.paper.addEventListener("pointermove", paint);
    this.paper.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const [r, c] = this.cursor ?? [this.R >> 1, this.C >> 1];
    if (step) {
      const within = (n, most) => Math.min(most - 1, Math.max(0, n));
      this.cursor = [within(r + step[0], this.R), within(c + step[1], this.C)];
      this.redraw();
    } else if (event.key === " " || event.key === "Enter") this.put(r * this.C + c);
    else return;
    event.preventDefault();
  }

  put(n) {
    if (this.page[n] === this.ink) return;
    const page = this.page.slice();
    page[n] = this.ink;
    this.set(page);
  }

  /** A new picture: let the network write, and show where it looked for the last word. */
  set(page) {
    this.page = page;
    this.said = this.net.describe(page);
    const named = this.said.filter(({ id }) => id > 0);
    this.chosen = Math.max(0, named.length - 1);
    this.words.replaceChildren(
      ...named.map(({ id, p }, t) =>
        el(
          "button",
          { type: "button", onclick: () => this.choose(t) },
          this.data.symbols[id],
          el("small", {}, percent(p)),
        ),
      ),
    );
    this.choose(this.chosen);
    this.tell(`It says: ${named.map(({ id }) => this.data.symbols[id]).join(" ") || "nothing"}.`);
  }

  choose(t) {
    this.chosen = t;
    [...this.words.children].forEach((node, k) => node.setAttribute("aria-pressed", k === t));
    this.redraw();
  }

  /** The picture, and over it the places that the chosen word came from. */
  redraw() {
    if (!this.said) return;
    const context = this.paper.getContext("2d");
    const { color, caretColor } = getComputedStyle(this.paper);
    const square = (r, c, side) => context.fillRect(c * side, r * side, side, side);
    context.clearRect(0, 0, this.paper.width, this.paper.height);
    context.fillStyle = color;
    this.page.forEach((ink, n) => {
      context.globalAlpha = ink;
      square(Math.floor(n / this.C), n % this.C, SIDE);
    });
    context.fillStyle = caretColor;
    const weights = this.said[this.chosen].weights;
    const most = Math.max(...weights);
    weights.forEach((weight, s) => {
      context.globalAlpha = (0.65 * weight) / most;
      square(Math.floor(s / this.net.grid[1]), s % this.net.grid[1], 4 * SIDE);
    });
    context.globalAlpha = 1;
    if (!this.cursor) return;
    context.strokeStyle = caretColor;
    context.lineWidth = 3;
    context.strokeRect(this.cursor[1] * SIDE, this.cursor[0] * SIDE, SIDE, SIDE);
  }
}

define("u-captions", UCaptions);
