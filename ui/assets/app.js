// The pages work without this script; it adds copying, the palette and keys.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (text) => { $("#said").textContent = text; };

// MLflow's clients print links of MLflow's own UI, as /#/experiments/1/runs/ID: they lead to the same thing here.
function follow() {
  if (location.pathname !== "/" || !location.hash.startsWith("#/")) return;
  const [place, search] = location.hash.slice(2).split("?");
  const [kind, id, sub, subID] = place.split("/");
  const trace = new URLSearchParams(search).get("selectedEvaluationId") || new URLSearchParams(search).get("selectedTraceId");
  if (kind === "experiments" && sub === "runs" && subID) location.replace(`/runs/${subID}`);
  else if (kind === "experiments" && sub === "models" && subID) location.replace(`/logged-models/${subID}`);
  else if (kind === "experiments" && sub === "traces") location.replace(trace ? `/traces/${encodeURIComponent(trace)}` : `/experiments/${id}/traces`);
  else if (kind === "models" && sub === "versions" && subID) location.replace(`/models/${id}/versions/${subID}`);
  else if (["experiments", "models", "prompts"].includes(kind)) location.replace(`/${kind}${id ? `/${id}` : ""}`);
}
follow();
addEventListener("hashchange", follow);

// On a phone the navigation is wider than the window.
$(".bar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Copy buttons.
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Browsers offer the clipboard on https and localhost only; elsewhere the old way still works.
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("refused");
}

function offerCopies(root) {
  for (const button of $$("[data-copy]", root)) button.hidden = false;
}
offerCopies(document);
document.addEventListener("swapped", (event) => offerCopies(event.target));
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await copyText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    say("Copied");
  } catch {
    button.textContent = "Select and copy by hand";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1600);
});

// Colours: system, light, dark, in turn. The server reads the cookie, so no page flashes.
const themes = ["", "light", "dark"];

function turnTheme() {
  const root = document.documentElement;
  const theme = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  root.dataset.theme = theme;
  document.cookie = `prinzbox_theme=${theme || "system"}; path=/; max-age=31536000; samesite=lax`;
  const word = theme || "as the system";
  const button = $("[data-theme-form] button");
  button.setAttribute("aria-label", `Colours: ${word}. Change`);
  button.title = `Colours: ${word}`;
  say(`Colours: ${word}`);
}

$("[data-theme-form]").addEventListener("submit", (event) => {
  event.preventDefault();
  turnTheme();
});

// Dialogs.
const palette = $("#palette");
const paletteInput = $("input", palette);
const paletteList = $("#palette-list");
let places = [];
let chosen = 0;
let matches = [];

for (const button of $$("[data-open]")) {
  button.hidden = false;
  button.addEventListener("click", () => openDialog(button.dataset.open));
}

const mac = /Mac|iPhone|iPad/.test(navigator.platform);
const findKey = $(".find kbd");
if (findKey && !mac) findKey.textContent = "Ctrl K";

// actions are what the palette does beside leading somewhere.
const actions = [
  { kind: "Action", name: "Change colours (light, dark, system)", run: () => turnTheme() },
  { kind: "Action", name: "Show the keys", run: () => openDialog("help") },
  { kind: "Action", name: "Print this page", run: () => print() },
  { kind: "Action", name: "Copy the address of this page", run: () => copyText(location.href).then(() => say("Copied")) },
  { kind: "Action", name: "Copy MLFLOW_TRACKING_URI", run: () => copyText(`MLFLOW_TRACKING_URI=${location.origin}`).then(() => say("Copied")) },
];
let foundRuns = [];
let runsWanted = 0;

async function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog.open) return;
  for (const other of $$("dialog[open]")) other.close();
  dialog.showModal();
  if (id !== "palette") return;
  paletteInput.value = "";
  foundRuns = [];
  try {
    const response = await fetch("/palette.json");
    places = response.ok ? await response.json() : [];
  } catch {
    places = [];
  }
  showPlaces();
}

