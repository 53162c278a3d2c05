// The trained captioner: a convolutional network looks, a GRU writes, attention looks again at every word.
import { affine, fromHalf, softmax } from "./tensor.mjs";

const sigmoid = (a) => 1 / (1 + Math.exp(-a));

/** Mean 0 and variance 1 over the n numbers from `from` on, in place. */
function normal(a, from, n) {
  let mean = 0;
  let square = 0;
  for (let i = from; i < from + n; i++) mean += a[i] / n;
  for (let i = from; i < from + n; i++) square += (a[i] - mean) ** 2 / n;
  const scale = 1 / Math.sqrt(square + 1e-5);
  for (let i = from; i < from + n; i++) a[i] = (a[i] - mean) * scale;
}

/** A convolution of 3 x 3 over maps (channels, R, C), and a ReLU. */
function conv({ weight, bias }, maps, channels, R, C) {
  const out = new Float32Array(bias.length * R * C);
  for (let o = 0; o < bias.length; o++)
    for (let r = 0; r < R; r++)
      for (let c = 0; c < C; c++) {
        let sum = bias[o];
        for (let dr = Math.max(-1, -r); dr <= Math.min(1, R - 1 - r); dr++)
          for (let dc = Math.max(-1, -c); dc <= Math.min(1, C - 1 - c); dc++)
            for (let i = 0; i < channels; i++)
              sum += weight[((o * channels + i) * 3 + dr + 1) * 3 + dc + 1] * maps[(i * R + r + dr) * C + c + dc];
        out[(o * R + r) * C + c] = Math.max(0, sum);
      }
  return out;
}

/** The largest of each 2 x 2. */
function halve(maps, channels, R, C) {
  const out = new Float32Array((channels * R * C) / 4);
  for (let i = 0, n = 0; i < channels; i++)
    for (let r = 0; r < R; r += 2)
      for (let c = 0; c < C; c += 2, n++) {
        const at = (i * R + r) * C + c;
        out[n] = Math.max(maps[at], maps[at + 1], maps[at + C], maps[at + C + 1]);
      }
  return out;
}

export class Captioner {
  constructor({ net, symbols, size }) {
    const numbers = fromHalf(net.weights);
    let from = 0;
    for (const [name, shape] of Object.entries(net.shapes))
      this[name] = numbers.subarray(from, (from += shape.reduce((a, b) => a * b, 1)));
    Object.assign(this, { symbols, size, shapes: net.shapes });
    this.H = net.shapes["core.layers.0.W_h"][1];
    [this.S, this.M] = net.shapes.P;
    this.grid = size.map((n) => n / 4);
  }

  /** The vector of each place, (S, M), from a page of pixels between 0 and 1. */
  look(page) {
    let [R, C] = this.size;
    let [maps, channels] = [page, 1];
    for (let layer = 0; layer < 3; layer++) {
      const [weight, bias] = ["weight", "bias"].map((part) => this[`encoder.layers.${layer}.${part}`]);
      maps = conv({ weight, bias }, maps, channels, R, C);
      channels = bias.length;
      if (layer === 2) break;
      maps = halve(maps, channels, R, C);
      [R, C] = [R / 2, C / 2];
    }
    const places = new Float32Array(this.S * this.M);
    for (let s = 0; s < this.S; s++) {
      for (let m = 0; m < this.M; m++) places[s * this.M + m] = maps[m * this.S + s];
      normal(places, s * this.M, this.M);
    }
    return places;
  }

  /** The state before the first word. */
  start(page) {
    const places = this.look(page);
    const squeezed = new Float32Array(8 * this.S);
    const row = (a, s, n) => a.subarray(s * n, (s + 1) * n);
    for (let s = 0; s < this.S; s++)
      affine(this["W_s.weight"], row(places, s, this.M), this["W_s.bias"], row(squeezed, s, 8));
    const bias = this["W_f.bias"];
    const feature = affine(this["W_f.weight"], squeezed, bias, new Float32Array(bias.length));
    normal(feature, 0, feature.length);
    const memory = places.map((a, i) => a + this.P[i]);
    const keys = new Float32Array(this.S * this.H);
    const none = new Float32Array(this.H);
    for (let s = 0; s < this.S; s++)
      affine(this["attention.W_m.weight"], row(memory, s, this.M), none, row(keys, s, this.H));
    return { h: this.gru(none, feature), memory, keys };
  }

  /** One update of the GRU. */
  gru(h, x) {
    const part = (name) => this[`core.layers.0.${name}`];
    const H = this.H;
    const a = affine(part("W_x"), x, part("b"), new Float32Array(3 * H));
    const u = affine(part("W_h"), h, new Float32Array(3 * H), new Float32Array(3 * H));
    return h.map((old, i) => {
      const [r, z] = [sigmoid(a[i] + u[i]), sigmoid(a[H + i] + u[H + i])];
      return z * old + (1 - z) * Math.tanh(a[2 * H + i] + r * (u[2 * H + i] + part("b_n")[i]));
    });
  }

  /** Read a word: the new state, where it looks (S), and the logits of the next word. */
  step({ h, memory, keys }, id) {
    const [S, M, H] = [this.S, this.M, this.H];
    const D = this.shapes["embed.weight"][1];
    h = this.gru(h, this["embed.weight"].subarray(id * D, (id + 1) * D));
    const weights = softmax(affine(keys, h, new Float32Array(S), new Float32Array(S)));
    const both = new Float32Array(M + H);
    for (let s = 0; s < S; s++) for (let m = 0; m < M; m++) both[m] += weights[s] * memory[s * M + m];
    both.set(h, M);
    const mixed = affine(this["W_c.weight"], both, this["W_c.bias"], new Float32Array(H)).map(Math.tanh);
    const bias = this["W_y.bias"];
    const logits = affine(this["W_y.weight"], mixed, bias, new Float32Array(bias.length));
    return { state: { h, memory, keys }, weights, logits };
  }

  /** The likeliest word each time, up to the end: [{ id, p, weights }]. */
  describe(page, most = 16) {
    const said = [];
    let [state, id] = [this.start(page), 0];
    while (said.length < most) {
      const next = this.step(state, id);
      const p = softmax(next.logits);
      id = p.indexOf(Math.max(...p));
      state = next.state;
      said.push({ id, p: p[id], weights: next.weights });
      if (id === 0) break;
    }
    return said;
  }
}
