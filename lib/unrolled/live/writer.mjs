// What the figures that write have in common: the text, the bars of the next symbol, and the pace.
import { Figure, button, el, percent, ranked, say, show, textField } from "./ui.mjs";
import { random, sample } from "./tensor.mjs";

const LONGEST = 2000; // characters in the text field

/** The likeliest next symbols as bars; each is a button that writes its symbol. */
export class Bars {
  constructor(rows, onpick) {
    this.rows = Array.from({ length: rows }, () => {
      const symbol = el("kbd");
      const fill = el("i");
      const number = el("b");
      const note = el("small");
      const row = el(
        "button",
        { type: "button", class: "bar" },
        symbol,
        el("span", { class: "track" }, fill),
        number,
        note,
      );
      row.addEventListener("click", () => onpick(row.symbol));
      return Object.assign(row, { parts: { symbol, fill, number, note } });
    });
    this.rest = el("p", { class: "rest" });
    const items = this.rows.map((row) => el("li", {}, row));
    this.list = el("ol", { "aria-label": "likeliest next symbols; choose one to write it" }, ...items);
    this.node = el(
      "div",
      { class: "bars" },
      el("p", { class: "caption" }, "What comes next? Choose one, or let it write."),
      this.list,
      this.rest,
    );
  }

  /** p: probabilities; symbols: their names; notes: a word for each (a count), or null. */
  draw(p, symbols, notes = null) {
    const order = ranked(p);
    this.list.classList.toggle("noted", notes !== null);
    this.rows.forEach((row, r) => {
      const i = order[r];
      row.parentNode.hidden = i === undefined;
      if (i === undefined) return;
      row.symbol = symbols[i];
      row.parts.symbol.textContent = show(symbols[i]);
      row.parts.fill.style.width = `${(100 * p[i]).toFixed(2)}%`;
      row.parts.fill.hidden = p[i] < 0.002; // else its edge would stand there alone
      row.parts.number.textContent = percent(p[i]);
      row.parts.note.textContent = notes ? notes[i] : "";
      row.setAttribute("aria-label", `${say(symbols[i])}, ${percent(p[i])}`);
    });
    const rest = order.slice(this.rows.length).reduce((sum, i) => sum + p[i], 0);
    const others = Math.max(0, order.length - this.rows.length);
    this.rest.textContent = others ? `${others} other symbols share ${percent(rest)}.` : "\u00a0";
  }
}

/** "after 'the tra': i 93 %, m 3 %": the picture in words. */
export function inWords(text, p, symbols) {
  const tail = [...text]
    .slice(-12)
    .map((s) => (s === "\n" ? "⏎" : s))
    .join("");
  const best = ranked(p)
    .slice(0, 3)
    .map((i) => `${say(symbols[i])} ${percent(p[i])}`);
  return `After “${tail}”: ${best.join(", ")}.`;
}

/** Steps at a pace (a function: steps a second), until a step says false, the limit is reached, or stop(). */
export class Player {
  constructor({ step, draw, pace, change }) {
    Object.assign(this, { step, draw, pace, change, running: false });
  }

  start(limit = Infinity) {
    let before = null;
    let due = 1; // the first step comes at once
    this.running = true;
    this.change(true);
    const frame = (now) => {
      if (!this.running) return;
      due = Math.min(due + ((now - (before ?? now)) / 1000) * this.pace(), 8); // a sleeping tab owes nothing
      before = now;
      const some = due >= 1;
      for (; due >= 1 && this.running; due -= 1) if (!this.step() || --limit <= 0) this.stop();
      if (some) this.draw();
      if (this.running) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  /** All steps at once, for people who asked for less motion. */
  rush(limit) {
    while (this.step() && --limit > 0);
    this.draw();
  }

  stop() {
    if (!this.running) return;
    this.running = false;
    this.change(false);
  }

  toggle(limit) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (this.running) this.stop();
    else if (still && limit < Infinity) this.rush(limit);
    else this.start(limit);
  }
}

/**
 * A figure that reads a text and writes it on. A child class says its `words` (label, play, stop, step), its
 * `pace` and the `limit` of what it plays, and brings setUp(data), picture(), controls(), begin(text),
 * take(symbol), chances() or null, symbols(), and look().
 */
export class Writer extends Figure {
  build(data, root) {
    Object.assign(this, { data, seed: data.seed, draws: random(data.seed) });
    const { area, node } = textField("The text so far (type your own)", 3, () => this.read(area.value));
    this.area = area;
    this.note = el("p", { class: "note" });
    this.bars = this.makeBars((symbol) => this.append(symbol));
    this.playButton = button(this.words.play, () => this.player.toggle(this.limit), "main");
    const change = (on) => this.playButton.replaceChildren(on ? this.words.stop : this.words.play);
    const [step, draw, pace] = [() => this.write(), () => this.refresh(), () => this.pace];
    this.player = new Player({ step, draw, pace, change });
    this.setUp(data);
    const others = [button(this.words.step, () => this.one()), button("Restart", () => this.restart())];
    const side = el("div", { class: "side" }, ...this.controls(), this.note);
    const buttons = el("div", { class: "row" }, this.playButton, ...others);
    const below = el("div", { class: "two" }, this.bars.node, side);
    const about = { class: "card", "aria-label": this.words.label };
    root.append(el("section", about, node, this.picture(), buttons, below));
    this.read(data.prompt);
  }

  makeBars(onpick) {
    return new Bars(8, onpick);
  }

  /** A text from the start: typed, or put here from outside. */
  read(text) {
    this.player.stop();
    this.text = text.slice(-LONGEST);
    this.begin(this.text);
    this.refresh();
  }

  /** One symbol more. */
  append(symbol) {
    this.player.stop();
    this.add(symbol);
    this.refresh();
  }

  add(symbol) {
    this.text = (this.text + symbol).slice(-LONGEST);
    this.take(symbol);
  }

  /** Draw one symbol from the distribution and write it; false where there is nothing to go on with. */
  write() {
    const p = this.chances();
    if (!p) return false;
    const symbol = this.symbols()[sample(p, this.draws())];
    this.add(symbol);
    return this.goesOn(symbol);
  }

  goesOn() {
    return true;
  }

  one() {
    this.player.stop();
    this.write();
    this.refresh();
  }

  restart() {
    this.seed += 1; // another story, and yet the same one for everybody
    this.draws = random(this.seed);
    this.read(this.data.prompt);
  }

  /** Show the text, and what the model makes of it. */
  refresh() {
    if (this.area.value !== this.text) {
      this.area.value = this.text;
      this.area.scrollTop = this.area.scrollHeight;
    }
    this.look();
  }

  leave() {
    this.player.stop();
  }
}