function showPlaces() {
  const words = paletteInput.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (p) => words.every((w) => `${p.kind} ${p.name}`.toLowerCase().includes(w));
  matches = [...places.filter(fits).slice(0, 30), ...foundRuns, ...actions.filter(fits)];
  chosen = 0;
  paletteList.replaceChildren(...matches.map((p, i) => {
    const item = document.createElement("li");
    item.id = `place-${i}`;
    item.setAttribute("role", "option");
    const name = document.createElement("span");
    name.textContent = p.name;
    const kind = document.createElement("span");
    kind.textContent = p.kind;
    item.append(name, kind);
    item.addEventListener("click", () => take(p));
    return item;
  }));
  if (!matches.length) {
    const item = document.createElement("li");
    item.textContent = "Nothing has this name.";
    paletteList.append(item);
  }
  choose(0);
}

function choose(i) {
  if (!matches.length) {
    paletteInput.removeAttribute("aria-activedescendant");
    return;
  }
  chosen = (i + matches.length) % matches.length;
  $$("[role=option]", paletteList).forEach((item, n) => {
    item.setAttribute("aria-selected", n === chosen);
    if (n === chosen) item.scrollIntoView({ block: "nearest" });
  });
  paletteInput.setAttribute("aria-activedescendant", `place-${chosen}`);
}

function take(place) {
  if (!place.run) {
    location.href = place.url;
    return;
  }
  palette.close();
  place.run();
}

// Runs are too many to hold here: the server finds them by name.
async function findRuns() {
  const mine = ++runsWanted;
  const text = paletteInput.value.trim();
  if (text.length < 2) {
    foundRuns = [];
    return;
  }
  try {
    const response = await fetch(`/palette-runs.json?${new URLSearchParams({ q: text })}`);
    const runs = response.ok ? await response.json() : [];
    if (mine !== runsWanted) return;
    foundRuns = runs;
    const at = chosen;
    showPlaces();
    choose(Math.min(at, matches.length - 1));
  } catch {
    foundRuns = [];
  }
}

let typing = 0;
paletteInput.addEventListener("input", () => {
  foundRuns = [];
  showPlaces();
  clearTimeout(typing);
  typing = setTimeout(findRuns, 120);
});
paletteInput.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter" && matches[chosen]) take(matches[chosen]);
  else return;
  event.preventDefault();
});

// Keys.
let afterG = 0;

document.addEventListener("keydown", (event) => {
  if ((event.metaKey || event.ctrlKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openDialog("palette");
    return;
  }
  const target = event.target;
  if (event.metaKey || event.ctrlKey || event.altKey || target.matches("input, textarea, select, [contenteditable]") || $("dialog[open]")) return;
  if (event.key === "/") {
    const filter = $("[data-filter]");
    if (!filter) return;
    event.preventDefault();
    filter.focus();
    filter.select();
  } else if (event.key === "?") {
    event.preventDefault();
    openDialog("help");
  } else if (afterG && event.timeStamp - afterG < 1500) {
    const page = { h: "/", e: "/experiments", m: "/models", t: "/traces", p: "/prompts", d: "/datasets", s: "/s3", c: "/calls", f: "/faults", a: "/admin" }[event.key];
    if (page && $(`.bar a[href="${page}"]`)) location.href = page;
  } else if (event.key === "t") {
    turnTheme();
  } else if (event.key === "g") {
    afterG = event.timeStamp;
    return;
  }
  afterG = 0;
});

// Pickers close like menus.
document.addEventListener("click", (event) => {
  for (const picker of $$(".picker[open]")) if (!picker.contains(event.target)) picker.open = false;
});
document.addEventListener("keydown", (event) => {
  const picker = event.target.closest?.(".picker[open]");
  if (event.key !== "Escape" || !picker) return;
  picker.open = false;
  $("summary", picker).focus();
});
