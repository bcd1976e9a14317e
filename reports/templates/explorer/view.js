// The picture: a ruler, a row for each class of fault, a lane for each client. Only what can be seen is drawn, and of
// operations that share a pixel one, so that a million cost no more than a thousand.

const GUTTER = 64, RULER = 24, FAULT_ROW = 14, LANE = 24, BAR = 16, LANES_SEEN = 22, STRETCHES = 480;

class View {
  constructor(data, root) {
    this.data = data;
    this.root = root;
    this.canvas = root.querySelector("canvas.lanes");
    this.scroller = root.querySelector(".lane-scroll");
    this.spacer = root.querySelector(".lane-spacer");
    this.overview = root.querySelector("canvas.overview");
    this.all = byLane(data, () => true);
    this.notable = byLane(data, (i) => data.kind[i] !== 0 || data.role[i] !== 0);
    this.proof = this.notable.inOrder.filter((i) => data.role[i] !== 0);
    // What a search found, and where in the overview.
    this.found = this.marked = null;
    this.selected = -1;
    // Short bars that are yet to be painted.
    this.stroke = null;
    this.margin = data.span * 0.01;
    this.from = -this.margin;
    this.to = data.span + this.margin;
    this.kinds = [...new Set(data.faults.map((fault) => fault.kind))];
    this.density = this.densities(this.all);
    this.top = RULER + this.kinds.length * FAULT_ROW + 6;
    const lanes = Math.min(data.lanes.length, LANES_SEEN);
    this.height = this.top + lanes * LANE + 6;
    this.spacer.style.height = this.top + data.lanes.length * LANE + 6 + "px";
    this.scroller.style.height = this.height + "px";
    this.canvas.style.height = this.height + "px";
    this.waiting = false;
  }

  // How many operations begin in each of a few hundred stretches.
  densities({ begins }) {
    const counts = new Float64Array(STRETCHES);
    for (const time of begins) counts[Math.min(STRETCHES - 1, Math.floor((time / this.data.span) * STRETCHES))]++;
    return counts;
  }

  look(found) {
    this.found = found;
    this.marked = found && this.densities(found);
    this.ask();
  }

  palette() {
    const style = getComputedStyle(document.documentElement);
    const paint = (name) => style.getPropertyValue("--" + name).trim();
    const names = ["ink", "muted", "line", "panel", "bg", "axis", "ok", "info", "fail", "invalid", "unknown", "valid"];
    const families = ["partition", "messages", "processes", "disks", "clocks", "lies", "other"];
    return Object.fromEntries([...names, ...families].map((name) => [name, paint(name)]));
  }

  fit(canvas, height) {
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    return [pen, width];
  }

  x(time) { return GUTTER + ((time - this.from) / (this.to - this.from)) * (this.width - GUTTER); }
  time(x) { return this.from + ((x - GUTTER) / (this.width - GUTTER)) * (this.to - this.from); }
  y(lane) { return this.top + lane * LANE - this.scroller.scrollTop; }

  ask() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  draw() {
    const [pen, width] = this.fit(this.canvas, this.height);
    this.width = width;
    this.root.dataset.sight = this.from + " " + this.to;
    this.ink = this.palette();
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    this.grid(pen);
    this.bands(pen);
    this.lanes(pen);
    this.marks(pen);
    this.faultRows(pen);
    this.ruler(pen);
    this.drawOverview();
  }

  step() {
    const wanted = ((this.to - this.from) / (this.width - GUTTER)) * 110;
    const power = 10 ** Math.floor(Math.log10(wanted));
    return Math.max(1, [1, 2, 5, 10].map((m) => m * power).find((step) => step >= wanted));
  }

  ticks() {
    const step = this.step(), ticks = [];
    for (let t = Math.ceil(Math.max(this.from, 0) / step) * step; t <= this.to; t += step) ticks.push(t);
    return [ticks, step];
  }

  grid(pen) {
    pen.strokeStyle = this.ink.line;
    pen.beginPath();
    for (const t of this.ticks()[0]) { const x = Math.round(this.x(t)) + 0.5; pen.moveTo(x, RULER); pen.lineTo(x, this.height); }
    pen.stroke();
  }

  ruler(pen) {
    pen.fillStyle = this.ink.panel;
    pen.fillRect(0, 0, this.width, RULER);
    pen.fillStyle = this.ink.muted;
    const [ticks, step] = this.ticks();
    for (const t of ticks) {
      const text = moment(t, step), half = pen.measureText(text).width / 2, x = this.x(t);
      if (x - half > GUTTER - 8 && x + half < this.width) pen.fillText(text, x - half, RULER / 2);
    }
  }

