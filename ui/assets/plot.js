// Charts: read off values, zoom by dragging or by keys, fetch what the page has left out. The server draws; this script only asks.
"use strict";

{
  const pad = 6;
  const width = 320;
  const height = 120;
  const wanted = new WeakMap(); // the points of a chart, once somebody has asked for them

  const place = (figure, x) => {
    const { x0, x1 } = figure.dataset;
    return x0 === x1 ? 0.5 : (x - x0) / (x1 - x0);
  };
  const level = (figure, v) => {
    const { y0, y1 } = figure.dataset;
    const f = "log" in figure.dataset ? Math.log : Number;
    return Number(y0) === Number(y1) ? 0.5 : (f(v) - f(y0)) / (f(y1) - f(y0));
  };

  function pointsOf(figure) {
    if (!wanted.has(figure)) {
      const region = figure.closest("[data-points]");
      const query = new URLSearchParams(location.search);
      const url = new URL(figure.dataset.source || region.dataset.points, location.href);
      url.searchParams.set("key", figure.dataset.key);
      if (figure.dataset.axis !== "step") url.searchParams.set("x", figure.dataset.axis);
      for (const key of ["from", "to"]) if (query.has(key)) url.searchParams.set(key, query.get(key));
      wanted.set(figure, fetch(url).then((r) => (r.ok ? r.json() : { series: [] })).catch(() => ({ series: [] })));
    }
    return wanted.get(figure);
  }

  const axisText = (axis, x) => {
    if (axis === "step") return `step ${x}`;
    if (axis === "time") return new Date(x).toISOString().replace("T", " ").replace("Z", " UTC");
    const s = x / 1000;
    if (s < 60) return `${s.toFixed(s < 1 ? 3 : 1)} s`;
    return s < 3600 ? `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  };

  const svg = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
    return e;
  };

  // nearest finds the point next to a place of the picture: of x first, and with several runs of the line that is closest.
  function nearest(figure, series, fx, fy) {
    let best = null;
    for (const [n, line] of series.entries()) {
      let low = 0;
      let high = line.x.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (place(figure, line.x[middle]) < fx) low = middle;
        else high = middle;
      }
      for (const i of [low, high]) {
        const v = Number(line.v[i]);
        if (!Number.isFinite(v)) continue;
        const far = Math.abs(place(figure, line.x[i]) - fx);
        const off = fy === null || series.length === 1 ? 0 : Math.abs(level(figure, v) - fy);
        const distance = far * (series.length === 1 ? 1 : 0.3) + off;
        if (!best || distance < best.distance) best = { distance, n, i, line, x: line.x[i], v };
      }
    }
    return best;
  }

  async function readOff(figure, fx, fy) {
    figure.reading = [fx, fy];
    const { series } = await pointsOf(figure);
    if (!figure.reading) return;
    const at = nearest(figure, series, fx, fy);
    clear(figure);
    if (!at) return;
    const picture = $("svg", figure);
    const cx = pad + (width - 2 * pad) * place(figure, at.x);
    const cy = height - pad - (height - 2 * pad) * level(figure, at.v);
    const mark = svg("g", { class: "mark" });
    mark.append(svg("line", { x1: cx, x2: cx, y1: 0, y2: height }), svg("path", { d: `M${cx - 0.01} ${cy}h0.02`, class: "spot" }));
    picture.append(mark);
    for (const line of $$("polyline", picture)) line.classList.toggle("front", series.length > 1 && line.dataset.run === at.line.run);
    const note = document.createElement("p");
    note.className = "read-off";
    note.setAttribute("role", "status");
    note.textContent = `${series.length > 1 ? `${at.line.name} · ` : ""}${axisText(figure.dataset.axis, at.x)}: ${at.v}`;
    if (place(figure, at.x) > 0.5) note.classList.add("left");
    $("[data-canvas]", figure).append(note);
    figure.at = at;
  }

  function clear(figure) {
    $(".mark", figure)?.remove();
    $(".read-off", figure)?.remove();
  }

  function zoom(figure, a, b) {
    const x0 = Number(figure.dataset.x0);
    const x1 = Number(figure.dataset.x1);
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const from = Math.round(x0 + low * (x1 - x0));
    const to = Math.round(x0 + high * (x1 - x0));
    if (to <= from) return;
    const url = new URL(location.href);
    url.searchParams.set("from", from);
    url.searchParams.set("to", to);
    // A zoom is in units of one axis: what was chosen by itself is now said.
    if (figure.dataset.axis !== "step") {
      url.searchParams.set("x", figure.dataset.axis);
      const chooser = $(".plot-bar [name=x]");
      if (chooser) chooser.value = figure.dataset.axis;
    }
    pages.go(url.pathname + url.search);
    say("Zoomed in");
  }

  function whole() {
    const url = new URL(location.href);
    if (!url.searchParams.has("from")) return;
    url.searchParams.delete("from");
    url.searchParams.delete("to");
    pages.go(url.pathname + url.search);
    say("The whole history");
  }

  const spot = (canvas, event) => {
    const box = canvas.getBoundingClientRect();
    const fx = ((event.clientX - box.left) / box.width * width - pad) / (width - 2 * pad);
    const fy = 1 - ((event.clientY - box.top) / box.height * height - pad) / (height - 2 * pad);
    return [Math.min(1, Math.max(0, fx)), Math.min(1, Math.max(0, fy))];
  };

  document.addEventListener("pointermove", (event) => {
    const canvas = event.target.closest?.("[data-canvas]");
    for (const other of $$(".mark")) {
      const figure = other.closest("[data-chart]");
      if (figure && (!canvas || figure !== canvas.closest("[data-chart]")) && document.activeElement !== $("[data-canvas]", figure)) {
        figure.reading = null;
        clear(figure);
      }
    }
    if (!canvas || dragging) return;
    const figure = canvas.closest("[data-chart]");
    if (figure && "axis" in figure.dataset) readOff(figure, ...spot(canvas, event));
  });

  // Drag to zoom.
  let dragging = null;

  document.addEventListener("pointerdown", (event) => {
    const canvas = event.target.closest?.("[data-canvas]");
    const figure = canvas?.closest("[data-chart]");
    if (!figure || !("axis" in figure.dataset) || event.button || event.pointerType === "touch") return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    const [start] = spot(canvas, event);
    const box = svg("rect", { class: "zoom-box", y: 0, height, x: 0, width: 0 });
    $("svg", figure).append(box);
    pages.hold(1);
    dragging = true;
    const move = (e) => {
      const [now] = spot(canvas, e);
      box.setAttribute("x", pad + (width - 2 * pad) * Math.min(start, now));
      box.setAttribute("width", (width - 2 * pad) * Math.abs(now - start));
    };
    const up = (e) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      box.remove();
      pages.hold(-1);
      dragging = null;
      const [end] = spot(canvas, e);
      if (e.type === "pointerup" && Math.abs(end - start) > 0.02) zoom(figure, start, end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  });

  document.addEventListener("dblclick", (event) => { if (event.target.closest?.("[data-canvas]")) whole(); });

  // Keys on a chart: arrows read off, + zooms in around the mark, - shows all again.
  document.addEventListener("keydown", async (event) => {
    const canvas = event.target.matches?.("[data-canvas]") ? event.target : null;
    const figure = canvas?.closest("[data-chart]");
    if (!figure || !("axis" in figure.dataset) || event.metaKey || event.ctrlKey || event.altKey) return;
    const at = figure.at ? place(figure, figure.at.x) : 0;
    if (event.key === "ArrowLeft" || event.key === "ArrowRight" || event.key === "Home" || event.key === "End") {
      event.preventDefault();
      const { series } = await pointsOf(figure);
      const line = series.find((s) => s.run === figure.at?.line.run) || series[0];
      if (!line || !line.x.length) return;
      let i = figure.at ? figure.at.i + (event.key === "ArrowRight" ? 1 : -1) : 0;
      if (event.key === "Home") i = 0;
      if (event.key === "End") i = line.x.length - 1;
      i = Math.min(line.x.length - 1, Math.max(0, i));
      await readOff(figure, place(figure, line.x[i]), level(figure, Number(line.v[i])));
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const { series } = await pointsOf(figure);
      if (series.length < 2) return;
      const n = (figure.at ? figure.at.n + (event.key === "ArrowDown" ? 1 : series.length - 1) : 0) % series.length;
      const i = Math.min(figure.at?.i ?? 0, series[n].x.length - 1);
      await readOff(figure, place(figure, series[n].x[i]), level(figure, Number(series[n].v[i])));
    } else if (event.key === "+") zoom(figure, Math.max(0, at - 0.15), Math.min(1, at + 0.15));
    else if (event.key === "-") whole();
    else if (event.key === "Escape") {
      figure.reading = null;
      clear(figure);
    }
  });

  // What the page has left out comes when it is seen.
  const seen = new IntersectionObserver((entries) => {
    for (const e of entries) {
      if (!e.isIntersecting) continue;
      seen.unobserve(e.target);
      fetchChart(e.target);
    }
  }, { rootMargin: "200px" });

  async function fetchChart(stub) {
    const from = stub.dataset.defer;
    try {
      const response = await fetch(from, { headers: { Accept: "text/html" } });
      if (!response.ok) return;
      const doc = new DOMParser().parseFromString(await response.text(), "text/html");
      const figure = $("[data-chart]", doc);
      if (!figure || !stub.isConnected) return;
      figure.dataset.from = from;
      const name = $(".chart-name", figure);
      const link = document.createElement("a");
      link.href = from;
      link.textContent = name.textContent;
      name.replaceChildren(link);
      stub.replaceWith(figure);
      prepare(figure.parentElement);
    } catch {
      // The link in its place still works.
    }
  }

  function prepare(root) {
    for (const canvas of $$("[data-canvas]", root)) {
      if (!canvas.closest("[data-chart]")) continue;
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "group");
      canvas.setAttribute("aria-label", `${canvas.closest("[data-chart]").dataset.key}: arrow keys read values, + zooms in, - shows all`);
    }
    for (const stub of $$("[data-defer]", root)) seen.observe(stub);
  }

  // Data that arrives redraws the charts; who was reading one goes on reading it.
  let reading = null;
  document.addEventListener("pointermove", () => {
    const figure = $(".mark")?.closest("[data-chart]");
    reading = figure ? { key: figure.dataset.key, at: figure.reading } : null;
  });
  document.addEventListener("swapped", (event) => {
    prepare(event.target);
    if (!reading?.at) return;
    const figure = $$("[data-chart]", event.target).find((e) => e.dataset.key === reading.key && "axis" in e.dataset);
    if (figure) readOff(figure, ...reading.at);
  });

  prepare(document);
}
