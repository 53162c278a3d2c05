// The little arithmetic that the live figures share: no library, no network, nothing to build.
// A matrix is a flat Float32Array, row after row; sums are made in double precision.

/** Numbers from base64 of 16-bit floats (little-endian): half the bytes of float32, and plenty for weights. */
export function fromHalf(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return Float32Array.from(new Uint16Array(bytes.buffer), (bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24; // too small for a leading one
    return sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

/** out = W v + b, for W (rows, v.length). */
export function affine(W, v, b, out) {
  const n = v.length;
  for (let i = 0; i < out.length; i++) {
    let sum = b[i];
    for (let j = 0; j < n; j++) sum += W[i * n + j] * v[j];
    out[i] = sum;
  }
  return out;
}

/** Probabilities from logits; the largest is taken off first, so that nothing overflows. Temperature 0: all on the likeliest. */
export function softmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  if (temperature === 0) {
    const best = logits.indexOf(top); // of equal ones the first, as in the library
    return Float64Array.from(logits, (_, i) => (i === best ? 1 : 0));
  }
  const p = Float64Array.from(logits, (a) => Math.exp((a - top) / temperature));
  const sum = p.reduce((a, b) => a + b, 0);
  return p.map((a) => a / sum);
}

/** Random numbers in [0, 1) that a seed repeats (mulberry32). */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The index that u, a random number in [0, 1), draws from the probabilities p. */
export function sample(p, u) {
  let rest = u;
  let last = 0;
  for (let i = 0; i < p.length; i++) {
    if (p[i] === 0) continue;
    if (rest < p[i]) return i;
    rest -= p[i];
    last = i; // rounding can leave u just above the sum
  }
  return last;
}

/** h_t = tanh(W_h h_{t-1} + W_x x_t + b_h): the lecture's update. x is one-hot, so W_x x is a column of W_x. */
export function rnnStep({ W_x, W_h, b_h }, h, id) {
  const V = W_x.length / h.length;
  const next = affine(W_h, h, b_h, new Float32Array(h.length));
  return next.map((a, i) => Math.tanh(a + W_x[i * V + id]));
}

/** The symbols of a model. Text that it does not know is left out, and said so. */
export class Vocab {
  constructor(symbols) {
    this.symbols = symbols;
    this.ids = new Map(symbols.map((symbol, i) => [symbol, i]));
  }
  encode(text) {
    return [...text].filter((s) => this.ids.has(s)).map((s) => this.ids.get(s));
  }
  unknown(text) {
    return [...new Set(text)].filter((s) => !this.ids.has(s));
  }
}
