// <u-translator>: a trained translator with attention; the reader composes, and sees where it looks.
import { Figure, button, define, el } from "./ui.mjs";
import { affine, fromHalf } from "./tensor.mjs";
import { compose } from "./grammar.mjs";

const END = "\n";
const LONGEST = 24; // words of an answer
const PACE = 650; // milliseconds for a word
const LOOK = `
.menus { display: grid; grid-template-columns: repeat(auto-fit, minmax(108px, 1fr)); gap: 8px; }
.menus label { display: grid; gap: 2px; }
.menus select { font: inherit; color: inherit; height: 40px; width: 100%; min-width: 0; padding: 0 4px; border: 1px solid var(--edge); border-radius: 10px; background: var(--page); }
.menus select:disabled { opacity: 0.5; }
.map { overflow-x: auto; min-height: 440px; }
.map table { border-collapse: separate; border-spacing: 3px; font-size: 14px; }
.map thead th { font-weight: 500; height: 84px; vertical-align: bottom; padding: 0; }
.map thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
.map tbody th { font-weight: 500; text-align: right; padding-right: 6px; white-space: nowrap; }
.map td { width: 34px; min-width: 26px; height: 26px; padding: 0; text-align: center; font-size: 12px; font-variant-numeric: tabular-nums; border: 2px solid transparent; border-radius: 4px; background: color-mix(in srgb, var(--h) var(--ink), transparent); }
.map td.dark { color: var(--page); }
.map td.true { border-color: var(--u-f, #d55e00); }
.map tr.later { visibility: hidden; }
.key i { display: inline-block; width: 13px; height: 13px; border: 2px solid var(--u-f, #d55e00); border-radius: 3px; vertical-align: -2px; }
.said { min-height: 4.4em; font-variant-numeric: tabular-nums; }
@container (max-width: 560px) {
  .map table { border-spacing: 2px; font-size: 13px; }
  .map td { width: 22px; min-width: 19px; font-size: 0; }
  .said { min-height: 6.6em; }
}
`;

const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/** One step of an LSTM on the vector x: {h, c}. */
function lstmStep({ W_x, W_h, b }, { h, c }, x) {
  const H = h.length;
  const a = affine(W_h, h, affine(W_x, x, b, new Float64Array(4 * H)), new Float64Array(4 * H));
  const next = { h: new Float64Array(H), c: new Float64Array(H) };
  for (let k = 0; k < H; k++) {
    next.c[k] = sigmoid(a[H + k]) * c[k] + sigmoid(a[k]) * Math.tanh(a[2 * H + k]);
    next.h[k] = sigmoid(a[3 * H + k]) * Math.tanh(next.c[k]);
  }
  return next;
}

/** The translator: an LSTM each way over the source, a decoder, multiplicative attention. */
export class Translator {
  constructor({ english, french, embed, hidden, weights }) {
    const [E, H] = [embed, hidden];
    const numbers = fromHalf(weights);
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    const core = () => ({ W_x: take(4 * H * E), W_h: take(4 * H * H), b: take(4 * H) });
    Object.assign(this, { english, french, E, H });
    this.source = take(english.length * E);
    [this.forward, this.backward] = [core(), core()];
    this.target = take(french.length * E);
    this.decoder = core();
    this.W_m = take(2 * H * H);
    this.W_c = take(3 * H * H);
    this.b_c = take(H);
    this.W_y = take(french.length * H);
    this.b_y = take(french.length);
  }

  run(core, ids) {
    let state = { h: new Float64Array(this.H), c: new Float64Array(this.H) };
    return ids.map((id) => (state = lstmStep(core, state, this.source.subarray(id * this.E, (id + 1) * this.E))));
  }

  /** Read the source: a memory with a key for each place, and the decoder's first state. */
  start(ids) {
    const there = this.run(this.forward, ids);
    const back = this.run(this.backward, [...ids].reverse()).reverse();
    const memory = there.map(({ h }, s) => [...h, ...back[s].h]);
    const none = new Float64Array(this.H);
    const keys = memory.map((m) => affine(this.W_m, m, none, new Float64Array(this.H)));
    return { memory, keys, ...there.at(-1) };
  }

