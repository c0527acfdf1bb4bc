// One resource: its fields, connections both ways, history, status, metrics and log events.

import { boundsOf, empty, idOf, make, panel, severityOf, stateOf, timeOf } from "../dom.js";
import { bytes, changeOf } from "../change_words.js";
import { plot } from "../plot.js";
import { resourceLink, topologyHref } from "../resource_columns.js";
import { counted, table } from "../table.js";

const SPANS = {
  "1d": ["a day", 86400],
  "7d": ["7 days", 7 * 86400],
  "30d": ["30 days", 30 * 86400],
  all: ["all", null],
};
const LEFT_OUT = new Set(["id", "type", "base.name", "base.last_seen_at", "base.native_portal_link"]);

export async function show(root, params, context) {
  const id = params.get("id");
  const about = { id, account: params.get("account"), type: params.get("type") };
  const found = await context.get("/resource", { ...about, as_of: context.asOf });
  const exactly = { id: found.id, account: found.account, type: found.type };
  const options = { account: found.account, type: found.type, as_of: context.asOf };
  context.same({
    cli: [["inventory", "show", found.id], options],
    request: ["/resource", { id: found.id, ...options }],
  });

  root.append(
    context.heading(
      found.name || found.id,
      found.console_url &&
        make(
          "a",
          { class: "button", href: found.console_url, target: "_blank", rel: "noopener noreferrer" },
          "Provider's console ↗",
        ),
      make("a", { class: "button", href: context.href("trouble", { tab: "impact", ...exactly }) }, "What if it stops?"),
      make("a", { class: "button", href: topologyHref(context, found) }, "In the topology"),
    ),
    facts(found, context),
  );
  if (found.exact === false)
    root.append(
      make("p", { class: "note" }, "Retention has removed the version of that time: this is the one before it."),
    );
  if (found.gone)
    root.append(
      make(
        "p",
        { class: "problem" },
        "It is gone: ",
        boundsOf(found.gone),
        " (UTC). What is shown is the last that was known.",
      ),
    );

  const span = Object.hasOwn(SPANS, params.get("since")) ? params.get("since") : "7d";
  root.append(
    make(
      "div",
      { class: "columns" },
      make("div", {}, panel("Fields", fields(found.document))),
      make("div", {}, panel("Connections", ...connections(found, context)), await historyOf(exactly, params, context)),
    ),
  );
  root.append(
    spanOf(span, context),
    ...(await Promise.all([
      points("status", exactly, span, context, statusOf),
      points("metrics", exactly, span, context, metricsOf),
      points("logs", exactly, span, context, logsOf),
    ])),
  );
}

function facts(found, context) {
  const word = (name, value) => make("span", {}, make("span", { class: "quiet" }, name), value);
  const list = (name, params) => make("a", { href: context.href("resources", params) }, name);
  return make(
    "div",
    { class: "panel facts" },
    word("Id", idOf(found.id)),
    word("Type", list(found.type, { type: found.type })),
    word("State", found.gone ? stateOf("gone") : stateOf(found.state)),
    word("Account", list(found.account, { account: found.account })),
    word("Provider", found.provider),
    word("Family", found.family),
    word("Scope", found.scope ? list(found.scope, { account: found.account, scope: found.scope }) : "–"),
    word("First seen", boundsOf(found.first_seen)),
    word("Last seen", timeOf(found.last_seen)),
    make("span", { class: "quiet" }, "(UTC)"),
  );
}

// --- fields -------------------------------------------------------------------------------------------

/** A document as [path, value]: objects are gone into, lists are values. */
export function flat(document, path = []) {
  const found = [];
  for (const [name, value] of Object.entries(document || {})) {
    const here = [...path, name];
    const deeper = value !== null && typeof value === "object" && !Array.isArray(value);
    if (deeper) found.push(...flat(value, here));
    else if (value !== null && value !== "" && !(Array.isArray(value) && !value.length)) found.push([here, value]);
  }
  return found;
}

