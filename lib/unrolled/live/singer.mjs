// A trained WaveNet with two taps in each layer, one sample at a time: the queues of the library's state.
import { affine, fromHalf } from "./tensor.mjs";

export const SILENCE = 128;

/** What the network is told: a number for each vowel, and marks for the pitch (as `vowels.condition`). */
export function condition({ names, low, high, marks }, name, f0) {
  const place = ((marks - 1) * Math.log(f0 / low)) / Math.log(high / low);
  const pitch = Array.from({ length: marks }, (_, mark) => Math.max(0, 1 - Math.abs(place - mark)));
  return [...names.map((known) => (known === name ? 1 : 0)), ...pitch];
}

/** The wave that a level stands for: mu-law, backwards. */
export function muDecode(id, levels = 256) {
  const mu = levels - 1;
  const bent = (2 * id) / mu - 1;
  return (Math.sign(bent) * Math.expm1(Math.abs(bent) * Math.log1p(mu))) / mu;
}

/** z <- tanh(first half) * sigmoid(other half). */
function gate(a, z, from) {
  const D = a.length / 2;
  for (let i = 0; i < D; i++) z[from + i] = Math.tanh(a[i]) / (1 + Math.exp(-a[D + i]));
}

export class Singer {
  constructor({ levels, residual: D, skip: S, dilations, condition: C, weights }) {
    const numbers = fromHalf(weights);
    let from = 0;
    const take = (size) => numbers.subarray(from, (from += size));
    const L = dilations.length;
    Object.assign(this, { levels, D, dilations, C });
    this.embed = take(levels * D);
    this.W = dilations.map(() => [take(4 * D * D), take(2 * D)]); // the weights and the bias of each layer
    this.V = take(L * 2 * D * C);
    this.W_r = dilations.slice(1).map(() => take(D * D));
    this.out = [
      [S, L * D],
      [S, S],
      [levels, S],
    ].map(([rows, columns]) => ({ W: take(rows * columns), b: take(rows), y: new Float32Array(rows) }));
    if (from !== numbers.length) throw new Error(`${numbers.length} weights, and ${from} have a place`);
  }

  /** The state before the first sample; `told` is the condition. A step changes it. */
  start(told) {
    const { D, C, V } = this;
    const nothing = new Float32Array(2 * D);
    const c = Float32Array.from(told);
    const added = (l) => affine(V.subarray(l * 2 * D * C, (l + 1) * 2 * D * C), c, nothing, new Float32Array(2 * D));
    return {
      t: 0,
      queues: this.dilations.map((d) => new Float32Array(d * D)),
      biases: this.W.map(([, b], l) => added(l).map((value, i) => value + b[i])), // they hold all the time
    };
  }

  /** The logits after one more sample. */
  step(state, id) {
    const { D, dilations } = this;
    const x = this.embed.slice(id * D, (id + 1) * D);
    const zs = new Float32Array(dilations.length * D);
    const seen = new Float32Array(2 * D);
    const a = new Float32Array(2 * D);
    const back = new Float32Array(D);
    dilations.forEach((d, l) => {
      if (l) affine(this.W_r[l - 1], zs.subarray((l - 1) * D, l * D), x, back) && x.set(back); // x <- x + W_r z
      const slot = state.queues[l].subarray((state.t % d) * D, ((state.t % d) + 1) * D);
      seen.set(slot); // what was read d steps ago
      seen.set(x, D);
      slot.set(x);
      gate(affine(this.W[l][0], seen, state.biases[l], a), zs, l * D);
    });
    state.t += 1;
    const relu = (v) => v.map((value) => Math.max(0, value));
    const [skip, hidden, last] = this.out;
    affine(skip.W, zs, skip.b, skip.y);
    affine(hidden.W, relu(skip.y), hidden.b, hidden.y);
    return affine(last.W, relu(hidden.y), last.b, last.y);
  }
}
