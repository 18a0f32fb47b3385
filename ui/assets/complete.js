// Completion of a filter. What may come next follows from what stands before the cursor: a name, an operator, a value, or AND.
"use strict";

{
  const input = $("#filter");
  const source = $("[data-words]");
  const list = document.createElement("ul");
  list.id = "filter-words";
  list.className = "words";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Completions");
  const holder = document.createElement("div");
  holder.className = "completed";
  input.replaceWith(holder);
  holder.append(input, list);
  for (const [key, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) input.setAttribute(key, value);

  let words = null;
  let offers = [];
  let chosen = -1;

  const name = /([a-z_]+\.(?:`[^`]*`|"[^"]*"|[\w./-]+)|[a-z_]+)/i;
  const value = /(?:'[^']*'|"[^"]*"|\([^)]*\)|[-+.\w]+)/;
  const operator = /(?:=|!=|<=|>=|<|>|LIKE|ILIKE|NOT IN|IN)/i;
  const clause = new RegExp(`^\\s*${name.source}\\s*${operator.source}\\s*${value.source}\\s+AND\\s+`, "i");

  // next gives the completions for a text that ends at the cursor, and how many of its characters they replace.
  function next(text) {
    let rest = text;
    for (let m = clause.exec(rest); m; m = clause.exec(rest)) rest = rest.slice(m[0].length);
    rest = rest.replace(/^\s+/, "");
    let m = new RegExp(`^${name.source}\\s*(${operator.source})\\s*(${value.source})\\s+(\\w*)$`, "i").exec(rest);
    if (m) return { drop: m[4].length, offers: starting(["AND"], m[4]) };
    m = new RegExp(`^${name.source}\\s*(${operator.source})\\s*('[^']*|[^\\s']*)$`, "i").exec(rest);
    if (m && (/\s$/.test(rest) || m[3].startsWith("'") || (m[3] && /\W/.test(m[2])))) {
      return { drop: m[3].length, offers: starting(values(m[1]), m[3]) };
    }
    m = new RegExp(`^${name.source}\\s+(\\S*)$`, "i").exec(rest);
    if (m) return { drop: m[2].length, offers: starting(operators(m[1]), m[2]) };
    return { drop: rest.length, offers: starting(words.names, rest, true) };
  }

  const starting = (all, start, within = false) => {
    const s = start.toLowerCase();
    const first = all.filter((w) => w.toLowerCase().startsWith(s));
    const more = within && s ? all.filter((w) => !first.includes(w) && w.toLowerCase().replace(/[`"]/g, "").includes(s.replace(/[`"]/g, ""))) : [];
    return [...first, ...more].filter((w) => w.toLowerCase() !== s).slice(0, 12);
  };

  const operators = (left) => (words.numbers.includes(left) ? ["=", "!=", "<", "<=", ">", ">="] : ["=", "!=", "LIKE", "ILIKE"]);
  const values = (left) => (words.values[left] || []).map((v) => `'${v}'`);

  function show() {
    if (!words || document.activeElement !== input) {
      hide();
      return;
    }
    const cursor = input.selectionStart;
    const { drop, offers: found } = next(input.value.slice(0, cursor));
    offers = found.map((text) => ({ text, from: cursor - drop, to: cursor }));
    chosen = -1;
    list.replaceChildren(...offers.map((o, i) => {
      const item = document.createElement("li");
      item.id = `word-${i}`;
      item.setAttribute("role", "option");
      item.textContent = o.text;
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        take(i);
      });
      return item;
    }));
    list.hidden = !offers.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    input.removeAttribute("aria-activedescendant");
  }

  function hide() {
    list.hidden = true;
    chosen = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark(i) {
    chosen = (i + offers.length) % offers.length;
    $$("li", list).forEach((e, n) => {
      e.setAttribute("aria-selected", n === chosen);
      if (n === chosen) e.scrollIntoView({ block: "nearest" });
    });
    input.setAttribute("aria-activedescendant", `word-${chosen}`);
  }

  function take(i) {
    const o = offers[i];
    input.setRangeText(`${o.text} `, o.from, o.to, "end");
    input.focus();
    show();
  }

  let asked = null;
  const learn = () => {
    if (input.dataset.complete) words = JSON.parse(input.dataset.complete);
    else if (source) asked ??= fetch(source.dataset.words).then((r) => (r.ok ? r.json() : null)).catch(() => null).then((w) => { words = w; });
    return asked;
  };

  input.addEventListener("focus", learn);
  input.addEventListener("input", async () => {
    if (!words) await learn(); // without words there is no completion; the filter still works
    show();
  });
  input.addEventListener("blur", hide);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden) {
      show();
      if (!list.hidden) mark(0);
    } else if (list.hidden) {
      if (event.key !== "Escape") return;
      input.blur(); // and the text stays, which browsers would clear
    } else if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen < 0 ? offers.length - 1 : chosen - 1);
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(chosen);
    else if (event.key === "Tab" && offers.length === 1) take(0);
    else if (event.key === "Escape") hide();
    else {
      if (event.key === "Enter") hide();
      return;
    }
    event.preventDefault();
  });
}
