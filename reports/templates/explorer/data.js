// What the page carries: columns of numbers, one entry for each operation in the order of invocations, and a line of
// text for each. Nothing in it is ever taken as markup or as code.

const OUTCOMES = ["ok", "fail", "info", "pending"];
const ACCUSED = 1, INVOLVED = 2;

// A loop, since `Uint8Array.from` with a function takes twenty times as long, and few browsers have `fromBase64` yet.
function fromBase64(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

function decode() {
  const raw = JSON.parse(document.getElementById("operations").textContent);
  const bytes = fromBase64(raw.columns);
  let at = 0;
  // LEB128, low bits first. Beyond 32 bits only multiplication is exact.
  const number = () => {
    let value = 0, scale = 1, byte;
    do {
      byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte > 127);
    return value;
  };
  const n = raw.count;
  const lane = new Uint32Array(n), kind = new Uint8Array(n), role = new Uint8Array(n);
  const begin = new Float64Array(n), end = new Float64Array(n);
  const invoke = new Float64Array(n), complete = new Float64Array(n), process = new Float64Array(n);
  const key = new Float64Array(n);
  let time = 0, index = 0;
  for (let i = 0; i < n; i++) {
    lane[i] = number();
    process[i] = number();
    key[i] = number() - 1;
    const flags = number();
    kind[i] = flags & 3;
    role[i] = flags >> 2;
    index += number();
    invoke[i] = index;
    time += number();
    begin[i] = time;
    if (kind[i] === 3) {
      complete[i] = -1;
      end[i] = Infinity;
    } else {
      complete[i] = index + number();
      end[i] = time + number();
    }
  }
  const texts = n ? raw.texts.split("\n") : [];
  return {
    n, lane, kind, role, begin, end, invoke, complete, process, key, texts,
    errors: new Map(raw.errors), lanes: raw.lanes, proofs: raw.proofs, faults: raw.faults, violations: raw.violations,
    span: Math.max(raw.span, 1),
  };
}

// Those operations that pass: in the order of invocations, and lane after lane. The times at which they begin lie beside
// one another, so that what is to be drawn is found soon.
function byLane(data, passes) {
  const room = new Uint32Array(data.n), starts = new Uint32Array(data.lanes.length + 1);
  let count = 0;
  for (let i = 0; i < data.n; i++) if (passes(i)) { room[count++] = i; starts[data.lane[i] + 1]++; }
  for (let l = 1; l < starts.length; l++) starts[l] += starts[l - 1];
  const inOrder = room.slice(0, count), next = starts.slice();
  const list = new Uint32Array(count), begins = new Float64Array(count);
  for (const i of inOrder) {
    const at = next[data.lane[i]]++;
    list[at] = i;
    begins[at] = data.begin[i];
  }
  return { starts, list, begins, inOrder };
}

// The first place in [from, to) whose time is not below this one: near, mostly, so by steps that double, and then by
// halving.
function firstFrom(times, from, to, time) {
  for (let step = 1; from + step <= to; step *= 2) {
    if (times[from + step - 1] >= time) { to = from + step - 1; break; }
    from += step;
  }
  while (from < to) {
    const middle = (from + to) >> 1;
    if (times[middle] < time) from = middle + 1; else to = middle;
  }
  return from;
}

function duration(us) {
  if (us < 1000) return us + " µs";
  if (us < 1e6) return +(us / 1000).toPrecision(4) + " ms";
  return +(us / 1e6).toPrecision(6) + " s";
}

function moment(us, step) {
  const places = step === undefined ? 6 : Math.max(0, Math.ceil(6 - Math.log10(Math.max(step, 1)) - 1e-9));
  return (us / 1e6).toFixed(Math.min(places, 6)) + " s";
}

// Whether text has a word in it, in capitals or not. A pattern is several times as fast as a text in small letters of
// every text would be.
function has(word) {
  const pattern = new RegExp(word.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), "iu");
  return (text) => pattern.test(text);
}

// `write p3 info >20ms`: every word must fit. Words with a meaning are outcomes, cN and pN, key:N, #N, >TIME, <TIME.
function filter(data, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = words.map((word) => {
    let found;
    if (OUTCOMES.includes(word)) { const k = OUTCOMES.indexOf(word); return (i) => data.kind[i] === k; }
    if ((found = /^p(\d+)$/.exec(word))) { const p = +found[1]; return (i) => data.process[i] === p; }
    if ((found = /^c\d+$/.exec(word)) && data.lanes.includes(word)) {
      const l = data.lanes.indexOf(word);
      return (i) => data.lane[i] === l;
    }
    if ((found = /^key:(\d+)$/.exec(word))) { const k = +found[1]; return (i) => data.key[i] === k; }
    if ((found = /^#(\d+)$/.exec(word))) {
      const x = +found[1];
      return (i) => data.invoke[i] === x || data.complete[i] === x;
    }
    if ((found = /^([<>])(\d+(?:\.\d+)?)(us|µs|ms|s)$/.exec(word))) {
      const limit = found[2] * { us: 1, "µs": 1, ms: 1e3, s: 1e6 }[found[3]];
      return found[1] === ">" ? (i) => data.end[i] - data.begin[i] > limit : (i) => data.end[i] - data.begin[i] < limit;
    }
    const fits = has(word), errors = new Set();
    for (const [i, error] of data.errors) if (fits(error)) errors.add(i);
    return (i) => fits(data.texts[i]) || errors.has(i);
  });
  return tests.length ? (i) => tests.every((test) => test(i)) : null;
}
