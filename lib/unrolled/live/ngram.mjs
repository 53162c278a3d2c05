// <u-ngram>: type a text, choose n and the smoothing, see what comes next, let it write.
import { Bars, Figure, Player, button, choice, count, define, el, inWords, show, textField } from "./ui.mjs";
import { random, sample } from "./tensor.mjs";
import { NGram } from "./counts.mjs";

const LONGEST = 2000; // symbols in the text field
const LINE = 600; // symbols after which "a line" ends anyway
const NOTHING = "Never seen, and without smoothing: the table has nothing to say.";
const PACE = 45; // symbols a second while it writes

class UNgram extends Figure {
  build(data, root) {
    Object.assign(this, { data, n: data.n, smoothing: data.smoothing, seed: data.seed });
    this.model = new NGram(data.text);
    this.draws = random(this.seed);
    this.player = new Player(() => this.write(), () => PACE, (on) => this.lineButton.replaceChildren(on ? "Stop" : "Write a line"));
    const { area, node } = textField("The text so far (type your own)", 3, () => this.read(area.value));
    this.area = area;
    this.tape = el("div", { class: "tape" });
    this.sees = el("p", { class: "caption sees" });
    this.bars = new Bars(8, (symbol) => this.append(symbol));
    this.note = el("p", { class: "note" });
    this.lineButton = button("Write a line", () => this.line());
    root.append(el("section", { class: "card", "aria-label": "Live figure: an n-gram writes" },
      node,
      el("div", {}, el("div", { "aria-hidden": "true" }, this.tape), this.sees),
      el("div", { class: "row" }, button("Write one", () => this.one(), "main"), this.lineButton, button("Restart", () => this.restart())),
      el("div", { class: "two" }, this.bars.node, el("div", { class: "side" }, ...this.controls(), this.note))));
    this.read(data.prompt);
  }

  controls() {
    const sizes = [1, 2, 3, 4, 5, 6].map((n) => [String(n), String(n), `n = ${n}`]);
    const kinds = [["none", "none"], ["add_one", "add one"], ["kneser_ney", "Kneser–Ney"]];
    const change = (name, value) => {
      this[name] = value;
      this.look();
    };
    return [
      choice("n: how long the counted pieces are", sizes, String(this.n), (n) => change("n", +n)),
      choice("Smoothing", kinds, this.smoothing, (kind) => change("smoothing", kind)),
    ];
  }

  /** The text changed: by hand, or from outside. */
  read(text) {
    this.player.stop();
    this.text = text.slice(-LONGEST);
    if (this.area.value !== this.text) this.area.value = this.text;
    this.look();
  }

  append(symbol) {
    this.text = (this.text + symbol).slice(-LONGEST);
    this.area.value = this.text;
    this.area.scrollTop = this.area.scrollHeight;
    this.look();
  }

  /** Draw one symbol from the distribution; false where a line ends. */
  write() {
    if (!this.row.total) return false; // never seen, nothing to draw from
    const symbol = this.model.symbols[sample(this.row.p, this.draws())];
    this.append(symbol);
    this.left -= 1;
    return symbol !== "\n" && this.left > 0;
  }

  one() {
    this.player.stop();
    this.left = 1;
    this.write();
  }

  line() {
    this.left = LINE;
    this.player.toggle(LINE);
  }

  restart() {
    this.seed += 1; // another story, and yet the same one for everybody
    this.draws = random(this.seed);
    this.read(this.data.prompt);
  }

  /** Ask the model about the text, and draw its answer. */
  look() {
    const ids = this.model.encode(this.text);
    this.row = this.model.row(ids, this.n, this.smoothing);
    const { p, counts, seen, total } = this.row;
    const notes = Array.from(counts, (c) => (c ? `${count(c)}×` : "never"));
    this.bars.draw(total ? p : [], this.model.symbols, notes);
    if (!total) this.bars.rest.textContent = NOTHING;
    this.drawTape(ids);
    const unknown = this.model.unknown(this.text).map(show).join(" ");
    this.note.replaceChildren(...(unknown ? [`Left out, because the stories do not have it: ${unknown}`] : this.facts(seen)));
    this.tell(total ? inWords(this.text || "\n", p, this.model.symbols) : NOTHING);
  }

  facts(seen) {
    const [size, V] = [this.n - 1, this.model.symbols.length];
    const window = size === 1 ? "This symbol was" : `These ${size} symbols were`;
    const times = seen ? `seen ${count(seen)}×.` : "never seen.";
    const lead = size ? [window, " ", el("b", {}, times)] : [`The stories have ${count(seen)} symbols.`];
    return [...lead, ` The full table has ${V}`, el("sup", {}, String(this.n)), " = ", el("b", {}, count(V ** this.n)),
      " cells; the stories fill ", el("b", {}, count(this.model.kinds(this.n))), "."];
  }

  drawTape(ids) {
    const symbols = ["\n", ...ids.slice(-40)].map((id) => (id === "\n" ? id : this.model.symbols[id]));
    const first = symbols.length - (this.n - 1);
    const cells = symbols.map((s, i) => el("span", { class: i >= first ? "seen" : "" }, show(s)));
    this.tape.replaceChildren(...cells, el("span", { class: "next" }, "?"));
    const lost = Math.max(0, ids.length + 1 - (this.n - 1));
    const window = this.n === 1 ? "nothing at all" : this.n === 2 ? "the last symbol only" : `the last ${this.n - 1} symbols`;
    this.sees.textContent = `The model sees ${window}; the ${lost} before are lost to it.`;
  }
}

define("u-ngram", UNgram);
