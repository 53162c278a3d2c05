// <u-ngram>: type a text, choose n and the smoothing, see what comes next, let it write.
import { choice, count, define, el, show } from "./ui.mjs";
import { Writer, inWords } from "./writer.mjs";
import { NGram } from "./counts.mjs";

const NOTHING = "Never seen, and without smoothing: the table has nothing to say.";
const SMOOTHINGS = Object.entries({ none: "none", add_one: "add one", kneser_ney: "Kneser–Ney" });

class UNgram extends Writer {
  words = { label: "Live figure: an n-gram writes", play: "Write a line", stop: "Stop", step: "Write one" };
  pace = 45; // symbols a second
  limit = 600; // symbols after which "a line" ends anyway

  setUp(data) {
    Object.assign(this, { n: data.n, smoothing: data.smoothing, model: new NGram(data.text) });
  }

  picture() {
    this.tape = el("div", { class: "tape" });
    this.sees = el("p", { class: "caption sees" });
    return el("div", {}, el("div", { "aria-hidden": "true" }, this.tape), this.sees);
  }

  controls() {
    const sizes = [1, 2, 3, 4, 5, 6].map((n) => [String(n), String(n), `n = ${n}`]);
    const change = (name, value) => {
      this[name] = value;
      this.look();
    };
    return [
      choice("n: how long the counted pieces are", sizes, String(this.n), (n) => change("n", +n)),
      choice("Smoothing", SMOOTHINGS, this.smoothing, (kind) => change("smoothing", kind)),
    ];
  }

  begin(text) {
    this.read_ids = this.model.encode(text);
  }

  take(symbol) {
    this.read_ids.push(this.model.ids.get(symbol));
  }

  symbols() {
    return this.model.symbols;
  }

  /** What the model makes of the text; kept until the text or the model changes. */
  row() {
    return this.model.row(this.read_ids, this.n, this.smoothing);
  }

  chances() {
    const { p, total } = this.row();
    return total ? p : null; // never seen, nothing to draw from
  }

  goesOn(symbol) {
    return symbol !== "\n"; // a line ends here
  }

  look() {
    const { p, counts, seen, total } = this.row();
    const notes = Array.from(counts, (c) => (c ? `${count(c)}×` : "never"));
    this.bars.draw(total ? p : [], this.symbols(), notes);
    if (!total) this.bars.rest.textContent = NOTHING;
    this.drawTape();
    const unknown = this.model.unknown(this.text).map(show).join(" ");
    const stranger = `Left out, because the stories do not have it: ${unknown}`;
    this.note.replaceChildren(...(unknown ? [stranger] : this.facts(seen)));
    this.tell(total ? inWords(this.text || "\n", p, this.symbols()) : NOTHING);
  }

  facts(seen) {
    const [size, V] = [this.n - 1, this.symbols().length];
    const bold = (text) => el("b", {}, text);
    const window = size === 1 ? "This symbol was " : `These ${size} symbols were `;
    const times = bold(seen ? `seen ${count(seen)}×.` : "never seen.");
    const lead = size ? [window, times] : [`The stories have ${count(seen)} symbols.`];
    const cells = [` The full table has ${V}`, el("sup", {}, String(this.n)), " = ", bold(count(V ** this.n))];
    return [...lead, ...cells, " cells; the stories fill ", bold(count(this.model.kinds(this.n))), "."];
  }

  drawTape() {
    const symbols = ["\n", ...this.read_ids.slice(-40).map((id) => this.symbols()[id])];
    const first = symbols.length - (this.n - 1);
    const cells = symbols.map((s, i) => el("span", { class: i >= first ? "seen" : "" }, show(s)));
    this.tape.replaceChildren(...cells, el("span", { class: "next" }, "?"));
    const lost = Math.max(0, this.read_ids.length + 2 - this.n);
    const window = ["nothing at all", "the last symbol only"][this.n - 1] ?? `the last ${this.n - 1} symbols`;
    this.sees.textContent = `The model sees ${window}; the ${lost} before are lost to it.`;
  }
}

define("u-ngram", UNgram);
