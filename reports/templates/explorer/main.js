// Mouse, keys and the search field.

// What went wrong stands at the end of the diagram.
for (const box of document.querySelectorAll(".tall")) box.scrollTop = box.scrollHeight;

(() => {
  const root = document.getElementById("explorer");
  if (!root || !root.querySelector("canvas").getContext) return;
  const data = decode();
  root.hidden = false;
  document.getElementById("explorer-off")?.remove();
  const view = new View(data, root);
  const find = (selector) => root.querySelector(selector);
  const search = find("input[type=search]"), tally = find(".tally"), details = find(".details");
  let place = -1;

  function select(i, bring) {
    view.selected = i;
    if (i >= 0 && bring) {
      const end = data.end[i] === Infinity ? data.begin[i] : data.end[i];
      if (data.begin[i] < view.from || end > view.to || (end - data.begin[i]) * 400 < view.to - view.from) view.show([i]);
      view.reveal(data.lane[i]);
    }
    describe(i);
    view.ask();
  }

  function describe(i) {
    details.replaceChildren();
    if (i < 0) { details.textContent = details.dataset.hint; return; }
    const rows = [
      ["operation", data.texts[i]],
      ["who", "p" + data.process[i] + (data.lanes[data.lane[i]] === "p" + data.process[i] ? "" : ", " + data.lanes[data.lane[i]])],
      ["outcome", OUTCOMES[data.kind[i]]],
      ["invoked", moment(data.begin[i]) + ", index " + data.invoke[i]],
    ];
    if (data.key[i] >= 0) rows.splice(1, 0, ["key", String(data.key[i])]);
    if (data.complete[i] >= 0) {
      rows.push(["completed", moment(data.end[i]) + ", index " + data.complete[i]]);
      rows.push(["took", duration(data.end[i] - data.begin[i])]);
    }
    if (data.errors.has(i)) rows.push(["error", data.errors.get(i)]);
    if (data.role[i]) rows.push(["in the proof", data.role[i] === ACCUSED ? "the last to return: no order has a place for it" : "yes"]);
    for (const [name, value] of rows) {
      const item = document.createElement("span"), label = document.createElement("b");
      label.textContent = name + " ";
      item.append(label, value);
      details.append(item);
    }
  }

  const matches = () => (view.found ? view.found.inOrder : []);

  function look() {
    const passes = filter(data, search.value);
    place = -1;
    if (!passes) {
      view.look(null);
      tally.textContent = "";
    } else {
      view.look(byLane(data, passes));
      const count = matches().length;
      tally.textContent = count === 0 ? "nothing found" : count.toLocaleString("en") + " found";
    }
  }

  function nextMatch(by) {
    const found = matches(), count = found.length;
    if (!count) return;
    place = place < 0 ? (by > 0 ? 0 : count - 1) : (place + by + count) % count;
    tally.textContent = (place + 1).toLocaleString("en") + " of " + count.toLocaleString("en");
    select(found[place], true);
  }

  function anomaly(number = 0) {
    const { proofs, violations } = data;
    if (proofs.length) {
      const proof = proofs[number] ?? proofs[0];
      view.show(proof);
      select(proof[0], false);
    } else if (violations.length) {
      const room = Math.max(data.span * 0.02, 1000);
      view.bound(violations[0].at - room, violations[0].at + room);
    }
  }

  function beside(by) {
    const { starts, list } = view.all, i = view.selected;
    if (i < 0) return;
    const lane = data.lane[i], at = list.subarray(starts[lane], starts[lane + 1]).indexOf(i) + by;
    if (at >= 0 && starts[lane] + at < starts[lane + 1]) select(list[starts[lane] + at], true);
  }

  function across(by) {
    const { starts, list, begins } = view.all, i = view.selected;
    if (i < 0) return;
    for (let lane = data.lane[i] + by; lane >= 0 && lane < data.lanes.length; lane += by) {
      if (starts[lane] === starts[lane + 1]) continue;
      const at = firstFrom(begins, starts[lane], starts[lane + 1], data.begin[i]);
      select(list[Math.min(at, starts[lane + 1] - 1)], true);
      return;
    }
  }

  function firstSeen() {
    for (let i = 0; i < data.n; i++) if (data.begin[i] >= view.from && data.begin[i] <= view.to) return select(i, true);
  }

  const keys = {
    "+": () => view.zoom(0.5), "=": () => view.zoom(0.5), "-": () => view.zoom(2), "0": () => view.whole(),
    a: () => anomaly(), n: () => nextMatch(1), N: () => nextMatch(-1), Enter: firstSeen,
    Home: () => view.pan(-1e9), End: () => view.pan(1e9), PageUp: () => view.pan(-0.8), PageDown: () => view.pan(0.8),
    ArrowLeft: (e) => (e.shiftKey || view.selected < 0 ? view.pan(-0.15) : beside(-1)),
    ArrowRight: (e) => (e.shiftKey || view.selected < 0 ? view.pan(0.15) : beside(1)),
    ArrowUp: () => across(-1), ArrowDown: () => across(1), Escape: () => select(-1),
  };
  view.canvas.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(event);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
    event.preventDefault();
    search.focus();
    search.scrollIntoView({ block: "center" });
  });
  let pause;
  search.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(look, 120); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { clearTimeout(pause); if (!view.found || place < 0) look(); nextMatch(event.shiftKey ? -1 : 1); }
    if (event.key === "Escape") { search.value = ""; look(); view.canvas.focus(); }
  });
  for (const [name, act] of Object.entries({ in: () => view.zoom(0.5), out: () => view.zoom(2), whole: () => view.whole(), anomaly: () => anomaly(), previous: () => nextMatch(-1), next: () => nextMatch(1) })) {
    find(`button[data-do=${name}]`)?.addEventListener("click", act);
  }
  if (!data.proofs.length && !data.violations.length) find("button[data-do=anomaly]")?.remove();
  for (const link of document.querySelectorAll("a[data-anomaly]")) {
    link.hidden = false;
    link.addEventListener("click", () => { anomaly(+link.dataset.anomaly); view.canvas.focus({ preventScroll: true }); });
  }

  const where = (event, canvas) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let drag = null;
  view.canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, from: view.from, to: view.to, scroll: view.scroller.scrollTop, moved: false };
    view.canvas.setPointerCapture(event.pointerId);
  });
  view.canvas.addEventListener("pointermove", (event) => {
    if (!drag) {
      const i = view.under(...where(event, view.canvas));
      view.canvas.style.cursor = i >= 0 ? "pointer" : "grab";
      if (view.selected < 0) describe(i);
      return;
    }
    const by = event.clientX - drag.x;
    if (Math.abs(by) > 3 || Math.abs(event.clientY - drag.y) > 3) drag.moved = true;
    if (!drag.moved) return;
    view.canvas.style.cursor = "grabbing";
    const time = (by / (view.width - GUTTER)) * (drag.to - drag.from);
    view.scroller.scrollTop = drag.scroll - (event.clientY - drag.y);
    view.bound(drag.from - time, drag.to - time);
  });
  view.canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) select(view.under(...where(event, view.canvas)), false);
    drag = null;
  });
  view.canvas.addEventListener("pointercancel", () => { drag = null; });
  view.canvas.addEventListener("dblclick", (event) => view.zoom(0.4, view.time(where(event, view.canvas)[0])));
  view.canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoom(1.002 ** event.deltaY, view.time(where(event, view.canvas)[0]));
    } else if (event.deltaX || event.shiftKey) {
      event.preventDefault();
      view.pan((event.deltaX || event.deltaY) / (view.width - GUTTER));
    }
  }, { passive: false });
  view.scroller.addEventListener("scroll", () => view.ask());

  const slide = (event) => {
    const time = (where(event, view.overview)[0] / view.overviewWidth) * data.span, half = (view.to - view.from) / 2;
    view.bound(time - half, time + half);
  };
  let sliding = false;
  view.overview.addEventListener("pointerdown", (event) => { sliding = true; view.overview.setPointerCapture(event.pointerId); slide(event); });
  view.overview.addEventListener("pointermove", (event) => { if (sliding) slide(event); });
  view.overview.addEventListener("pointerup", () => { sliding = false; });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.ask());
  matchMedia("print").addEventListener("change", () => view.draw());
  new ResizeObserver(() => view.ask()).observe(root);
  describe(-1);
  view.draw();
  // How long it took from the first byte to here is what tests of the page read.
  performance.mark("drawn");
  if (location.hash === "#anomaly") anomaly();
})();
