// The net, its gradient and the attack of `brainkit.live`, run by the reader's browser.
// Arithmetic as in PyTorch: values are stored as float32, sums are kept in double precision.
(() => {
"use strict";
const clamp = (v, low, high) => v < low ? low : v > high ? high : v;
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));

const half = h => {
  const sign = h & 0x8000 ? -1 : 1, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};

const numbers = ([format, text]) => {
  const {buffer} = bytes(text);
  if (format === "f4") return new Float32Array(buffer);
  return Float32Array.from(new Uint16Array(buffer), half);
};

// Each layer: `run` from x (c, h, w) to y, and `back` from y's gradient to x's. Weights get none.
const LAYERS = {
  scale({shape: [c, h, w], factor, offset}) {
    const a = numbers(factor), b = numbers(offset), n = h * w;
    const each = (f) => x => {
      const y = new Float32Array(c * n);
      for (let i = 0, k = 0; k < c; k++) for (const end = i + n; i < end; i++) y[i] = f(x[i], k);
      return y;
    };
    return {run: each((v, k) => a[k] * v + b[k]), back: each((g, k) => a[k] * g)};
  },
  conv({shape: [c, h, w], out: [o, p, q], size, stride, padding, weight, bias}) {
    const wide = w + 2 * padding, area = (h + 2 * padding) * wide, n = c * size * size;
    // Four output channels at a time, their weights interleaved: several times as fast, since
    // four sums need not wait for each other. Channels that make up a full four are zero.
    const blocks = Math.ceil(o / 4), W = new Float64Array(4 * n * blocks);
    const B = new Float64Array(4 * blocks);
    numbers(weight).forEach((v, i) => {
      const m = Math.floor(i / n);
      W[4 * ((m >> 2) * n + i % n) + (m & 3)] = v;
    });
    B.set(numbers(bias));
    const places = new Int32Array(n);  // of a window's pixels, from its first one
    for (let k = 0, at = 0; k < c; k++)
      for (let u = 0; u < size; u++)
        for (let v = 0; v < size; v++) places[at++] = k * area + u * wide + v;
    const rows = f => {
      for (let k = 0; k < c; k++) for (let i = 0; i < h; i++)
        f((k * h + i) * w, k * area + (i + padding) * wide + padding);
    };
    const pq = p * q;
    return {
      run(x) {
        const X = new Float64Array(c * area), y = new Float32Array(4 * blocks * pq);
        rows((here, there) => X.set(x.subarray(here, here + w), there));
        for (let m = 0; m < blocks; m++) for (let i = 0; i < p; i++) for (let j = 0; j < q; j++) {
          let s0 = B[4 * m], s1 = B[4 * m + 1], s2 = B[4 * m + 2], s3 = B[4 * m + 3];
          const corner = i * stride * wide + j * stride, at = 4 * m * pq + i * q + j;
          for (let k = 0, a = 4 * m * n; k < n; k++, a += 4) {
            const v = X[corner + places[k]];
            s0 += W[a] * v; s1 += W[a + 1] * v; s2 += W[a + 2] * v; s3 += W[a + 3] * v;
          }
          y[at] = s0; y[at + pq] = s1; y[at + 2 * pq] = s2; y[at + 3 * pq] = s3;
        }
        return y.subarray(0, o * pq);
      },
      back(gradient) {
        const G = new Float64Array(c * area), x = new Float32Array(c * h * w);
        const g = new Float64Array(4 * blocks * pq);
        g.set(gradient);
        for (let m = 0; m < blocks; m++) for (let i = 0; i < p; i++) for (let j = 0; j < q; j++) {
          const corner = i * stride * wide + j * stride, at = 4 * m * pq + i * q + j;
          const g0 = g[at], g1 = g[at + pq], g2 = g[at + 2 * pq], g3 = g[at + 3 * pq];
          if (g0 === 0 && g1 === 0 && g2 === 0 && g3 === 0) continue;
          for (let k = 0, a = 4 * m * n; k < n; k++, a += 4)
            G[corner + places[k]] += W[a] * g0 + W[a + 1] * g1 + W[a + 2] * g2 + W[a + 3] * g3;
        }
        rows((here, there) => x.set(G.subarray(there, there + w), here));
        return x;
      },
    };
  },
  relu() {
    return {run: x => x.map(v => v > 0 ? v : 0), back: (g, x) => g.map((v, i) => x[i] > 0 ? v : 0)};
  },
  pool({shape: [c, h, w], out: [, p, q], size}) {
    const each = f => {
      for (let at = 0; at < c * p * q; at++) {
        const j = at % q, row = (at - j) / q, i = row % p, k = (row - i) / p;
        for (let u = 0; u < size; u++)
          for (let v = 0; v < size; v++) f(at, (k * h + i * size + u) * w + j * size + v);
      }
    };
    return {
      run(x) {
        const y = new Float64Array(c * p * q);
        each((to, from) => { y[to] += x[from]; });
        return Float32Array.from(y, v => v / size ** 2);
      },
      back(g) {
        const x = new Float32Array(c * h * w);
        each((from, to) => { x[to] = g[from] / size ** 2; });
        return x;
      },
    };
  },
  flatten() {
    return {run: x => x, back: g => g};  // (c, h, w) lies in one row already
  },
  linear({weight, bias}) {
    const W = numbers(weight), B = numbers(bias), n = W.length / B.length;
    return {
      run: x => B.map((b, m) => {
        for (let i = 0; i < n; i++) b += W[m * n + i] * x[i];
        return b;
      }),
      back(g) {
        const x = new Float64Array(n);
        g.forEach((v, m) => { for (let i = 0; i < n; i++) x[i] += W[m * n + i] * v; });
        return Float32Array.from(x);
      },
    };
  },
};

