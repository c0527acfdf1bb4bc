// Tables: chosen columns and the sorting are kept in the URL; rows are shown in parts, so that a long list is quick.

import { csvOf } from "./csv.js";
import { announce, make, replace } from "./dom.js";

const FIRST = 50; // rows of the first picture
const PART = 200; // rows that are added at once
const SHORT = 26; // letters that are not broken

/**
 * A table of rows that are there.
 *
 * columns: [{key, title, value(row): what is sorted and exported, cell(row): what is shown (default: the value),
 * number: true to align, hidden: true to show it only if chosen}].
 * options: {context, label, name: prefix of its parameters where a page has several, count: words before the buttons,
 * file: name of the CSV, also: more buttons}.
 */
export function table(columns, rows, options) {
  const { context, label } = options;
  const parameter = (what) => (options.name ? `${options.name}_${what}` : what);
  const body = make("tbody");
  const head = make("thead");
  const more = make("p", { class: "more" });
  let sort = context.params.get(parameter("sort")) || "";
  let chosen = chosenColumns(columns, context.params.get(parameter("columns")));
  let sorted = rows;

  function draw() {
    sorted = sortedRows(columns, rows, sort);
    replace(head, make("tr", {}, chosen.map(header)));
    body.replaceChildren();
    grow(FIRST);
    const drawn = sorted;
    requestAnimationFrame(() =>
      setTimeout(() => {
        if (sorted === drawn && body.childElementCount === FIRST) grow(PART - FIRST);
      }),
    );
  }

  function grow(most = PART) {
    const from = body.childElementCount;
    body.append(...sorted.slice(from, from + most).map(line));
    const left = sorted.length - body.childElementCount;
    replace(
      more,
      left > 0 &&
        make(
          "button",
          { type: "button", on: { click: () => grow() } },
          `Show ${Math.min(PART, left)} more of ${left} further rows`,
        ),
    );
  }

  function line(row) {
    return make(
      "tr",
      {},
      chosen.map((column, index) => {
        const content = column.cell ? column.cell(row) : plain(column.value(row));
        const value = column.value(row);
        const short = typeof value === "string" && value.length <= SHORT;
        return make(
          index === 0 ? "th" : "td",
          { scope: index === 0 ? "row" : null, class: column.number ? "number" : short ? "short" : null },
          content,
        );
      }),
    );
  }

  function header(column) {
    const down = sort === `-${column.key}`;
    const up = sort === column.key;
    const button = make(
      "button",
      { type: "button", class: "sort", data: { key: column.key }, on: { click: () => order(column.key) } },
      column.title,
      make("span", { class: "arrow", "aria-hidden": "true" }, up ? "▲" : down ? "▼" : ""),
    );
    return make(
      "th",
      {
        scope: "col",
        class: column.number ? "number" : null,
        "aria-sort": up ? "ascending" : down ? "descending" : null,
      },
      button,
    );
  }

  function order(key) {
    sort = sort === key ? `-${key}` : key;
    context.set({ [parameter("sort")]: sort }, { render: false });
    draw();
    head.querySelector(`[data-key="${CSS.escape(key)}"]`).focus();
    announce(`Sorted by ${columns.find((each) => each.key === key).title}${sort === key ? "" : ", downwards"}`);
  }

  function choose(key, wanted) {
    const keys = new Set(chosen.map((each) => each.key));
    if (wanted) keys.add(key);
    else if (keys.size > 1) keys.delete(key);
    chosen = columns.filter((each) => keys.has(each.key));
    const usual =
      chosen.every((each) => !each.hidden) && chosen.length === columns.filter((each) => !each.hidden).length;
    context.set({ [parameter("columns")]: usual ? null : chosen.map((each) => each.key).join(",") }, { render: false });
    draw();
  }

  const picker = make(
    "details",
    { class: "menu" },
    make("summary", {}, "Columns"),
    make(
      "fieldset",
      { class: "sheet" },
      make("legend", { class: "hidden" }, `Columns of ${label}`),
      columns.map((column) =>
        make(
          "label",
          {},
          make("input", {
            type: "checkbox",
            checked: chosen.includes(column),
            on: {
              change: (event) => {
                choose(column.key, event.target.checked);
                event.target.checked = chosen.includes(column);
              },
            },
          }),
          ` ${column.title}`,
        ),
      ),
    ),
  );
  const save = make(
    "button",
    {
      type: "button",
      on: { click: () => download(csvOf(chosen, sorted), `${options.file || "rows"}.csv`) },
    },
    "CSV",
  );
  draw();
  return make(
    "div",
    { class: "table" },
    make(
      "div",
      { class: "table-bar" },
      make("span", { class: "count" }, options.count || counted(rows.length, "row")),
      make("span", { class: "actions" }, options.also, picker, save),
    ),
    make(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `${label}, table` },
      make("table", {}, make("caption", { class: "hidden" }, label), head, body),
    ),
    more,
  );
}

function plain(value) {
  if (value === null || value === undefined || value === "") return make("span", { class: "quiet" }, "–");
  return Array.isArray(value)
    ? value.map((each) => (typeof each === "object" ? JSON.stringify(each) : each)).join(", ")
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
}

export function counted(number, what) {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}

/** Those that are named, in the order of the table; else the usual ones. */
export function chosenColumns(columns, names) {
  const wanted = (names || "").split(",");
  const found = columns.filter((each) => wanted.includes(each.key));
  return found.length ? found : columns.filter((each) => !each.hidden);
}

/** By a column's key, "-key" downwards; what has no value comes last. The order of equal rows stays. */
export function sortedRows(columns, rows, sort) {
  const down = sort.startsWith("-");
  const column = columns.find((each) => each.key === (down ? sort.slice(1) : sort));
  if (!column) return rows;
  const order = column.order || column.value; // e.g. severities: by how severe they are
  return rows
    .map((row) => [order(row), row])
    .sort(([one], [other]) => {
      const gaps = Number(isGap(one)) - Number(isGap(other));
      return gaps || (down ? -1 : 1) * compared(one, other);
    })
    .map(([, row]) => row);
}

const isGap = (value) => value === null || value === undefined || value === "";
const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

function compared(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return words.compare(String(one), String(other));
}

export function download(text, name, type = "text/csv;charset=utf-8") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  announce(`${name} is saved`);
}
