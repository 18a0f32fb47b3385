// Scores a version in place: while a slider moves, beside another version, with what each number does.
"use strict";

// Try it. The body is built as the server builds it (try.go), so both ways send the same.
class FieldError extends Error {}

function fieldJSON(field) {
  const text = field.value.trim();
  const kind = field.dataset.kind;
  if (kind === "text") return jsonText(field.value);
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
      if (isParam) params.push(`${jsonText(field.dataset.name)}:${value}`);
      else {
        names.push(jsonText(field.dataset.name));
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

// jsonText is a string literal as the server writes it.
const jsonText = (text) => JSON.stringify(text).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");

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

// latest runs a job with the newest input: one at a time, and what came meanwhile last. So the last answer is always the one that stays.
function latest(job) {
  let running = false;
  let waiting = null;
  return async (...input) => {
    waiting = input;
    if (running) return;
    running = true;
    while (waiting) {
      const next = waiting;
      waiting = null;
      await job(...next);
    }
    running = false;
  };
}

for (const panel of $$("[data-try]")) {
  const own = $("[data-answer-of=own]", panel);
  const beside = $("[data-answer-of=beside]", panel);
  const choice = $("[data-beside]", panel);
  const explained = $("[data-explained]", panel);
  const difference = $("[data-apart]", panel);

  const showCodes = (body) => {
    for (const code of $$("[data-code]", panel)) {
      code.textContent = code.dataset.before + (code.dataset.code === "shell" ? shellQuote(body) : jsonText(body)) + code.dataset.after;
    }
  };

  async function ask(box, path, body) {
    const big = $("[data-headline]", box);
    const took = $("[data-took]", box);
    const answer = $("[data-answer]", box);
    const start = performance.now();
    try {
      const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      const text = await response.text();
      const time = performance.now() - start;
      big.textContent = response.ok ? headline(text) : "";
      took.textContent = `${response.status} in ${time.toFixed(1)} ms`;
      answer.textContent = pretty(text);
      answer.hidden = false;
      return response.ok ? Number(big.textContent || NaN) : NaN;
    } catch {
      big.textContent = "";
      took.textContent = "No answer: the server cannot be reached.";
      answer.hidden = true;
      return NaN;
    }
  }

  const explain = latest(async (body) => {
    try {
      const response = await fetch(panel.dataset.explain, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      const text = response.ok ? await response.text() : "";
      explained.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    } catch {
      explained.replaceChildren();
    }
  });

  const score = latest(async (body) => {
    showCodes(body);
    const other = choice?.selectedOptions[0]?.value;
    const both = [ask(own, panel.dataset.path, body)];
    if (other) both.push(ask(beside, choice.selectedOptions[0].dataset.path, body));
    if (panel.dataset.explain) explain(body);
    const [x, y] = await Promise.all(both);
    difference.textContent = other && !Number.isNaN(x) && !Number.isNaN(y)
      ? `Version ${other} answers ${y >= x ? "+" : ""}${Number((y - x).toPrecision(4))} beside version ${panel.dataset.version}.` : "";
  });

  const press = async (form, body) => {
    const button = $("[type=submit]", form);
    button.disabled = true;
    await score(body);
    button.disabled = false;
    if (document.activeElement === document.body) button.focus();
  };

  const fields = $("[data-fields]", panel);
  if (fields) {
    fields.noValidate = true;
    const sliders = new Map($$("[data-slides]", fields).map((e) => [e.dataset.slides, e]));
    const follow = () => {
      for (const [id, slider] of sliders) slider.value = document.getElementById(id).value;
    };
    for (const slider of sliders.values()) slider.hidden = false;
    follow();
    fields.addEventListener("input", (event) => {
      const moved = event.target.dataset.slides;
      if (moved) document.getElementById(moved).value = event.target.value;
      else if (sliders.has(event.target.id)) sliders.get(event.target.id).value = event.target.value;
      const { body } = fieldsBody(fields);
      if (body === undefined) return;
      showCodes(body);
      if (moved) score(body);
    });
    fields.addEventListener("reset", () => setTimeout(() => {
      follow();
      const { body } = fieldsBody(fields);
      if (body !== undefined) showCodes(body);
    }));
    choice?.addEventListener("change", () => {
      const other = choice.value;
      beside.hidden = !other;
      $("[data-whose]", beside).textContent = `Version ${other}`;
      const address = new URL(location.href);
      if (other) address.searchParams.set("beside", other);
      else address.searchParams.delete("beside");
      if (!address.pathname.endsWith("/try")) history.replaceState(history.state, "", address);
      const { body } = fieldsBody(fields);
      if (body !== undefined) score(body);
    });
    if (choice?.value && beside.hidden) choice.dispatchEvent(new Event("change"));
    fields.addEventListener("submit", (event) => {
      event.preventDefault();
      const { body, wrong } = fieldsBody(fields);
      if (wrong) wrong.focus();
      else press(fields, body);
    });
  }
  const raw = $("[data-raw]", panel);
  if (raw) {
    const area = $("textarea", raw);
    area.addEventListener("input", () => showCodes(area.value));
    raw.addEventListener("submit", (event) => {
      event.preventDefault();
      press(raw, area.value);
    });
  }
}
