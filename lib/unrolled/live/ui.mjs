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

export const button = (name, onclick, kind = "") =>
  el("button", { type: "button", class: kind, onclick }, name);

export const textField = (label, rows, oninput) => {
  const area = el("textarea", { rows, spellcheck: "false", autocapitalize: "none", oninput });
  area.className = "text";
  return { area, node: el("label", { class: "field" }, el("span", { class: "caption" }, label), area) };
};

/** One of a few: radio buttons that look like one switch. */
export function choice(legend, options, chosen, onchange) {
  const name = `choice${Math.random()}`; // radio groups are told apart by name
  const labels = options.map(([value, label, spoken]) =>
    el(
      "label",
      {},
      el("input", {
        type: "radio",
        name,
        value,
        checked: value === chosen,
        "aria-label": spoken,
        onchange: () => onchange(value),
      }),
      el("span", {}, label),
    ),
  );
  return el(
    "fieldset",
    { class: "choice" },
    el("legend", { class: "caption" }, legend),
    el("div", {}, ...labels),
  );
}

/** A slider with its value beside its name; `format` says the value in words. */
export function slider(name, { min, max, step, value }, format, oninput) {
  const output = el("output", {}, format(value));
  const input = el("input", {
    type: "range",
    min,
    max,
    step,
    value,
    "aria-label": name, // the label around it names its first control, which is the output
    "aria-valuetext": format(value),
  });
  input.addEventListener("input", () => {
    output.textContent = format(+input.value);
    input.setAttribute("aria-valuetext", format(+input.value));
    oninput(+input.value);
  });
  return el("label", { class: "slider" }, el("span", { class: "caption" }, name, " ", output), input);
}

/** Indices from the largest number to the smallest; equal ones stay in order. */
export const ranked = (p) => Array.from(p, (_, i) => i).sort((a, b) => p[b] - p[a] || a - b);

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
  /** Start when the reader comes near: a page with many figures must not hold up its first lines. */
  connectedCallback() {
    if (this.shadowRoot) return this.follow();
    this.eye = new IntersectionObserver((seen) => seen.some((it) => it.isIntersecting) && this.start(), {
      rootMargin: "600px",
    });
    this.eye.observe(this);
  }

  start() {
    this.eye.disconnect();
    const data = JSON.parse(this.querySelector("script[type='application/json']").textContent);
    this.voice = el("p", { class: "unseen", "aria-live": "polite" });
    this.attachShadow({ mode: "open" }).append(el("style", {}, CSS));
    this.build(data, this.shadowRoot);
    this.shadowRoot.append(this.voice);
    this.follow();
  }

  /** Draw again whenever the page turns dark or light. */
  follow() {
    this.theme = () => {
      this.toggleAttribute("dark", isDark());
      this.redraw?.();
    };
    this.watcher = new MutationObserver(this.theme);
    for (const node of [document.documentElement, document.body]) {
      this.watcher.observe(node, {
        attributes: true,
        attributeFilter: ["data-theme", "data-jp-theme-light", "theme", "class"],
      });
    }
    this.media = matchMedia("(prefers-color-scheme: dark)");
    this.media.addEventListener("change", this.theme);
    this.theme();
  }

  disconnectedCallback() {
    this.eye?.disconnect();
    this.leave?.();
    this.watcher?.disconnect();
    this.media?.removeEventListener("change", this.theme);
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
