// The request log follows: whenever calls come that the filter chooses, the list is fetched again. A button stops that.
"use strict";

{
  let paused = false;
  let tail = null;
  let address = "";
  let timer = 0;

  const region = () => $("[data-region=calls]");

  function refresh() {
    timer = 0;
    if (paused || document.hidden || region().contains(getSelection().anchorNode) && !getSelection().isCollapsed) return;
    window.pages.go(location.pathname + location.search, { push: false });
  }

  function follow() {
    const button = $("[data-pause]");
    const wanted = !paused && region().dataset.tail || "";
    button.hidden = !region().dataset.tail;
    button.textContent = paused ? "Resume" : "Pause";
    button.setAttribute("aria-pressed", String(paused));
    button.classList.toggle("on", !paused);
    if (wanted === address) return;
    tail?.close();
    tail = null;
    address = wanted;
    if (!wanted) return;
    const url = new URL(wanted, location.href);
    url.searchParams.set("after", region().dataset.after);
    tail = new EventSource(url);
    tail.addEventListener("call", () => { if (!timer) timer = setTimeout(refresh, 250); });
  }

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-pause]")) return;
    paused = !paused;
    follow();
    say(paused ? "Paused" : "Following");
    if (!paused) refresh();
  });
  document.addEventListener("swapped", follow);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused && region().dataset.tail) refresh(); });
  addEventListener("pagehide", () => { tail?.close(); tail = null; address = ""; });
  follow();
}
