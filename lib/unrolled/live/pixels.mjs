// <u-pixels>: the reader draws some pixels, a trained gated PixelCNN draws the others and shows its doubt.
import { Figure, button, choice, define, el } from "./ui.mjs";
import { affine, fromHalf, random, sample, softmax } from "./tensor.mjs";

const EMBED = 8; // numbers for a colour, as in the library
const PACE = 40; // milliseconds for a pixel that is drawn
const LOOK = `
.pages { display: grid; grid-template-columns: repeat(2, minmax(0, 330px)); gap: 8px 26px; }
.grid { display: grid; border: 1px solid var(--edge); touch-action: none; user-select: none; }
.grid > div { display: grid; grid-template-columns: repeat(var(--n), 1fr); }
.grid i { display: block; aspect-ratio: 1; position: relative; background: var(--colour, var(--page)); }
.paper i { cursor: crosshair; }
.paper i.blank { background: repeating-linear-gradient(45deg, transparent 0 5px, var(--line) 5px 6px); }
.paper i.own::after { content: ""; position: absolute; inset: 38%; border-radius: 50%; background: #111; border: 1px solid #fff; }
.paper i.next { outline: 2px solid var(--text); outline-offset: -2px; z-index: 1; }
.paper i:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; z-index: 2; }
.doubt i { background: color-mix(in srgb, var(--text) var(--ink, 0%), var(--page)); }
.swatch { display: inline-block !important; width: 14px; height: 14px; line-height: 14px; margin-right: 6px; padding: 0 !important; border: 1px solid var(--edge); border-radius: 3px; vertical-align: -2px; background: var(--colour); }
.choice > div { flex-wrap: wrap; }
.sum { font-variant-numeric: tabular-nums; min-height: 3em; }
@container (max-width: 600px) {
  .pages { grid-template-columns: minmax(0, 330px); }
  .doubt { max-width: 216px; }
  .sum { min-height: 6em; }
}
`;

/** The gated PixelCNN, one place after the other; `weights` in the order of the library's parameters(). */
export class PixelNet {
  constructor({ size, hidden, layers, names, weights }) {
    const numbers = fromHalf(weights);
    let from = 0;
    const take = (n) => numbers.subarray(from, (from += n));
    [this.R, this.C] = size;
    [this.H, this.V] = [hidden, names.length];
    const H = hidden;
    const conv = (outputs, n) => ({ W: take(outputs * n), b: take(outputs) });
    this.embed = take((this.V + 1) * EMBED);
    this.layers = Array.from({ length: layers }, (_, l) => {
      const [inputs, reach] = l ? [H, 1] : [EMBED, 3];
      const bias = take(2 * H);
      const vertical = take(2 * H * inputs * (reach + 1) * (2 * reach + 1));
      const tell = take(4 * H * H);
      return { inputs, reach, bias, vertical, tell, left: conv(2 * H, inputs * (reach + 1)), out: conv(H, H) };
    });
    this.hide = conv(H, H);
    this.say = conv(this.V, H);
    this.begin();
  }

  /** Nothing has been read. */
  begin() {
    this.pixels = [];
    this.above = this.layers.map(() => []); // by layer and row: what each place knows of the rows above
  }

  /** Read one pixel more. */
  read(level) {
    this.pixels.push(level);
  }

  vector(r, c) {
    const inside = r >= 0 && c >= 0 && c < this.C;
    const level = inside ? this.pixels[r * this.C + c] : this.V;
    return this.embed.subarray(level * EMBED, (level + 1) * EMBED);
  }

  /** The logits of the next pixel. */
  logits() {
    const [r, c] = [Math.floor(this.pixels.length / this.C), this.pixels.length % this.C];
    if (c === 0) this.row(r);
    let [h, added] = [this.vector(r, c - 1), false];
    if (c === 0) h = new Float32Array(EMBED); // left of a row is nothing
    this.layers.forEach((layer, l) => {
      if (c === 0) layer.line = [];
      layer.line.push(h);
      const new_ = this.across(layer, c, this.told[l][c]);
      h = added ? new_.map((value, i) => value + h[i]) : new_;
      added = true;
    });
    const relu = (v) => v.map((value) => Math.max(0, value));
    const { hide, say } = this;
    const inner = relu(affine(hide.W, relu(h), hide.b, new Float32Array(this.H)));
    return affine(say.W, inner, say.b, new Float32Array(this.V));
  }

