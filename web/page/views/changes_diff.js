// What differs between two moments, field by field.

import { fieldName, sides } from "../change_words.js";
import { boundsOf, empty, make, severityOf } from "../dom.js";
import { resourceLink } from "../resource_columns.js";
import { counted, table } from "../table.js";
import { fromPicker, interval, shown } from "../time.js";

const SEVERITIES = ["critical", "high", "medium", "low"];

export async function diff(root, params, context) {
  const to = params.get("to") || "now";
  const filters = { account: params.get("account"), type: params.get("type"), slow: params.get("slow") };
  const judged = params.has("judged");
  const { items: snapshots } = await context.all("/snapshots");
  const from = params.get("from") || snapshots.at(-1)?.label || "1d";
  root.append(form(from, to, filters, judged, params, snapshots, context));
  if (context.asOf)
    root.append(
      make("p", { class: "note" }, "A diff has two moments of its own: the time of the banner does not count here."),
    );
  const request = judged
    ? ["/snapshots/compare", { before: from, after: to, ...filters }]
    : ["/diff", { from, to, ...filters }];
  context.same({
    cli: [[judged ? "snapshot" : "inventory", "diff", from, to], { ...filters, slow: Boolean(filters.slow) }],
    request,
  });
  const found = await context.get(...request);
  root.append(...gaps(found));
  const severity = params.get("severity");
  const rows = found.items.filter((row) => !severity || row.severity === severity);
  if (!found.items.length) {
    root.append(
      empty(
        `Nothing differs between ${words(from)} and ${words(to)}.`,
        (found.incomplete || []).length
          ? "Scopes that were not polled completely are named above: what is in them is not known."
          : "Every scope was polled completely at both moments.",
        "Choose an earlier first moment, or clear a filter.",
      ),
    );
    return;
  }
  root.append(chips(found.items, severity, context), differences(rows, context, from, to));
}

const words = (moment) => (/^\d{4}-.*T/.test(moment) ? shown(moment) : moment);

/** What is not known: scopes that failed at one of the moments, versions that retention removed. */
function gaps(found) {
  const open = found.incomplete || [];
  return [
    open.length > 0 &&
      make(
        "div",
        { class: "proof open" },
        make("strong", {}, `${counted(open.length, "scope")} not polled completely: `),
        "what changed there is not known.",
        make(
          "ul",
          {},
          open
            .slice(0, 10)
            .map((each) =>
              make(
                "li",
                {},
                `${each.at ? `${each.at}: ` : ""}${each.account} ${each.family} ${each.scope || ""}: ${each.error || "failed"}`,
              ),
            ),
        ),
      ),
    found.every_version_since &&
      make(
        "p",
        { class: "note" },
        `Every version is kept since ${shown(found.every_version_since)} UTC; some of before were thinned out.`,
      ),
  ].filter(Boolean);
}

function chips(items, severity, context) {
  const number = (word) =>
    new Set(items.filter((row) => row.severity === word).map((row) => `${row.account} ${row.type} ${row.id}`)).size;
  return make(
    "p",
    { class: "row" },
    SEVERITIES.filter((word) => number(word)).map((word) =>
      make(
        "button",
        {
          type: "button",
          id: `severity-${word}`,
          "aria-pressed": String(word === severity),
          on: { click: () => context.set({ severity: word === severity ? null : word }) },
        },
        severityOf(word),
        ` ${counted(number(word), "resource")}`,
      ),
    ),
  );
}