const softmax = logits => {
  const top = Math.max(...logits), e = Array.from(logits, v => Math.exp(v - top));
  const sum = e.reduce((a, b) => a + b);
  return e.map(v => v / sum);
};

const network = descriptions => {
  const layers = descriptions.map(d => LAYERS[d.kind](d));
  // What went into each layer, and the logits last.
  const forward = x => layers.reduce((xs, l) => (xs.push(l.run(xs[xs.length - 1])), xs), [x]);
  const logits = x => forward(x).pop();
  // Of the cross-entropy with `label`, by the pixels.
  const gradient = (x, label) => {
    const xs = forward(x);
    let g = Float32Array.from(softmax(xs.pop()), (p, i) => p - (i === label));
    for (let i = layers.length - 1; i >= 0; i--) g = layers[i].back(g, xs[i]);
    return g;
  };
  // Projected gradient steps in the L-infinity ball, from the image itself; with one step, FGSM.
  // A target's loss falls, a label's rises.
  const attack = (x, label, epsilon, steps, target = null) => {
    const step = (target === null ? 1 : -1) * (steps === 1 ? epsilon : 2.5 * epsilon / steps);
    let now = Float32Array.from(x);
    for (let s = 0; s < steps; s++) {
      const g = gradient(now, target === null ? label : target);
      now = now.map((v, i) =>
        clamp(clamp(v + step * Math.sign(g[i]), x[i] - epsilon, x[i] + epsilon), 0, 1));
    }
    return now;
  };
  return {forward, logits, gradient, attack};
};

// Grey values (0 to 1) of images of h x w pixels, side by side, `gap` pixels apart.
const paint = (canvas, images, h, w, gap = 0) => {
  canvas.width = images.length * (w + gap) - gap;
  canvas.height = h;
  const context = canvas.getContext("2d");
  images.forEach((image, n) => {
    const pixels = context.createImageData(w, h);
    const rgba = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < rgba.length; i++)  // red, green and blue alike, and opaque
      rgba[i] = (Math.round(255 * clamp(image[i], 0, 1)) * 0x010101 | 0xff000000) >>> 0;
    context.putImageData(pixels, n * (w + gap), 0);
  });
  return context;
};