  /** What a row is told by the rows above it, at all layers; the rows above are complete. */
  row(r) {
    let v = Array.from({ length: this.C }, (_, c) => (r ? this.vector(r - 1, c) : new Float32Array(EMBED)));
    this.told = this.layers.map((layer, l) => {
      this.above[l][r] = v;
      const sums = v.map((_, c) => this.down(layer, this.above[l], r, c));
      v = sums.map(gate);
      const none = new Float32Array(2 * this.H);
      return sums.map((sum) => affine(layer.tell, sum, none, new Float32Array(2 * this.H)));
    });
  }

  /** The convolution over complete rows, with its bias: kernel (reach + 1) x (2 reach + 1). */
  down({ inputs, reach, vertical, bias }, rows, r, c) {
    const [high, wide] = [reach + 1, 2 * reach + 1];
    const patch = new Float32Array(inputs * high * wide);
    for (let y = 0; y < high; y++)
      for (let x = 0; x < wide; x++) {
        const vector = rows[r - reach + y]?.[c - reach + x];
        vector?.forEach((value, i) => (patch[(i * high + y) * wide + x] = value));
      }
    return affine(vertical, patch, bias, new Float32Array(2 * this.H));
  }

  /** The layer at a place of the row under way. */
  across({ inputs, reach, left, out, line }, c, told) {
    const patch = new Float32Array(inputs * (reach + 1));
    for (let x = 0; x <= reach; x++)
      line[c - reach + x]?.forEach((value, i) => (patch[i * (reach + 1) + x] = value));
    const g = affine(left.W, patch, left.b, new Float32Array(2 * this.H));
    return affine(out.W, gate(g.map((value, i) => value + told[i])), out.b, new Float32Array(this.H));
  }
}

/** tanh of the first half times sigmoid of the second. */
function gate(a) {
  const H = a.length / 2;
  return Float32Array.from({ length: H }, (_, i) => Math.tanh(a[i]) / (1 + Math.exp(-a[H + i])));
}

/** How unsure a distribution is, in bits. */
export const entropy = (p) => p.reduce((sum, q) => (q > 0 ? sum - q * Math.log2(q) : sum), 0);

