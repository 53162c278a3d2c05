// What the live figures look like and how they are handled: native controls, one style, any theme.

/** A DOM node. Strings become text nodes, so nothing from a data set is ever read as HTML. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** A symbol that can be seen. */
export const show = (symbol) => ({ " ": "␣", "\n": "⏎", "\t": "⇥" })[symbol] ?? symbol;

/** A symbol that can be said. */
export const say = (symbol) => ({ " ": "space", "\n": "new line", "\t": "tab" })[symbol] ?? symbol;

/** 0.934 is "93 %": as many digits as an eye can use. */
export function percent(p) {
  if (p > 0 && p < 0.0005) return "<0.1\u202f%";
  return `${(100 * p).toFixed(p < 0.0995 && p > 0 ? 1 : 0)}\u202f%`;
}

/** A number with its thousands apart. */
export const count = (n) => Math.round(n).toLocaleString("en-US");

/** JupyterLab takes keys for itself unless a control says that it needs them. */
export const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };

export const button = (name, onclick, kind = "") =>
  el("button", { type: "button", class: kind, onclick, ...OWN_KEYS }, name);

export const textField = (label, rows, oninput) => {
  const area = el("textarea", { rows, spellcheck: "false", autocapitalize: "none", oninput, ...OWN_KEYS });
  area.className = "text";
  return { area, node: el("label", { class: "field" }, el("span", { class: "caption" }, label), area) };
};

/** One of a few: radio buttons that look like one switch. */
export function choice(legend, options, chosen, onchange) {
  const name = `choice${Math.random()}`; // radio groups are told apart by name
  const labels = options.map(([value, label, spoken]) =>
    el("label", {},
      el("input", { type: "radio", name, value, checked: value === chosen, "aria-label": spoken,
        onchange: () => onchange(value), ...OWN_KEYS }),
      el("span", {}, label)));
  return el("fieldset", { class: "choice" }, el("legend", { class: "caption" }, legend), el("div", {}, ...labels));
}

/** A slider with its value beside its name; `format` says the value in words. */
export function slider(name, { min, max, step, value }, format, oninput) {
  const output = el("output", {}, format(value));
  const input = el("input", { type: "range", min, max, step, value, "aria-valuetext": format(value), ...OWN_KEYS });
  input.addEventListener("input", () => {
    output.textContent = format(+input.value);
    input.setAttribute("aria-valuetext", format(+input.value));
    oninput(+input.value);
  });
  return el("label", { class: "slider" }, el("span", { class: "caption" }, name, " ", output), input);
}

/** The likeliest next symbols as bars; each is a button that writes its symbol. */
export class Bars {
  constructor(rows, onpick) {
    this.rows = Array.from({ length: rows }, () => {
      const symbol = el("kbd");
      const fill = el("i");
      const number = el("b");
      const note = el("small");
      const row = el("button", { type: "button", ...OWN_KEYS }, symbol, el("span", { class: "track" }, fill), number, note);
      row.addEventListener("click", () => onpick(row.symbol));
      return Object.assign(row, { parts: { symbol, fill, number, note } });
    });
    this.rest = el("p", { class: "rest" });
    const items = this.rows.map((row) => el("li", {}, row));
    this.list = el("ol", { "aria-label": "likeliest next symbols; choose one to write it" }, ...items);
    this.node = el("div", { class: "bars" }, el("p", { class: "caption" }, "What comes next? Choose one, or let it write."), this.list, this.rest);
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

/** Indices from the largest number to the smallest; equal ones stay in order. */
export const ranked = (p) => Array.from(p, (_, i) => i).sort((a, b) => p[b] - p[a] || a - b);

/** "after 'the tra': i 93 %, m 3 %": the picture in words. */
export function inWords(text, p, symbols) {
  const tail = [...text].slice(-12).map((s) => (s === "\n" ? "⏎" : s)).join("");
  const best = ranked(p).slice(0, 3).map((i) => `${say(symbols[i])} ${percent(p[i])}`);
  return `After “${tail}”: ${best.join(", ")}.`;
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Calls step() at the given pace (a function: steps a second) until it returns false or stop() is called. */
export class Player {
  constructor(step, pace, onchange) {
    Object.assign(this, { step, pace, onchange, running: false });
  }
  start() {
    let before = null;
    let due = 1; // the first step comes at once
    this.running = true;
    this.onchange(true);
    const frame = (now) => {
      if (!this.running) return;
      due = Math.min(due + ((now - (before ?? now)) / 1000) * this.pace(), 8); // a sleeping tab owes nothing
      before = now;
      for (; due >= 1 && this.running; due -= 1) if (!this.step()) this.stop();
      if (this.running) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }
  /** All steps at once, for people who asked for less motion. */
  rush(limit) {
    for (let i = 0; i < limit && this.step(); i++);
  }
  stop() {
    if (this.running) {
      this.running = false;
      this.onchange(false);
    }
  }
  toggle(limit = 0) {
    if (this.running) this.stop();
    else if (limit && still()) this.rush(limit);
    else this.start();
  }
}

/** Dark or light? The page's own word first (Sphinx, JupyterLab, VS Code, Colab), then the system's. */
function isDark() {
  const [html, body] = [document.documentElement, document.body];
  if (html.dataset.theme) return html.dataset.theme === "dark";
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (body.dataset.vscodeThemeKind) return body.dataset.vscodeThemeKind.includes("dark");
  if (html.getAttribute("theme")) return html.getAttribute("theme") === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** What all figures share: their data, their style in a shadow root, the theme, one quiet voice. */
export class Figure extends HTMLElement {
  connectedCallback() {
    if (!this.shadowRoot) {
      const data = JSON.parse(this.querySelector("script[type='application/json']").textContent);
      this.voice = el("p", { class: "unseen", "aria-live": "polite" });
      this.attachShadow({ mode: "open" }).append(el("style", {}, CSS));
      this.build(data, this.shadowRoot);
      this.shadowRoot.append(this.voice);
    }
    this.theme = () => {
      this.toggleAttribute("dark", isDark());
      this.redraw?.();
    };
    this.watcher = new MutationObserver(this.theme);
    for (const node of [document.documentElement, document.body]) {
      this.watcher.observe(node, { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "theme", "class"] });
    }
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.media.addEventListener("change", this.theme);
    this.theme();
  }

  disconnectedCallback() {
    this.player?.stop();
    this.watcher.disconnect();
    this.media.removeEventListener("change", this.theme);
  }

  /** Tell a screen reader, but only once things have come to rest. */
  tell(words) {
    clearTimeout(this.pending);
    this.pending = setTimeout(() => (this.voice.textContent = words), 700);
  }
}

/** Define the element once, however many outputs carry this module. */
export function define(name, make) {
  if (!customElements.get(name)) customElements.define(name, make);
}
