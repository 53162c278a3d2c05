// The n-gram model, as in unrolled/ngram.py, without a table: the text itself is searched when it is asked.
//
//     P(w | context) = seen(context, w) + rest(context) * P_lower(w)
//
// Inside, a symbol is one character whose code is its id, so that a text is a string and search is indexOf.
import { Vocab } from "./tensor.mjs";

export class NGram extends Vocab {
  constructor(text) {
    super([...new Set(text)].sort());
    this.text = this.pack(this.encode(text));
    this.memo = new Map();
  }

  pack(ids) {
    return ids.map((id) => String.fromCharCode(id)).join("");
  }

  /** Remember what make() gives for a name. */
  once(name, make) {
    if (!this.memo.has(name)) this.memo.set(name, make());
    return this.memo.get(name);
  }

  /**
   * The next symbol after "\n" and then ids: probabilities p, what each was counted (counts), how often the
   * context occurred (seen), and total, 0 where an unsmoothed table has nothing to say (p is then uniform).
   */
  row(ids, n, smoothing) {
    const context = n === 1 ? "" : this.pack([this.ids.get("\n"), ...ids].slice(1 - n));
    return this.once(`${n} ${smoothing} ${context}`, () => {
      const counts = this.follow(context, false);
      const seen = counts.reduce((a, b) => a + b, 0);
      const alpha = { none: 0, add_one: 1 }[smoothing];
      const p = alpha === undefined ? this.kneserNey(context, n) : this.pretend(counts, seen, alpha);
      return { p, counts, seen, total: smoothing === "none" ? seen : 1 };
    });
  }

  /** With alpha added to the count of each symbol; a context never seen is uniform. */
  pretend(counts, seen, alpha) {
    const V = counts.length;
    return counts.map((c) => (seen + alpha > 0 ? (c + alpha) / (seen + alpha * V) : 1 / V));
  }

  /** Interpolated Kneser-Ney: take D from every count, and let the context one shorter share it out. */
  kneserNey(context, n) {
    const V = this.symbols.length;
    let p = new Float64Array(V).fill(1 / V);
    for (let k = 0; k <= context.length; k++) {
      const ways = k + 1 < n; // below the top: in how many ways a piece was entered, not how often it occurs
      const c = this.follow(context.slice(context.length - k), ways);
      const D = this.discount(k + 1, ways);
      const C = c.reduce((a, b) => a + b, 0);
      if (C === 0) break; // never seen, nor is any longer context
      const kinds = c.filter((a) => a > 0).length;
      const lower = p;
      p = c.map((a, w) => Math.max(a - D, 0) / C + ((kinds * D) / C) * lower[w]);
    }
    return p;
  }

  /** What followed the context, and how often; with `ways`, each pair of neighbours (before, after) counts once. */
  follow(context, ways) {
    const { text } = this;
    const V = this.symbols.length;
    const counts = new Float64Array(V);
    const pairs = new Set();
    let i = text.indexOf(context, context ? 0 : 1); // the first symbol is given, never predicted
    for (; i >= 0 && i + context.length < text.length; i = text.indexOf(context, i + 1)) {
      const after = text.charCodeAt(i + context.length);
      const pair = V * (i ? text.charCodeAt(i - 1) : V) + after; // V stands for the beginning
      if (ways && pairs.has(pair)) continue;
      if (ways) pairs.add(pair);
      counts[after] += 1;
    }
    return counts;
  }

  /** Every piece of k symbols, with how often it occurs. */
  pieces(k) {
    const found = new Map();
    for (let i = k === 1 ? 1 : 0; i + k <= this.text.length; i++) {
      const piece = this.text.slice(i, i + k);
      found.set(piece, (found.get(piece) ?? 0) + 1);
    }
    return found;
  }

  /** Every piece of k symbols, with in how many ways it is entered: different symbols before it, or the beginning. */
  entered(k) {
    const found = new Map(k > 1 ? [[this.text.slice(0, k), 1]] : []);
    for (const longer of this.pieces(k + 1).keys())
      found.set(longer.slice(1), (found.get(longer.slice(1)) ?? 0) + 1);
    return found;
  }

  /** D from how many pieces are counted once and twice (Ney, Essen & Kneser 1994); 0.75 where there are none. */
  discount(k, ways) {
    return this.once(`D ${k} ${ways}`, () => {
      const counts = [...(ways ? this.entered(k) : this.pieces(k)).values()];
      const [once, twice] = [1, 2].map((times) => counts.filter((c) => c === times).length);
      return once && twice ? once / (once + 2 * twice) : 0.75;
    });
  }

  /** How many different pieces of n symbols the text has. */
  kinds(n) {
    return this.once(`kinds ${n}`, () => this.pieces(n).size);
  }
}