  /** Read the French word `id`: the logits of the next one, and where it looks. */
  step(state, id) {
    const next = lstmStep(this.decoder, state, this.target.subarray(id * this.E, (id + 1) * this.E));
    const scores = state.keys.map((key) => key.reduce((sum, k, i) => sum + k * next.h[i], 0));
    const top = Math.max(...scores);
    const p = scores.map((e) => Math.exp(e - top));
    const sum = p.reduce((a, b) => a + b, 0);
    const look = p.map((e) => e / sum);
    const context = state.memory[0].map((_, k) => look.reduce((all, w, s) => all + w * state.memory[s][k], 0));
    const both = affine(this.W_c, [...context, ...next.h], this.b_c, new Float64Array(this.H)).map(Math.tanh);
    const logits = affine(this.W_y, both, this.b_y, new Float64Array(this.b_y.length));
    return { state: { ...state, ...next }, look, logits };
  }

  /** English words to French symbols: what the network writes, always the likeliest, and where it looked. */
  translate(words) {
    const symbols = [...words.map((w, k) => (k && w !== "." ? ` ${w}` : w)), END];
    let state = this.start(symbols.map((symbol) => this.english.indexOf(symbol)));
    let id = this.french.indexOf(END);
    const steps = [];
    while (steps.length < LONGEST) {
      const step = this.step(state, id);
      ({ state } = step);
      id = step.logits.indexOf(Math.max(...step.logits));
      steps.push({ symbol: this.french[id], look: step.look, logits: step.logits });
      if (this.french[id] === END) break;
    }
    return steps;
  }
}

const hundredths = (p) => Math.round(100 * p);

class UTranslator extends Figure {
  build(data, root) {
    Object.assign(this, { data, tables: data.tables, model: new Translator(data), shown: Infinity });
    this.head = el("tr");
    this.body = el("tbody");
    this.said = el("p", { class: "said" });
    const map = el("table", {}, el("thead", {}, this.head), this.body);
    root.append(
      el("style", {}, LOOK),
      el(
        "section",
        { class: "card", "aria-label": "Live figure: a translator and where it looks" },
        el("div", { class: "menus" }, ...this.menus(data.choice)),
        el(
          "div",
          { class: "row" },
          button("Word by word", () => this.play(), "main"),
          button("Another sentence", () => this.another()),
        ),
        el(
          "p",
          { class: "caption key" },
          "Columns: what it reads. Rows: what it writes. The darker, the more it looks there, in percent. ",
          el("i"),
          " the true alignment, which it was never shown.",
        ),
        el("div", { class: "map", tabindex: "0", role: "group", "aria-label": "table of attention" }, map),
        this.said,
        el("p", { class: "note" }, data.note),
      ),
    );
    this.change();
    this.style.minHeight = ""; // what was kept free is filled now
  }

  /** Eight places of a sentence, with two adjectives each. */
  menus([det, looks, noun, how, verb, det2, looks2, noun2]) {
    const { dets, looks: adjectives, who, what, verbs, pronouns } = this.tables;
    const hows = this.tables.how;
    const none = ["", ...Object.keys(adjectives)];
    const whats = Object.keys(what);
    const places = [
      ["determiner", Object.keys(dets), det],
      ["adjective", none, looks[0] ?? ""],
      ["adjective", none, looks[1] ?? ""],
      ["who", Object.keys(who), noun],
      ["how", hows, how],
      ["does", Object.keys(verbs), verb],
      ["determiner", [...Object.keys(dets), ...Object.keys(pronouns)], det2],
      ["adjective", none, looks2[0] ?? ""],
      ["what", whats, noun2 || whats[0]],
    ];
    this.selects = places.map(([name, options, chosen]) =>
      el(
        "select",
        { onchange: () => this.change(), "aria-label": name },
        ...options.map((o) => el("option", { value: o, selected: o === chosen }, o || "–")),
      ),
    );
    return places.map(([name], k) => el("label", {}, el("span", { class: "caption" }, name), this.selects[k]));
  }

