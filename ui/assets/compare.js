// A click on a point of the scatter opens its run. Parallel coordinates: a drag along an axis keeps the runs that pass there.
"use strict";

{
  const brushes = new WeakMap(); // for each picture: the ranges kept on its axes

  function apply(picture) {
    const kept = brushes.get(picture);
    const inside = [];
    for (const thread of $$(".thread", picture)) {
      const places = thread.getAttribute("points").split(" ").map((p) => p.split(",").map(Number));
      const ok = [...kept].every(([axis, [top, bottom]]) => places[axis][1] >= top && places[axis][1] <= bottom);
      thread.classList.toggle("off", !ok);
      if (ok) inside.push(thread.dataset.run);
    }
    const note = $("[data-brushed]", picture.closest("[data-region]"));
    note.hidden = !kept.size;
    if (!kept.size) return;
    const link = document.createElement("a");
    const url = new URL(note.dataset.url, location.href);
    url.searchParams.set("run", inside.join(","));
    link.href = url.pathname + url.search;
    link.textContent = "Compare only these";
    const clear = document.createElement("button");
    clear.type = "button";
    clear.className = "quiet small";
    clear.textContent = "Show all";
    clear.addEventListener("click", () => {
      kept.clear();
      for (const box of $$(".brush", picture)) box.remove();
      apply(picture);
    });
    note.replaceChildren(`${inside.length} runs pass. `, ...(inside.length ? [link] : []), clear);
  }

  document.addEventListener("click", (event) => {
    const dot = event.target.closest?.("[data-href]");
    if (dot) location.href = dot.dataset.href;
  });

  document.addEventListener("pointerdown", (event) => {
    const picture = event.target.closest?.("[data-parallel] svg");
    if (!picture || event.button || event.pointerType === "touch") return;
    const toUser = (e) => new DOMPoint(e.clientX, e.clientY).matrixTransform(picture.getScreenCTM().inverse());
    const start = toUser(event);
    const axes = $$("line.axis", picture);
    const axis = axes.findIndex((a) => Math.abs(a.x1.baseVal.value - start.x) < 24);
    if (axis < 0) return;
    event.preventDefault();
    if (!brushes.has(picture)) brushes.set(picture, new Map());
    const kept = brushes.get(picture);
    $(`.brush[data-n="${axis}"]`, picture)?.remove();
    const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    box.setAttribute("class", "brush");
    box.dataset.n = axis;
    box.setAttribute("x", axes[axis].x1.baseVal.value - 8);
    box.setAttribute("width", 16);
    picture.append(box);
    pages.hold(1);
    const move = (e) => {
      const now = toUser(e).y;
      const [top, bottom] = [Math.min(start.y, now), Math.max(start.y, now)];
      box.setAttribute("y", top);
      box.setAttribute("height", bottom - top);
      if (bottom - top > 3) kept.set(axis, [top, bottom]);
      else kept.delete(axis);
      apply(picture);
    };
    const up = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      pages.hold(-1);
      if (!kept.has(axis)) box.remove();
      apply(picture);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  });
}