function differences(rows, context, from, to) {
  const side = (row, which) =>
    Object.hasOwn(row, which) ? sides(row.before, row.after, row.path)[which === "before" ? 0 : 1] : "";
  const columns = [
    {
      key: "severity",
      title: "Severity",
      value: (row) => row.severity,
      order: (row) => SEVERITIES.indexOf(row.severity),
      cell: (row) => severityOf(row.severity),
    },
    { key: "what", title: "What", value: (row) => row.what },
    { key: "name", title: "Name", value: (row) => row.name, cell: (row) => resourceLink(context, row) },
    {
      key: "field",
      title: "Field",
      value: (row) => fieldName(row.path),
      cell: (row) => (row.path ? make("code", {}, fieldName(row.path)) : ""),
    },
    {
      key: "before",
      title: "Before",
      value: (row) => side(row, "before"),
      cell: (row) => make("span", { class: "name", dir: "auto" }, side(row, "before")),
    },
    {
      key: "after",
      title: "After",
      value: (row) => side(row, "after"),
      cell: (row) => make("span", { class: "name", dir: "auto" }, side(row, "after")),
    },
    {
      key: "when",
      title: "When (UTC)",
      value: (row) => row.when?.before,
      cell: (row) => (row.when ? boundsOf(row.when, interval) : ""),
      hidden: !rows.some((row) => row.when),
    },
    {
      key: "verdict",
      title: "Verdict",
      value: (row) => row.verdict,
      hidden: !rows.some((row) => row.verdict && row.verdict !== "differs"),
    },
    { key: "reason", title: "Why", value: (row) => row.reason, hidden: !rows.some((row) => row.reason) },
    {
      key: "explanation",
      title: "Explanation",
      value: (row) => row.explanation,
      hidden: !rows.some((row) => row.explanation),
    },
    { key: "type", title: "Type", value: (row) => row.type },
    { key: "scope", title: "Scope", value: (row) => row.scope, hidden: true },
    { key: "account", title: "Account", value: (row) => row.account },
    { key: "id", title: "Id", value: (row) => row.id, hidden: true },
    { key: "former_id", title: "Former id", value: (row) => row.former_id, hidden: !rows.some((row) => row.former_id) },
  ];
  return table(columns, rows, {
    context,
    label: "Differences",
    file: "changes",
    count: `${counted(rows.length, "row")}, one a changed field`,
    also:
      from &&
      make(
        "a",
        { class: "button", href: context.href("topology", { since: from, as_of: to === "now" ? null : to }) },
        "On the graph",
      ),
  });
}

export { differences };

function form(from, to, filters, judged, params, snapshots, context) {
  const choices = make(
    "datalist",
    { id: "moments" },
    ["1h", "1d", "7d", "30d", "now", ...snapshots.map((each) => each.label)].map((each) =>
      make("option", { value: each }),
    ),
  );
  const moment = (name, title, value) => {
    const text = make("input", {
      name,
      id: `diff-${name}`,
      value,
      list: "moments",
      required: true,
      spellcheck: "false",
    });
    const picker = make("input", {
      type: "datetime-local",
      "aria-label": `${title}: choose a time (UTC)`,
      class: "picker",
      on: {
        change: () => {
          if (picker.value) text.value = fromPicker(picker.value);
        },
      },
    });
    return make("div", { class: "moment-field" }, make("label", { class: "wide" }, title, text), picker);
  };
  const element = make(
    "form",
    {
      class: "filters",
      "aria-label": "Moments",
      on: {
        submit: (event) => {
          event.preventDefault();
          const given = new FormData(element);
          context.set({
            from: given.get("from"),
            to: given.get("to"),
            account: given.get("account"),
            type: given.get("type"),
            judged: given.get("judged"),
            slow: given.get("slow"),
            severity: null,
          });
        },
      },
    },
    moment("from", "From: a snapshot, a time, or 1d (ago)", from),
    moment("to", "To", to),
    choices,
    make("label", {}, "Account", make("input", { name: "account", id: "diff-account", value: filters.account || "" })),
    make(
      "label",
      {},
      "Type",
      make("input", { name: "type", id: "diff-type", value: filters.type || "", placeholder: "server" }),
    ),
    make(
      "label",
      { class: "check" },
      make(
        "span",
        {},
        make("input", { type: "checkbox", name: "judged", id: "judged", value: "1", checked: judged }),
        "with the topology and the design",
      ),
    ),
    make(
      "label",
      { class: "check" },
      make(
        "span",
        {},
        make("input", { type: "checkbox", name: "slow", id: "slow", value: "true", checked: Boolean(filters.slow) }),
        "without states and counters alone",
      ),
    ),
    make("button", { type: "submit", class: "main" }, "Compare"),
  );
  return element;
}
