// An LSTM language model as the library has it: symbols to vectors, the cell, vectors to scores.
import { Vocab, affine, fromHalf } from "./tensor.mjs";

const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/** The network: six arrays, one after the other in the data. A state is { h, c }. */
export class LSTM {
  constructor({ symbols, hidden, embed, weights }) {
    const [V, H, D] = [symbols.length, hidden, embed];
    const numbers = fromHalf(weights);
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    Object.assign(this, { vocab: new Vocab(symbols), hidden, D });
    Object.assign(this, { E: take(V * D), W_x: take(4 * H * D), W_h: take(4 * H * H), b: take(4 * H) });
    Object.assign(this, { W_y: take(V * H), b_y: take(V) });
  }

  /** A text begins after a new line. */
  start() {
    const zeros = () => new Float32Array(this.hidden);
    return this.step({ h: zeros(), c: zeros() }, this.vocab.ids.get("\n"));
  }

  /** c = f c + i g, h = o tanh(c); the four blocks lie in the order i, f, g, o. */
  step({ h, c }, id) {
    const H = this.hidden;
    const x = this.E.subarray(id * this.D, (id + 1) * this.D);
    const a = affine(this.W_x, x, this.b, new Float32Array(4 * H));
    const z = affine(this.W_h, h, a, new Float32Array(4 * H));
    const cell = c.map((old, k) => sigmoid(z[H + k]) * old + sigmoid(z[k]) * Math.tanh(z[2 * H + k]));
    return { c: cell, h: cell.map((kept, k) => sigmoid(z[3 * H + k]) * Math.tanh(kept)) };
  }

  logits({ h }) {
    return affine(this.W_y, h, this.b_y, new Float32Array(this.b_y.length));
  }
}