class UPixels extends Figure {
  build(data, root) {
    Object.assign(this, { data, net: new PixelNet(data), given: [...data.given], seed: data.seed });
    this.most = Math.log2(data.names.length);
    const [R, C] = data.size;
    this.level = 3;
    this.cells = this.squares("i", R, C);
    this.shades = this.squares("i", R, C);
    this.cells.forEach((cell, n) => {
      cell.setAttribute("role", "gridcell");
      cell.addEventListener("keydown", (event) => this.key(event, n));
    });
    const grid = (cells, attributes) =>
      el(
        "div",
        { ...attributes, style: `--n:${C}` },
        ...Array.from({ length: R }, (_, r) =>
          el("div", attributes.role === "grid" ? { role: "row" } : {}, ...cells.slice(r * C, r * C + C)),
        ),
      );
    this.paper = grid(this.cells, { class: "grid paper", role: "grid", "aria-label": "The page" });
    this.draws();
    this.sum = el("p", { class: "sum" });
    const colours = data.names.map((name, k) => [k, this.swatch(name, data.colours[k]), name]);
    this.play = button("Finish", () => this.toggle(), "main");
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: finish my picture" },
        choice("Draw with", [...colours, [-1, "rubber", "rubber"]], this.level, (k) => (this.level = k)),
        el(
          "div",
          { class: "pages" },
          el("div", {}, el("p", { class: "caption" }, "The page (yours have a dot)"), this.paper),
          el(
            "div",
            {},
            el("p", { class: "caption" }, "Its doubt about each pixel (full ink: 2.6 bits)"),
            grid(this.shades, { class: "grid doubt", "aria-hidden": "true" }),
          ),
        ),
        el(
          "div",
          { class: "row" },
          this.play,
          button("One pixel", () => this.pause() || this.advance()),
          button("Take back what it drew", () => this.again()),
          button("Blank page", () => this.clear(data.given.map(() => -1))),
          button("First sketch", () => this.clear([...data.given])),
        ),
        this.sum,
        el("p", { class: "caption" }, data.note),
      ),
    );
    this.focusOn(0);
    this.restart();
    this.style.minHeight = "";
  }

  squares(tag, R, C) {
    return Array.from({ length: R * C }, () => el(tag, {}));
  }

  swatch(name, colour) {
    const node = el("span", {}, el("span", { class: "swatch", style: `--colour:${colour}` }), name);
    return node;
  }

  /** With a mouse or a finger: press and move. */
  draws() {
    const paint = (event) => {
      if (!event.buttons) return;
      const cell = this.shadowRoot.elementFromPoint(event.clientX, event.clientY);
      const n = this.cells.indexOf(cell);
      if (n >= 0 && this.given[n] !== this.level) this.put(n);
    };
    this.paper.addEventListener("pointerdown", paint);
    this.paper.addEventListener("pointermove", paint);
  }

  /** With keys: arrows move, space or enter draws. */
  key(event, n) {
    const C = this.net.C;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -C, ArrowDown: C }[event.key];
    if (step !== undefined && this.cells[n + step]) {
      this.focusOn(n + step);
      this.cells[n + step].focus();
    } else if (event.key === " " || event.key === "Enter") this.put(n);
    else return;
    event.preventDefault();
  }

  focusOn(n) {
    this.cells.forEach((cell, k) => cell.setAttribute("tabindex", k === n ? 0 : -1));
  }

  put(n) {
    this.given[n] = this.level;
    this.restart();
  }

  clear(given) {
    this.given = given;
    this.restart();
  }

  /** Another picture from the same pixels. */
  again() {
    this.seed += 1;
    this.restart();
  }

  /** Forget what was drawn, and read what is given up to the first open place. */
  restart() {
    this.pause();
    this.draw = random(this.seed);
    this.net.begin();
    Object.assign(this, { page: [...this.given], doubts: [], surprise: 0, own: 0 });
    this.look();
    while (this.next < this.page.length && this.page[this.next] >= 0) this.take();
    this.show();
  }

  get next() {
    return this.net.pixels.length;
  }

  /** The guess for the next place. */
  look() {
    if (this.next >= this.page.length) return (this.p = null);
    this.p = softmax(this.net.logits());
    this.doubts[this.next] = entropy(this.p);
  }

  /** Read a pixel that is given, or draw one. */
  take() {
    const n = this.next;
    if (this.page[n] >= 0) {
      this.surprise -= Math.log2(this.p[this.page[n]]);
      this.own += 1;
    } else this.page[n] = sample(this.p, this.draw());
    this.net.read(this.page[n]);
    this.look();
  }

  advance() {
    if (this.p) this.take();
    this.show();
  }

  toggle() {
    if (this.timer) return this.pause();
    if (!this.p) this.again();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.finish();
    this.timer = setInterval(() => (this.p ? this.advance() : this.pause()), PACE);
    this.play.textContent = "Pause";
  }

  /** All that is left, at once. */
  finish() {
    while (this.p) this.take();
    this.show();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = "Finish";
    this.show();
  }

  leave() {
    clearInterval(this.timer);
  }

  show() {
    if (!this.page) return;
    const { names, colours } = this.data;
    this.cells.forEach((cell, n) => {
      const level = this.page[n];
      const own = this.given[n] >= 0;
      cell.className = [level < 0 && "blank", own && "own", n === this.next && "next"].filter(Boolean).join(" ");
      cell.style.setProperty("--colour", colours[level] ?? "transparent");
      const what = level < 0 ? "open" : `${names[level]}, ${own ? "yours" : "drawn by the network"}`;
      cell.setAttribute("aria-label", `row ${Math.floor(n / this.net.C) + 1}, column ${(n % this.net.C) + 1}: ${what}`);
      this.shades[n].style.setProperty("--ink", `${Math.round((100 * (this.doubts[n] ?? 0)) / this.most)}%`);
    });
    this.sum.textContent = this.words();
    this.tell(this.sum.textContent);
  }

  words() {
    const own = this.own
      ? `Your pixels so far surprised the network by ${(this.surprise / this.own).toFixed(2)} bits each. `
      : "";
    if (!this.p) return `${own}The picture is finished. Finish again for another one from the same pixels.`;
    const best = this.p.indexOf(Math.max(...this.p));
    const bits = this.doubts[this.next].toFixed(2);
    return (
      `${own}At pixel ${this.next + 1} of ${this.page.length} it doubts by ${bits} bits and expects ` +
      `${this.data.names[best]} with ${Math.round(100 * this.p[best])}\u202f%.`
    );
  }
}

define("u-pixels", UPixels);