  /** What the menus say, as the grammar takes it. */
  choice() {
    const [det, a, b, noun, how, verb, det2, c, noun2] = this.selects.map((select) => select.value);
    const looks = [...new Set([a, b])].filter(Boolean);
    return det2 in this.tables.pronouns
      ? [det, looks, noun, how, verb, det2, [], ""]
      : [det, looks, noun, how, verb, det2, c ? [c] : [], noun2];
  }

  /** The sentence of a choice, in both languages. */
  compose(choice) {
    return compose(this.tables, choice);
  }

  change() {
    this.pause();
    const choice = this.choice();
    for (const select of this.selects.slice(7)) select.disabled = choice[5] in this.tables.pronouns;
    this.truth = this.compose(choice);
    this.steps = this.model.translate(this.truth.en);
    this.apart = [choice[1].map((w) => `${w} ${choice[2]}`), choice[6].map((w) => `${w} ${choice[7]}`)]
      .flat()
      .filter((pair) => this.tables.apart.includes(pair));
    this.shown = Infinity;
    this.draw();
  }

  another() {
    for (const select of this.selects) select.selectedIndex = Math.floor(Math.random() * select.options.length);
    this.change();
  }

  /** Write the answer once more, a word at a time; at once for people who asked for less motion. */
  play() {
    this.pause();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.draw();
    this.shown = 0;
    this.draw();
    this.clock = setInterval(() => {
      this.shown += 1;
      this.draw();
      if (this.shown >= this.steps.length) this.pause();
    }, PACE);
  }

  pause() {
    clearInterval(this.clock);
    this.clock = null;
    this.shown = Infinity;
  }

  leave() {
    this.pause();
  }

  draw() {
    const columns = [...this.truth.en, "⏎"];
    const upright = columns.map((word) => el("th", { scope: "col" }, el("span", {}, word)));
    this.head.replaceChildren(el("td"), ...upright);
    this.body.replaceChildren(
      ...this.steps.map(({ symbol, look }, t) => {
        const true_ = this.truth.fr[t]?.[1] ?? [];
        const cells = look.map((p, s) => {
          const kind = `${p > 0.5 ? "dark" : ""} ${true_.includes(s) ? "true" : ""}`;
          const style = `--ink:${hundredths(p)}%`;
          return el("td", { class: kind, style }, p >= 0.095 ? `${hundredths(p)}` : "");
        });
        const name = symbol === END ? "⏎" : symbol.trim();
        return el("tr", { class: t < this.shown ? "" : "later" }, el("th", { scope: "row" }, name), ...cells);
      }),
    );
    this.say();
  }

  say() {
    const wrote = this.steps.map(({ symbol }) => symbol).filter((symbol) => symbol !== END);
    const text = wrote.slice(0, this.shown).join("");
    const right = this.truth.fr.map(([word], k) => (k && word !== "." ? ` ${word}` : word)).join("");
    const hits = this.truth.fr.filter(([, places], t) => {
      const look = this.steps[t]?.look ?? [];
      return places.includes(look.indexOf(Math.max(...look)));
    }).length;
    const verdict = wrote.join("") === right ? "This is right, to the last word." : `The grammar has: ${right}`;
    const met = this.apart.length ? ` In training it never saw these together: ${this.apart.join(", ")}.` : "";
    const looks = ` It looks most at a true place for ${hits} of ${this.truth.fr.length} words.`;
    const done = this.shown >= this.steps.length;
    this.said.textContent = done ? `${text} — ${verdict}${looks}${met}` : text;
    if (done) this.tell(this.said.textContent);
  }
}

define("u-translator", UTranslator);