  // Faults behind everything.
  bands(pen) {
    pen.globalAlpha = this.data.faults.length > 40 ? 0.04 : 0.08;
    for (const fault of this.data.faults) {
      const a = Math.max(this.x(fault.from), GUTTER), b = this.x(fault.to ?? this.data.span);
      if (b < GUTTER || a > this.width) continue;
      pen.fillStyle = this.ink[fault.family];
      pen.fillRect(a, this.top, Math.max(b - a, 1), this.height - this.top);
    }
    pen.globalAlpha = 1;
  }

  faultRows(pen) {
    pen.fillStyle = this.ink.panel;
    pen.fillRect(0, RULER, this.width, this.top - RULER - 2);
    pen.font = "11px system-ui, sans-serif";
    this.kinds.forEach((kind, row) => {
      const y = RULER + row * FAULT_ROW;
      for (const fault of this.data.faults) {
        if (fault.kind !== kind) continue;
        const a = Math.max(this.x(fault.from), GUTTER), b = this.x(fault.to ?? this.data.span);
        if (b < GUTTER || a > this.width) continue;
        pen.fillStyle = this.ink[fault.family];
        pen.globalAlpha = 0.85;
        pen.fillRect(a, y + 2, Math.max(b - a, 2), FAULT_ROW - 4);
      }
      pen.globalAlpha = 1;
      pen.fillStyle = this.ink.panel;
      pen.fillRect(0, y, GUTTER, FAULT_ROW);
      this.name(pen, kind, y + FAULT_ROW / 2);
    });
    pen.font = "12px system-ui, sans-serif";
  }

  name(pen, name, y) {
    pen.fillStyle = this.ink.muted;
    pen.textAlign = "right";
    pen.fillText(name, GUTTER - 8, y, GUTTER - 10);
    pen.textAlign = "left";
  }

  lanes(pen) {
    const { data } = this, first = Math.max(0, Math.floor(this.scroller.scrollTop / LANE));
    const last = Math.min(data.lanes.length, first + LANES_SEEN + 1);
    pen.save();
    pen.beginPath();
    pen.rect(GUTTER, this.top, this.width - GUTTER, this.height - this.top);
    pen.clip();
    for (let lane = first; lane < last; lane++) {
      const y = Math.round(this.y(lane) + LANE / 2) + 0.5;
      pen.strokeStyle = this.ink.line;
      pen.beginPath(); pen.moveTo(GUTTER, y); pen.lineTo(this.width, y); pen.stroke();
      const pale = this.found !== null;
      this.row(pen, this.all, lane, pale, true);
      this.row(pen, this.notable, lane, pale, false);
      if (this.found) this.row(pen, this.found, lane, false, false);
    }
    for (const i of this.proof) if (data.lane[i] >= first && data.lane[i] < last) this.bar(pen, i, false, false);
    if (this.selected >= 0) this.bar(pen, this.selected, false, true);
    this.finish(pen);
    pen.restore();
    pen.fillStyle = this.ink.panel;
    pen.fillRect(0, this.top, GUTTER, this.height - this.top);
    for (let lane = first; lane < last; lane++) {
      const y = this.y(lane) + LANE / 2;
      if (y > this.top - 4) this.name(pen, data.lanes[lane], y);
    }
  }

  // One after the other, each at a pixel that nothing of this row has yet.
  row(pen, { starts, list, begins }, lane, pale, plain) {
    const { data } = this, end = starts[lane + 1];
    const tick = (this.to - this.from) / (this.width - GUTTER);
    let at = firstFrom(begins, starts[lane], end, this.from);
    // One that began before may reach into the picture, and several where clients go on under other names.
    for (let back = 0; at > starts[lane] && back < 4; back++) at--;
    while (at < end) {
      const i = list[at];
      if (data.begin[i] > this.to) break;
      const isHere = data.end[i] >= this.from;
      if (isHere && (!plain || (data.kind[i] === 0 && data.role[i] === 0))) this.bar(pen, i, pale, false, list, at, end);
      const after = Math.min(data.kind[i] === 0 ? data.end[i] : data.begin[i], this.to);
      const next = Math.max(data.begin[i], this.from) + tick;
      at = after < next && isHere ? firstFrom(begins, at + 1, end, next) : at + 1;
    }
    this.finish(pen);
  }

  // Short bars of one colour that touch are painted as one: to paint each of them would take longer than all else.
  short(pen, left, y, right, colour, alpha) {
    const last = this.stroke;
    if (last && last.colour === colour && last.y === y && left <= last.right + 0.5) {
      last.right = Math.max(last.right, right);
    } else {
      this.finish(pen);
      this.stroke = { left, y, right, colour, alpha };
    }
  }

