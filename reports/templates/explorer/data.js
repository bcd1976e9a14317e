// What the page carries: columns of numbers, one entry for each operation in the order of invocations, and a line of
// text for each. Nothing in it is ever taken as markup or as code.

const OUTCOMES = ["ok", "fail", "info", "pending"];
const ACCUSED = 1, INVOLVED = 2;

function decode() {
  const raw = JSON.parse(document.getElementById("operations").textContent);
  const bytes = Uint8Array.from(atob(raw.columns), (c) => c.charCodeAt(0));
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

// The operations of each lane in order of time, all of them or those that pass: what is drawn is found by halving.
function byLane(data, passes) {
  const counts = new Uint32Array(data.lanes.length);
  let all = 0;
  for (let i = 0; i < data.n; i++) if (passes(i)) { counts[data.lane[i]]++; all++; }
  const starts = new Uint32Array(counts.length + 1);
  for (let l = 0; l < counts.length; l++) starts[l + 1] = starts[l] + counts[l];
  const next = starts.slice(0, -1), list = new Uint32Array(all);
  for (let i = 0; i < data.n; i++) if (passes(i)) list[next[data.lane[i]]++] = i;
  return { starts, list };
}

// The first place in [from, to) at which `begin` is not below the time.
function firstFrom(data, list, from, to, time) {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (data.begin[list[middle]] < time) from = middle + 1; else to = middle;
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
    return (i) => data.texts[i].toLowerCase().includes(word) || (data.errors.get(i) || "").toLowerCase().includes(word);
  });
  return tests.length ? (i) => tests.every((test) => test(i)) : null;
}
