// Links and forms marked data-swap change the page in place: the page of the new address is fetched, and what is marked data-region is taken over
// from it. So all state stands in the address, and the server draws everything. What is marked data-live is fetched again while somebody looks.
"use strict";

{
  const regions = (root) => new Map($$("[data-region]", root).map((e) => [e.dataset.region, e]));
  for (const region of regions(document).values()) region.swapped = region.outerHTML;
  let asked = 0;
  let held = 0; // while the user drags, nothing may change below the pointer

  const hold = (n) => { held += n; };

  // takeOver puts the regions of another version of this page into it. What the user has opened, ticked, scrolled and focused stays.
  function takeOver(doc) {
    const fresh = regions(doc);
    let changed = false;
    for (const [name, old] of regions(document)) {
      const next = fresh.get(name);
      if (!next || $(".picker[open]", old)) continue; // nobody's menu closes under him
      const source = next.outerHTML;
      if (old.swapped === source) continue;
      old.swapped = source;
      changed = true;
      keep(old, next);
      const focus = old.contains(document.activeElement) ? document.activeElement : null;
      const places = $$(".scroll", old).map((e) => [e.scrollLeft, e.scrollTop]);
      old.replaceChildren(...next.childNodes);
      for (const { name: key } of [...old.attributes]) if (!next.hasAttribute(key)) old.removeAttribute(key);
      for (const { name: key, value } of next.attributes) old.setAttribute(key, value);
      $$(".scroll", old).forEach((e, i) => { if (places[i]) [e.scrollLeft, e.scrollTop] = places[i]; });
      if (focus) {
        const called = focus.getAttribute("aria-label");
        const again = focus.id ? document.getElementById(focus.id)
          : focus.name ? $$("[name]", old).find((e) => e.name === focus.name && e.value === focus.value)
          : called && $$("[aria-label]", old).find((e) => e.getAttribute("aria-label") === called);
        if (!again) old.tabIndex = -1; // what had the focus is gone: the keyboard goes on from here
        (again || old).focus({ preventScroll: true });
      }
      old.dispatchEvent(new CustomEvent("swapped", { bubbles: true }));
    }
    return changed;
  }

  function keep(old, next) {
    for (const details of $$("details[data-keep]", old)) {
      const same = $$("details[data-keep]", next).find((e) => e.dataset.keep === details.dataset.keep);
      if (same) same.open = details.open;
    }
    for (const box of $$("input[type=checkbox][data-keep]", old)) {
      if (!box.checked) continue;
      const same = $$("input[type=checkbox][data-keep]", next).find((e) => e.value === box.value && e.name === box.name);
      if (same) same.checked = true;
    }
    // A chart that was fetched by itself is not taken away again for its stand-in.
    for (const stub of $$("[data-defer]", next)) {
      const drawn = $$("[data-chart]", old).find((e) => e.dataset.key === stub.dataset.key && e.dataset.from === stub.dataset.defer);
      if (drawn) stub.replaceWith(drawn.cloneNode(true));
    }
  }

  async function load(url) {
    const mine = ++asked;
    const response = await fetch(url, { headers: { Accept: "text/html" } });
    const text = await response.text();
    if (mine !== asked) return null;
    return { doc: new DOMParser().parseFromString(text, "text/html"), status: response.status };
  }

  // go shows another address of this page. A failure falls back to what a browser does without a script.
  async function go(url, { replace = false, push = true, menu = false } = {}) {
    document.documentElement.classList.add("busy");
    try {
      const answer = await load(url);
      if (!answer) return;
      if (!$$("[data-region]", answer.doc).length) {
        location.href = url;
        return;
      }
      if (push) history[replace ? "replaceState" : "pushState"]({ swapped: true }, "", url);
      for (const picker of $$(".picker[open]")) {
        picker.open = false;
        const again = menu && $$(".picker", answer.doc)[$$(".picker").indexOf(picker)];
        if (again) again.open = true;
      }
      document.title = answer.doc.title;
      takeOver(answer.doc);
      takeState(answer.doc);
    } catch {
      location.href = url;
    } finally {
      document.documentElement.classList.remove("busy");
    }
  }

  // takeState copies what marks a field as wrong, and the values of fields that nobody is typing into.
  function takeState(doc) {
    for (const field of $$("form[data-swap] :is(input, select)[id], form[data-swap] input[type=hidden]")) {
      const form = field.closest("form");
      const other = field.id ? doc.getElementById(field.id) : null;
      if (other) {
        for (const key of ["aria-invalid", "aria-describedby"]) {
          if (other.hasAttribute(key)) field.setAttribute(key, other.getAttribute(key));
          else field.removeAttribute(key);
        }
      }
      if (field.type === "hidden" && form) {
        const twin = $$("form[data-swap]", doc)[$$("form[data-swap]").indexOf(form)];
        if (twin) syncHidden(form, twin);
      }
    }
  }

  function syncHidden(form, twin) {
    if (form.synced === twin) return;
    form.synced = twin;
    for (const e of $$("input[type=hidden]", form)) e.remove();
    form.prepend(...$$("input[type=hidden]", twin).map((e) => e.cloneNode()));
  }

  const usual = { smooth: "0", view: "active", max: "100" }; // what an address need not say

  function formURL(form, submitter) {
    const data = new FormData(form);
    if (submitter?.name) data.append(submitter.name, submitter.value);
    const query = new URLSearchParams();
    for (const [key, value] of data) if (value !== "" && !(usual[key] === value)) query.append(key, value);
    const url = new URL(form.getAttribute("action"), location.href);
    url.search = query;
    return url.pathname + url.search;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.getAttribute("href"), { menu: Boolean(link.closest(".picker")) }); // a link in a menu leaves it open
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form[data-swap]") || event.submitter?.hasAttribute("formaction")) return;
    event.preventDefault();
    go(formURL(form, event.submitter));
  });

  // Forms marked data-instant need no button.
  for (const form of $$("form[data-instant]")) {
    for (const button of $$("[data-plain]", form)) button.hidden = true;
    let wait = 0;
    form.addEventListener("input", (event) => {
      const output = event.target.parentElement.querySelector("output");
      if (output) output.textContent = event.target.value;
      if (event.target.name === "x") for (const e of $$("input[name=from], input[name=to]", form)) e.remove();
      clearTimeout(wait);
      wait = setTimeout(() => go(zoomed(formURL(form), event.target.name !== "x"), { replace: true }), 60);
    });
  }

  // zoomed keeps the zoom of the address when the form of the charts changes anything but the axis.
  function zoomed(url, on) {
    const to = new URL(url, location.href);
    const here = new URLSearchParams(location.search);
    if (on) for (const key of ["from", "to"]) if (here.has(key)) to.searchParams.set(key, here.get(key));
    return to.pathname + to.search;
  }

  addEventListener("popstate", () => go(location.href, { push: false }));

  // Live: fetched every two seconds while it changes, less often when it does not.
  const quick = 2000;
  const slow = 15000;
  let pause = quick;

  async function again() {
    const live = $("[data-live]");
    if (live && !document.hidden && !held && !$("dialog[open]")) {
      try {
        const mine = asked;
        const response = await fetch(location.href, { headers: { Accept: "text/html" } });
        const text = await response.text();
        if (response.ok && mine === asked && !held) {
          const changed = takeOver(new DOMParser().parseFromString(text, "text/html"));
          pause = changed ? quick : Math.min(slow, pause * 1.3);
        }
      } catch {
        pause = slow; // the server is away; it may come back
      }
    }
    setTimeout(again, live ? pause : slow);
  }
  setTimeout(again, quick);
  document.addEventListener("visibilitychange", () => { pause = quick; });

  // Arrow keys walk a list of links.
  document.addEventListener("keydown", (event) => {
    const list = event.target.closest?.("[data-arrows]");
    if (!list || !event.target.matches("a") || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
    const links = $$("tr > :first-child a, li > a", list);
    const next = links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });

  window.pages = { go, hold, formURL };
}