  finish(pen) {
    if (!this.stroke) return;
    const { left, y, right, colour, alpha } = this.stroke;
    pen.globalAlpha = alpha;
    pen.fillStyle = colour;
    pen.fillRect(left, y, Math.max(right - left, 1), BAR);
    this.stroke = null;
  }

  bar(pen, i, pale, isSelected, list, at, end) {
    const { data, ink } = this, y = this.y(data.lane[i]) + (LANE - BAR) / 2;
    const kind = OUTCOMES[data.kind[i]], role = data.role[i];
    const a = this.x(data.begin[i]);
    const isOpen = data.kind[i] >= 2;
    const ended = data.end[i] === Infinity ? this.x(data.span) : this.x(data.end[i]);
    const b = Math.max(ended, a + 1), left = Math.max(a, GUTTER - 4), right = Math.min(b, this.width + 4);
    const colour = role === ACCUSED ? ink.invalid : ink[kind === "pending" ? "info" : kind];
    if (right - left < 3) {
      this.short(pen, left, y, right, colour, pale ? 0.18 : 0.75);
    } else {
      this.finish(pen);
      pen.fillStyle = pen.strokeStyle = colour;
      pen.globalAlpha = (pale ? 0.18 : 1) * (role ? 0.34 : 0.2);
      pen.fillRect(left, y, right - left, BAR);
      pen.globalAlpha = pale ? 0.25 : 1;
      pen.lineWidth = role || isSelected ? 2.5 : 1;
      pen.strokeRect(left + 0.5, y + 0.5, right - left - 1, BAR - 1);
      if (data.kind[i] === 1) this.hatch(pen, left, y, right, "fail");
      if (isOpen) this.hatch(pen, left, y, right, "info");
      pen.lineWidth = 1;
    }
    if (isOpen && ended < this.width) {
      pen.globalAlpha = pale ? 0.25 : 1;
      pen.strokeStyle = colour;
      this.tail(pen, i, b, y, list, at, end, role || isSelected);
    }
    if (right - left > 24 && !pale) {
      const text = this.clipped(pen, data.texts[i], right - Math.max(left, GUTTER) - 8);
      if (text) {
        pen.globalAlpha = 1;
        pen.lineWidth = 3;
        pen.strokeStyle = ink.panel;
        pen.strokeText(text, Math.max(left, GUTTER) + 4, y + BAR / 2 + 1);
        pen.lineWidth = 1;
        pen.fillStyle = ink.ink;
        pen.fillText(text, Math.max(left, GUTTER) + 4, y + BAR / 2 + 1);
      }
    }
    if (isSelected) {
      this.finish(pen);
      pen.globalAlpha = 1;
      pen.strokeStyle = ink.ink;
      pen.lineWidth = 2;
      pen.strokeRect(left - 2, y - 2, right - left + 4, BAR + 4);
      pen.lineWidth = 1;
    }
    pen.globalAlpha = 1;
  }

  // What tells outcomes apart without colours: strokes one way for what failed, the other way for what is unknown.
  hatch(pen, left, y, right, kind) {
    pen.save();
    pen.beginPath(); pen.rect(left, y, right - left, BAR); pen.clip();
    pen.globalAlpha *= 0.55;
    pen.lineWidth = 1;
    pen.beginPath();
    const lean = kind === "fail" ? BAR : -BAR, from = Math.floor(left / 7) * 7 - BAR;
    for (let x = from; x < right + BAR; x += 7) { pen.moveTo(x, y); pen.lineTo(x + lean, y + BAR); }
    pen.stroke();
    pen.restore();
  }

  // What nobody knows the end of may happen at any time from then on: to the next operation, or to the end of all where it matters.
  tail(pen, i, x, y, list, at, end, matters) {
    const follower = list && at + 1 < end ? this.x(this.data.begin[list[at + 1]]) : this.width;
    const from = Math.max(x, GUTTER), to = matters ? this.width : Math.min(follower, this.width);
    if (to - from < 3) return;
    pen.setLineDash([3, 4]);
    pen.beginPath(); pen.moveTo(from, y + BAR / 2); pen.lineTo(to, y + BAR / 2); pen.stroke();
    pen.setLineDash([]);
  }