const GROUPS = [
  [
    "Details",
    (path) => path[0] === "details" || (path[0] === "base" && path[1] !== "locations"),
    (path) => (path[0] === "details" ? path.slice(2) : path.slice(1)),
  ],
  ["Place", (path) => path[0] === "base", (path) => path.slice(2)],
  ["Tags", (path) => path[0] === "metadata" && path[1] === "provider_metadata", (path) => path.slice(2)],
  ["Provider's own", (path) => path[0] === "metadata", (path) => path.slice(2)],
  ["Other", (path) => path[0] !== "connections", (path) => path],
];

function fields(document) {
  if (!document) return empty("No document is kept of it.");
  const left = flat(document).filter(([path]) => !LEFT_OUT.has(path.join(".")));
  const groups = new Map(GROUPS.map(([title]) => [title, []]));
  for (const [path, value] of left) {
    const group = GROUPS.find(([, holds]) => holds(path));
    if (group) groups.get(group[0]).push([group[2](path).join(" · ") || path.join(" · "), value]);
  }
  return make(
    "div",
    {},
    [...groups]
      .filter(([, rows]) => rows.length)
      .map(([title, rows]) => [
        make("h3", {}, title),
        make(
          "dl",
          { class: "fields" },
          rows.map(([name, value]) =>
            make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, valueOf(name, value))),
          ),
        ),
      ]),
  );
}

function valueOf(name, value) {
  if (Array.isArray(value) && value.some((each) => each !== null && typeof each === "object")) {
    return make(
      "ul",
      { class: "items" },
      value.map((each) => make("li", {}, item(each))),
    );
  }
  const text = Array.isArray(value) ? value.join(", ") : String(value);
  if (typeof value === "number" && /_b$|bytes$/.test(name)) return [text, make("small", {}, ` ${bytes(value)}`)];
  if (typeof value === "number" && /_hz$/.test(name)) return [text, make("small", {}, ` ${value / 1e9} GHz`)];
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(text)) return [timeOf(text), make("small", {}, " UTC")];
  return text;
}

/** An object of a list on one line: each of its fields with its name. */
function item(value) {
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) return JSON.stringify(value);
  return flat(value).map(([path, each]) =>
    make(
      "span",
      {},
      make("small", {}, `${path.join(" ")} `),
      make("bdi", {}, Array.isArray(each) ? JSON.stringify(each) : String(each)),
      " ",
    ),
  );
}

// --- connections --------------------------------------------------------------------------------------

function connections(found, context) {
  const list = (title, items, account) => [
    make("h3", {}, title),
    items.length
      ? make(
          "ul",
          { class: "links" },
          items.map((each) => {
            const row = { account, ...each };
            return make(
              "li",
              {},
              make("span", { class: "tag" }, each.type),
              " ",
              each.known === false
                ? [
                    make("bdi", {}, each.name || each.id),
                    make("span", { class: "state warn" }, " ▲ not in the inventory"),
                  ]
                : resourceLink(context, row),
            );
          }),
        )
      : make("p", { class: "quiet" }, "None."),
  ];
  return [
    ...list("It names", found.connections || [], found.account),
    ...list("Named by", found.connected_from || [], found.account),
  ];
}

// --- history ------------------------------------------------------------------------------------------

async function historyOf(exactly, params, context) {
  const fast = params.has("fast");
  const title = "History";
  const choice = make(
    "label",
    {},
    make("input", {
      type: "checkbox",
      id: "fast",
      checked: fast,
      on: { change: () => context.set({ fast: fast ? null : 1 }) },
    }),
    " also changes of states and counters alone",
  );
  try {
    const { items } = await context.get("/resource/history", { ...exactly, as_of: context.asOf, fast: fast || null });
    const events = eventsOf(items);
    return panel(
      title,
      choice,
      make(
        "p",
        { class: "quiet" },
        `${counted(events.length, "event")}, the newest first; each lies between two polls (UTC).`,
      ),
      make(
        "ol",
        { class: "timeline" },
        events.reverse().map((event) =>
          make(
            "li",
            { class: event.severity || "low" },
            make("span", { class: "when" }, boundsOf(event.when)),
            " ",
            event.what,
            " ",
            event.severity && severityOf(event.severity),
            event.changes.length > 0 &&
              make(
                "ul",
                {},
                event.changes.map((each) => make("li", {}, changeOf(each))),
              ),
          ),
        ),
      ),
    );
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return panel(title, choice, context.problem(error));
  }
}