const start = root => {
  const part = name => root.querySelector(`[data-part="${name}"]`);
  const parts = name => [...root.querySelectorAll(`[data-part="${name}"]`)];
  const write = (name, text) => {
    if (part(name).textContent !== text) part(name).textContent = text;
  };
  const data = JSON.parse(part("data").textContent), {side, names, maps} = data;
  const net = network(data.layers), size = side * side;
  const objects = data.images.map(text => Float32Array.from(bytes(text), v => v / 255));
  const percent = p => `${(100 * p).toFixed(1)} %`;
  const best = p => p.indexOf(Math.max(...p));

  let image, label, drawn, due = false;
  let pen = {x: side >> 1, y: side >> 1, down: false, held: false, keys: false};

  const show = () => {
    due = false;
    const epsilon = part("epsilon").value / 255, steps = +part("steps").value;
    const before = net.forward(image), clean = softmax(before[before.length - 1]);
    const from = drawn ? best(clean) : label;
    const target = part("goal").value === "" ? null : +part("goal").value;
    const started = performance.now();
    const attacked = net.attack(image, from, epsilon, steps, target);
    const took = (performance.now() - started) / steps;
    const after = net.forward(attacked), fooled = softmax(after[after.length - 1]);

    const louder = epsilon ? 0.5 / epsilon : 0;
    const change = attacked.map((v, i) => 0.5 + louder * (v - image[i]));
    const context = paint(part("clean"), [image], side, side);
    paint(part("change"), [change], side, side);
    paint(part("sum"), [attacked], side, side);
    if (drawing() && pen.keys && document.activeElement === part("clean")) {
      context.strokeStyle = pen.down ? "#db570e" : "#33b0fe";
      context.strokeRect(pen.x - 2.5, pen.y - 2.5, 5, 5);
    }
    const grey = Math.round(louder);
    write("louder", epsilon ? `+ perturbation, shown ×${grey}` : "+ perturbation: none");
    write("level", `${part("epsilon").value}/255`);
    part("epsilon").setAttribute("aria-valuetext", `${part("epsilon").value} of 255 grey levels`);

    const [c, h, w] = data.shape, n = h * w;
    const cut = (xs) => maps.map(m => xs[data.first].subarray(m * n, (m + 1) * n));
    const a = cut(before), b = cut(after), tops = a.map(m => Math.max(...m) || 1);
    const largest = Math.max(...a.map((m, k) => m.reduce(
      (most, v, i) => Math.max(most, Math.abs(b[k][i] - v)), 0) / tops[k]));
    const gain = largest ? Math.max(1, Math.round(0.5 / largest)) : 1;
    paint(part("maps-clean"), a.map((m, k) => m.map(v => v / tops[k])), h, w, 2);
    paint(part("maps-sum"), b.map((m, k) => m.map(v => v / tops[k])), h, w, 2);
    paint(part("maps-change"),
      a.map((m, k) => m.map((v, i) => 0.5 + gain * (b[k][i] - v) / tops[k])), h, w, 2);
    write("maps-louder", `Attacked less clean, ×${gain} (mid-grey: no change)`);

    parts("class").forEach((row, k) => {
      const [one, two] = row.querySelectorAll("i"), said = row.querySelectorAll("b");
      one.style.width = `${100 * clean[k]}%`;
      two.style.width = `${100 * fooled[k]}%`;
      [clean, fooled].forEach((p, i) => {
        said[i].textContent = percent(p[k]);
        said[i].style.fontWeight = k === best(p) ? "700" : "400";
      });
    });
    const is = drawn ? "" : best(clean) === label ? " (right)" : ` (wrong: ${names[label]})`;
    write("said", `The net says ${names[best(clean)]}, ${percent(clean[best(clean)])}${is}. `
      + `Attacked: ${names[best(fooled)]}, ${percent(fooled[best(fooled)])}.`);
    root.dataset.clean = names[best(clean)];
    root.dataset.attacked = names[best(fooled)];
    write("took", `${took.toFixed(1)} ms a gradient step in this browser`);
    part("goal").options[0].textContent = drawn
      ? `away from the net's answer (${names[from]})` : `away from ${names[label]}`;
    part("clean").setAttribute("aria-label", drawn ? "Your drawing" : `Image of ${names[label]}`);
  };
  const soon = () => { if (!due) { due = true; requestAnimationFrame(show); } };

  const drawing = () => part("draw").getAttribute("aria-pressed") === "true";
  const choose = (k) => {
    parts("object").forEach((b, i) => b.setAttribute("aria-pressed", i === k));
    image = k < 0 ? new Float32Array(size).fill(0.5) : Float32Array.from(objects[k]);
    label = k < 0 ? null : data.labels[k];
    drawn = k < 0;
    soon();
  };
  const draw = on => {
    part("draw").setAttribute("aria-pressed", on);
    part("pens").hidden = !on;
    part("clean").classList.toggle("bk-drawing", on);
    part("clean").tabIndex = on ? 0 : -1;
    pen.down = false;
    soon();
  };
  // A line of the pen's width from where it was to (x, y).
  const stroke = (x, y, from = pen) => {
    const shade = +part("shade").value, radius = 1.8;
    const pieces = Math.max(1, Math.ceil(2 * Math.hypot(x - from.x, y - from.y)));
    for (let s = 0; s <= pieces; s++) {
      const u = from.x + (x - from.x) * s / pieces, v = from.y + (y - from.y) * s / pieces;
      for (let i = Math.ceil(v - radius); i <= v + radius; i++)
        for (let j = Math.ceil(u - radius); j <= u + radius; j++)
          if (i >= 0 && i < side && j >= 0 && j < side && Math.hypot(i - v, j - u) <= radius)
            image[i * side + j] = shade;
    }
    drawn = true;
    parts("object").forEach(b => b.setAttribute("aria-pressed", false));
    soon();
  };
  const place = event => {
    const box = part("clean").getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * side - 0.5,
            (event.clientY - box.top) / box.height * side - 0.5];
  };

  parts("object").forEach((button, k) => {
    paint(button.querySelector("canvas"), [objects[k]], side, side);
    button.addEventListener("click", () => choose(k));
  });
  part("blank").addEventListener("click", () => { choose(-1); draw(true); });
  part("draw").addEventListener("click", () => draw(!drawing()));
  for (const name of ["epsilon", "steps", "goal"]) part(name).addEventListener("input", soon);
  const canvas = part("clean");
  canvas.addEventListener("pointerdown", event => {
    if (!drawing()) return;
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = place(event);
    stroke(x, y, {x, y});
    pen = {x, y, down: false, held: true, keys: false};
  });
  canvas.addEventListener("pointermove", event => {
    if (!pen.held) return;
    const [x, y] = place(event);
    stroke(x, y);
    Object.assign(pen, {x, y});
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, () => { pen.held = false; });
  canvas.addEventListener("keydown", event => {
    const [dx, dy] = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[
      event.key] || [0, 0];
    if (!drawing() || (event.key !== " " && !dx && !dy)) return;
    event.preventDefault();
    pen.keys = true;
    if (event.key === " ") pen.down = !pen.down;
    const x = clamp(Math.round(pen.x) + dx, 0, side - 1);
    const y = clamp(Math.round(pen.y) + dy, 0, side - 1);
    if (pen.down) stroke(x, y);
    Object.assign(pen, {x, y});
    soon();
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, soon);

  // For tests, and for whoever wants to ask the net from the browser's console.
  root.brainkit = {...net, objects, get image() { return image; }};
  choose(0);
  show();
  part("still").hidden = true;
  part("live").hidden = false;
};

for (const root of document.querySelectorAll(".bk-live:not([data-ready])")) {
  root.dataset.ready = "";
  start(root);
}
})();