  clipped(pen, text, room) {
    if (room < 14) return "";
    if (text.length * 7 < room || pen.measureText(text).width <= room) return text;
    let low = 0, high = Math.min(text.length, Math.ceil(room / 3));
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (pen.measureText(text.slice(0, middle) + "…").width <= room) low = middle; else high = middle - 1;
    }
    return low > 1 ? text.slice(0, low) + "…" : "";
  }

  // Where rules were broken.
  marks(pen) {
    for (const { at, demand } of this.data.violations) {
      const x = this.x(at);
      if (x < GUTTER || x > this.width) continue;
      pen.strokeStyle = pen.fillStyle = this.ink.invalid;
      pen.lineWidth = 1.5;
      pen.beginPath(); pen.moveTo(x, this.top - 2); pen.lineTo(x, this.height); pen.stroke();
      pen.lineWidth = 1;
      const room = pen.measureText(demand).width + 8, left = x + room > this.width ? x - room : x;
      pen.fillRect(left, this.height - 18, room, 16);
      pen.fillStyle = this.ink.panel;
      pen.fillText(demand, left + 4, this.height - 9);
    }
  }

  drawOverview() {
    const height = 36, [pen, width] = this.fit(this.overview, height);
    this.overviewWidth = width;
    const { ink, data, density } = this, most = Math.max(...density, 1), x = (t) => (t / data.span) * width;
    pen.fillStyle = ink.ok;
    pen.globalAlpha = 0.5;
    const wide = width / density.length;
    density.forEach((count, i) => {
      if (count) { const h = Math.max(1, (count / most) * (height - 8)); pen.fillRect(i * wide, height - h, Math.max(wide, 1), h); }
    });
    pen.globalAlpha = 0.8;
    for (const fault of data.faults) {
      pen.fillStyle = ink[fault.family];
      pen.fillRect(x(fault.from), 0, Math.max(1, x(fault.to ?? data.span) - x(fault.from)), 3);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = ink.invalid;
    for (const { at } of data.violations) pen.fillRect(x(at) - 1, 0, 2, height);
    for (const i of this.proof) if (data.role[i] === ACCUSED) pen.fillRect(x(data.begin[i]) - 1, 0, 3, height);
    if (this.found) {
      pen.fillStyle = ink.ink;
      this.marked.forEach((count, i) => { if (count) pen.fillRect(i * wide, 4, 1, 6); });
    }
    const a = Math.max(0, x(this.from)), b = Math.min(width, x(this.to));
    pen.fillStyle = ink.bg;
    pen.globalAlpha = 0.65;
    pen.fillRect(0, 0, a, height);
    pen.fillRect(b, 0, width - b, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = ink.ink;
    pen.lineWidth = 1.5;
    pen.strokeRect(a + 0.75, 0.75, Math.max(b - a - 1.5, 2), height - 1.5);
    pen.lineWidth = 1;
  }

  // What is under the pointer: of several that overlap the one that began last.
  under(px, py) {
    const { data } = this, lane = Math.floor((py - this.top + this.scroller.scrollTop) / LANE);
    if (px < GUTTER || py < this.top || lane < 0 || lane >= data.lanes.length) return -1;
    const time = this.time(px), slack = ((this.to - this.from) / (this.width - GUTTER)) * 3;
    const { starts, list, begins } = this.all;
    let best = -1, nearest = slack;
    for (let at = firstFrom(begins, starts[lane], starts[lane + 1], time + slack) - 1, back = 0; at >= starts[lane] && back < 40; at--, back++) {
      const i = list[at], end = data.end[i] === Infinity ? data.span : data.end[i];
      const away = time < data.begin[i] ? data.begin[i] - time : time > end ? time - end : 0;
      if (away < nearest || (away === 0 && best < 0)) { best = i; nearest = away; if (away === 0) break; }
    }
    return best;
  }

  bound(from, to) {
    const least = 20, most = this.data.span + 2 * this.margin;
    let wide = Math.min(Math.max(to - from, least), most);
    const middle = (from + to) / 2;
    from = Math.max(-this.margin, Math.min(middle - wide / 2, this.data.span + this.margin - wide));
    this.from = from;
    this.to = from + wide;
    this.ask();
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.bound(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(share) { const by = (this.to - this.from) * share; this.bound(this.from + by, this.to + by); }

  whole() { this.bound(-this.margin, this.data.span + this.margin); }

  // Brings an operation, or several, into the picture with some room around.
  show(list) {
    const { data } = this;
    let from = Infinity, to = -Infinity;
    for (const i of list) {
      from = Math.min(from, data.begin[i]);
      to = Math.max(to, data.end[i] === Infinity ? data.begin[i] : data.end[i]);
    }
    const room = Math.max((to - from) * 0.35, 40);
    this.bound(from - room, to + room);
    this.reveal(data.lane[list[0]]);
  }

  reveal(lane) {
    const seen = Math.min(this.data.lanes.length, LANES_SEEN) * LANE, y = lane * LANE;
    if (y < this.scroller.scrollTop) this.scroller.scrollTop = y;
    if (y + LANE > this.scroller.scrollTop + seen) this.scroller.scrollTop = y + LANE - seen;
  }
}