/** Rows, one a changed field, put together to events: those with the same bounds and word belong together. */
export function eventsOf(rows) {
  const events = [];
  for (const row of rows) {
    const key = JSON.stringify([row.when, row.what]);
    if (!events.length || events.at(-1).key !== key)
      events.push({ key, when: row.when, what: row.what, severity: row.severity, changes: [] });
    if (row.path !== undefined) events.at(-1).changes.push(row);
  }
  return events;
}

// --- status, metrics, logs ----------------------------------------------------------------------------

function spanOf(span, context) {
  return make(
    "div",
    { class: "row" },
    make(
      "label",
      {},
      "Status, metrics and log events of ",
      make(
        "select",
        { id: "since", on: { change: (event) => context.set({ since: event.target.value }) } },
        Object.entries(SPANS).map(([name, [words]]) => make("option", { value: name, selected: name === span }, words)),
      ),
    ),
    make("span", { class: "quiet" }, context.asOf ? "before the time that is shown" : "up to now"),
  );
}

async function points(kind, exactly, span, context, draw) {
  const title = { status: "Status", metrics: "Metrics", logs: "Log events" }[kind];
  const seconds = SPANS[span][1];
  const query = { ...exactly, as_of: context.asOf, since: sinceOf(seconds, span, context) };
  try {
    const { items } = await context.get(`/resource/${kind}`, query);
    if (!items.length) {
      return panel(
        title,
        empty(
          `None ${seconds === null ? "at all" : `in the last ${SPANS[span][0]}`}.`,
          `flexlocal poll --handler ${kind === "status" ? "get_status" : `get_${kind}`} brings them in, where the provider has them.`,
        ),
      );
    }
    return panel(title, draw(items, context));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return panel(title, context.problem(error));
  }
}

/** A span counts back from the time that is shown; a snapshot's label says no time, so all is shown. */
function sinceOf(seconds, span, context) {
  if (seconds !== null && !context.asOf) return span;
  const end = Date.parse(context.asOf || "");
  return seconds === null || Number.isNaN(end) ? "2000-01-01" : new Date(end - seconds * 1000).toISOString();
}

const timeColumn = { key: "time", title: "Time (UTC)", value: (row) => row.time, cell: (row) => timeOf(row.time) };

function otherColumns(rows, known) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) => !known.includes(name));
  return names.map((key) => ({ key, title: key.replaceAll("_", " "), value: (row) => row[key] }));
}

function statusOf(rows, context) {
  const newest = [...rows].reverse();
  return table(
    [
      timeColumn,
      ...otherColumns(rows, ["time", "id", "type", "account", "resource_id", "resource_type"]).map((column) =>
        ["status", "level", "state"].includes(column.key)
          ? { ...column, cell: (row) => stateOf(row[column.key]) }
          : column,
      ),
    ],
    newest,
    {
      context,
      label: "Status",
      name: "status",
      file: "status",
      count: counted(rows.length, "status").replace("statuss", "statuses"),
    },
  );
}

function metricsOf(rows) {
  const series = new Map();
  for (const row of rows) {
    const name = row.metric || row.name;
    const key = `${name}\u0000${row.unit || ""}`;
    if (!series.has(key)) series.set(key, { name, unit: row.unit || "", points: [] });
    if (typeof row.value === "number") series.get(key).points.push(row);
  }
  return make(
    "div",
    { class: "plots" },
    [...series.values()].filter((each) => each.points.length).map((each) => plot(each.name, each.unit, each.points)),
  );
}

function logsOf(rows, context) {
  return table(
    [timeColumn, ...otherColumns(rows, ["time", "id", "type", "account", "resource_id", "resource_type"])],
    [...rows].reverse(),
    { context, label: "Log events", name: "logs", file: "logs", count: counted(rows.length, "log event") },
  );
}
