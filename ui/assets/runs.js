// The table of runs: ticks.
"use strict";

// Ticks.
{
  const form = $("#bulk");
  const boxes = () => $$("input[name=run][form=bulk]");
  let last = null;

  function count() {
    const all = boxes();
    const n = all.filter((b) => b.checked).length;
    $("[data-ticked]", form).textContent = n ? `${n} ticked` : "";
    for (const e of $$("[data-needs]", form)) {
      const off = n < Number(e.dataset.needs);
      if (e.matches("button")) e.disabled = off;
      else e.parentElement.classList.toggle("unusable", off);
    }
    const head = $("[data-all]");
    if (head) {
      head.hidden = false;
      head.checked = n > 0 && n === all.length;
      head.indeterminate = n > 0 && n < all.length;
    }
  }

  document.addEventListener("click", (event) => {
    const box = event.target;
    if (box.matches?.("[data-all]")) {
      for (const b of boxes()) b.checked = box.checked;
      count();
    } else if (box.matches?.("input[name=run]")) {
      const all = boxes();
      if (event.shiftKey && last && last.isConnected) {
        const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
        for (const b of all.slice(from, to + 1)) b.checked = box.checked;
      }
      last = box;
      count();
    }
  });
  document.addEventListener("swapped", count);
  // The server is told to lead back to where the user is now.
  form.addEventListener("submit", () => { $("[name=back]", form).value = location.pathname + location.search; });
  count();
}
