// The pages work without this script; it adds copying, scoring in place, the palette and keys.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const say = (text) => { $("#said").textContent = text; };

// MLflow's clients print links of MLflow's own UI, as /#/experiments/1/runs/ID: they lead to the same thing here.
function follow() {
  if (location.pathname !== "/" || !location.hash.startsWith("#/")) return;
  const [kind, id, sub, subID] = location.hash.slice(2).split("?")[0].split("/");
  if (kind === "experiments" && sub === "runs" && subID) location.replace(`/runs/${subID}`);
  else if (kind === "models" && sub === "versions" && subID) location.replace(`/models/${id}/versions/${subID}`);
  else if (["experiments", "models"].includes(kind)) location.replace(`/${kind}${id ? `/${id}` : ""}`);
}
follow();
addEventListener("hashchange", follow);

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

async function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog.open) return;
  for (const other of $$("dialog[open]")) other.close();
  dialog.showModal();
  if (id !== "palette") return;
  paletteInput.value = "";
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
  matches = places.filter((p) => words.every((w) => `${p.kind} ${p.name}`.toLowerCase().includes(w))).slice(0, 30);
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
    item.addEventListener("click", () => { location.href = p.url; });
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

paletteInput.addEventListener("input", showPlaces);
paletteInput.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") choose(chosen + 1);
  else if (event.key === "ArrowUp") choose(chosen - 1);
  else if (event.key === "Enter" && matches[chosen]) location.href = matches[chosen].url;
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
  } else if (event.key === "t") {
    turnTheme();
  } else if (event.key === "g") {
    afterG = event.timeStamp;
    return;
  } else if (afterG && event.timeStamp - afterG < 1500) {
    const page = { h: "/", e: "/experiments", m: "/models" }[event.key];
    if (page) location.href = page;
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

// Try it. The body is built as the server builds it (try.go), so both ways send the same.
class FieldError extends Error {}

function fieldJSON(field) {
  const text = field.value.trim();
  const kind = field.dataset.kind;
  if (kind === "text") return JSON.stringify(field.value);
  if (text === "") return "null";
  if (kind === "number") {
    const n = Number(text);
    if (Number.isNaN(n) || /[xXobOBnN_]/.test(text)) throw new FieldError("Not a number: write it like 7.4 or 1e-3.");
    return JSON.stringify(n);
  }
  if (kind === "integer") {
    if (!/^-?\d+$/.test(text)) throw new FieldError("Not a whole number: write it like 42.");
    const n = BigInt(text);
    if (BigInt.asIntN(64, n) !== n) throw new FieldError("This number does not fit 64 bits.");
    return n.toString();
  }
  if (kind === "boolean") return text;
  try {
    JSON.parse(text);
  } catch (error) {
    throw new FieldError(`Not JSON: ${error.message}.`);
  }
  return text;
}

function showProblem(field, message) {
  const problem = document.getElementById(`${field.id}-problem`);
  if (problem.textContent !== message) problem.textContent = message;
  problem.hidden = !message;
  if (message) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

function fieldsBody(form) {
  const names = [];
  const values = [];
  const params = [];
  let wrong = null;
  for (const field of $$("[data-kind]", form)) {
    showProblem(field, "");
    const isParam = field.dataset.role === "param";
    if (field.value === "" && (isParam || field.hasAttribute("data-optional"))) continue;
    try {
      const value = fieldJSON(field);
      if (isParam) params.push(`${JSON.stringify(field.dataset.name)}:${value}`);
      else {
        names.push(JSON.stringify(field.dataset.name));
        values.push(value);
      }
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      showProblem(field, error.message);
      wrong ??= field;
    }
  }
  if (wrong) return { wrong };
  const columns = names.length && names[0] !== '""' ? `"columns":[${names.join(",")}],` : "";
  const extra = params.length ? `,"params":{${params.join(",")}}` : "";
  return { body: `{"dataframe_split":{${columns}"data":[[${values.join(",")}]]}${extra}}` };
}

const shellQuote = (text) => (/^[A-Za-z0-9_\-./:@%+=,]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

function headline(answer) {
  let value;
  try {
    value = JSON.parse(answer);
  } catch {
    return "";
  }
  if (value && !Array.isArray(value)) value = value.predictions;
  if (!Array.isArray(value) || value.length !== 1 || (typeof value[0] === "object")) return "";
  // Not String(value[0]): the server's digits ("5.0") are the answer.
  const digits = /\[\s*(-?[\d.eE+-]+)\s*\]/.exec(answer);
  return typeof value[0] === "number" && digits ? digits[1] : String(value[0]);
}

function pretty(answer) {
  if (answer.length <= 100) return answer;
  try {
    JSON.parse(answer);
  } catch {
    return answer;
  }
  // Indent without decoding, so that digits stay as the server sent them.
  let depth = 0;
  let out = "";
  let inString = false;
  for (let i = 0; i < answer.length; i++) {
    const c = answer[i];
    if (inString) {
      out += c;
      if (c === "\\") out += answer[++i];
      else if (c === '"') inString = false;
    } else if (c === '"') {
      inString = true;
      out += c;
    } else if (c === "{" || c === "[") {
      depth++;
      out += `${c}\n${"  ".repeat(depth)}`;
    } else if (c === "}" || c === "]") {
      depth--;
      out += `\n${"  ".repeat(depth)}${c}`;
    } else if (c === ",") out += `,\n${"  ".repeat(depth)}`;
    else if (c === ":") out += ": ";
    else if (!/\s/.test(c)) out += c;
  }
  return out;
}

for (const panel of $$("[data-try]")) {
  const curl = $("#curl", panel);
  const showCurl = (body) => {
    curl.textContent = `curl -X POST ${shellQuote(panel.dataset.url)} \\\n  -H 'Content-Type: application/json' \\\n  -d ${shellQuote(body)}`;
  };
  let asked = 0;
  const score = async (form, body) => {
    const mine = ++asked;
    const button = $("[type=submit]", form);
    const big = $("[data-headline]", panel);
    const took = $("[data-took]", panel);
    const answer = $("[data-answer]", panel);
    button.disabled = true;
    const start = performance.now();
    try {
      const response = await fetch(panel.dataset.path, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      const text = await response.text();
      const time = performance.now() - start;
      if (mine !== asked) return;
      big.textContent = response.ok ? headline(text) : "";
      took.textContent = `${response.status} in ${time.toFixed(1)} ms`;
      answer.textContent = pretty(text);
      answer.hidden = false;
    } catch {
      big.textContent = "";
      took.textContent = "No answer: the server cannot be reached.";
      answer.hidden = true;
    } finally {
      button.disabled = false;
      if (document.activeElement === document.body) button.focus();
    }
  };
  const fields = $("[data-fields]", panel);
  if (fields) {
    fields.noValidate = true;
    const update = () => {
      const { body } = fieldsBody(fields);
      if (body !== undefined) showCurl(body);
    };
    fields.addEventListener("input", update);
    fields.addEventListener("reset", () => setTimeout(update));
    fields.addEventListener("submit", (event) => {
      event.preventDefault();
      const { body, wrong } = fieldsBody(fields);
      if (wrong) {
        wrong.focus();
        return;
      }
      showCurl(body);
      score(fields, body);
    });
  }
  const raw = $("[data-raw]", panel);
  if (raw) {
    const area = $("textarea", raw);
    area.addEventListener("input", () => showCurl(area.value));
    raw.addEventListener("submit", (event) => {
      event.preventDefault();
      showCurl(area.value);
      score(raw, area.value);
    });
  }
}
