// <u-quiz>: questions with native controls; every answer has its own word of feedback.
import { Figure, define, el } from "./ui.mjs";

/** Text with `code` in backticks; outside of them W_h and h_{t-1} get their index. */
const rich = (text) => text.split("`").flatMap((part, i) => (i % 2 ? el("code", {}, part) : indices(part)));

function indices(text) {
  const parts = text.split(/\b([A-Za-z])_(\w|\{[^}]*\})/); // words, letter, index, words, letter, index, ...
  return parts.map((part, i) => [part, el("var", {}, part), el("sub", {}, part.replace(/[{}]/g, ""))][i % 3]);
}

/** A number as people write it: 0.5, 1/2, 1e6, 10^6, 1 000 000. */
export function number(text) {
  const plain = text.replace(/[\s_\u202f]/g, "").replace("−", "-");
  const power = plain.match(/^(-?[\d.]+)\^(-?\d+)$/);
  const ratio = plain.match(/^(-?[\d.]+)\/([\d.]+)$/);
  if (power) return Number(power[1]) ** Number(power[2]);
  if (ratio) return Number(ratio[1]) / Number(ratio[2]);
  return plain === "" ? NaN : Number(plain);
}

/** The answer of a numeric question that fits x: a value within its tolerance, a range [low, high), or the default. */
export function fitting(answers, x) {
  const fits = {
    value: (a) => Math.abs(x - a.value) <= (a.tolerance ?? 0),
    range: (a) => x >= a.range[0] && x < a.range[1],
  };
  return answers.find((a) => fits[a.type]?.(a)) ?? answers.find((a) => a.type === "default");
}

class UQuiz extends Figure {
  build({ chapter, questions }, root) {
    this.right = new Set();
    this.score = el("p", { class: "score", role: "status" });
    const items = questions.map((question, i) => this.question(question, i, chapter));
    this.total = questions.length;
    root.append(
      el(
        "section",
        { class: "card quiz", "aria-label": "Quiz" },
        el("p", { class: "title" }, "Quiz"),
        ...items,
        this.score,
      ),
    );
    this.count();
  }

  question(item, i, chapter) {
    const words = el("div", { class: "feedback", role: "status" });
    const make = item.type === "numeric" ? this.numeric : this.options;
    const { node, check } = make.call(this, item);
    const old =
      item.chapter === chapter ? [] : [el("span", { class: "from" }, ` from chapter ${+item.chapter}`)];
    const submit = (event) => {
      event.preventDefault();
      const { right, lines } = check();
      words.replaceChildren(
        ...lines.map(([good, text]) =>
          el("p", { class: good ? "good" : "bad" }, el("b", {}, good ? "✓ " : "✗ "), ...rich(text)),
        ),
      );
      if (right) this.right.add(item.id);
      else this.right.delete(item.id);
      this.count();
    };
    const legend = el("legend", {}, el("b", {}, `${i + 1}. `), ...rich(item.question), ...old);
    const answer = el("div", { class: "row" }, el("button", {}, "Check"), words);
    return el("form", { novalidate: true, onsubmit: submit }, el("fieldset", {}, legend, node, answer));
  }

  /** One right answer: radio buttons. Several: boxes to tick. */
  options({ id, type, answers }) {
    const one = type === "multiple_choice";
    const inputs = answers.map(() => el("input", { type: one ? "radio" : "checkbox", name: id }));
    const labels = answers.map(({ answer }, i) => el("label", {}, inputs[i], el("span", {}, ...rich(answer))));
    const node = el("div", { class: "options" }, ...labels);
    const check = () => {
      const chosen = answers.filter((_, i) => inputs[i].checked);
      const missing = answers.some((a, i) => a.correct && !inputs[i].checked);
      const lines = chosen.map((a) => [a.correct, a.feedback]);
      if (!chosen.length) lines.push([false, "Choose an answer first."]);
      else if (missing && chosen.every((a) => a.correct)) lines.push([false, "There is at least one more."]);
      return { right: !missing && chosen.every((a) => a.correct), lines };
    };
    return { node, check };
  }

  numeric({ answers, unit }) {
    const input = el("input", {
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      "aria-label": "Your number",
    });
    const check = () => {
      const x = number(input.value);
      if (Number.isNaN(x))
        return {
          right: false,
          lines: [[false, "Write a number, such as 0.5, 1/2, 1e6 or 10^6 (a point, no comma)."]],
        };
      const { correct, feedback } = fitting(answers, x);
      return { right: correct, lines: [[correct, feedback]] };
    };
    return { node: el("div", { class: "number" }, input, unit ? ` ${unit}` : ""), check };
  }

  count() {
    const all = this.right.size === this.total;
    this.score.textContent = `${this.right.size} of ${this.total} right${all ? ". All of them: well done." : " so far."}`;
  }
}

define("u-quiz", UQuiz);
