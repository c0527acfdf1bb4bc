// Polls, and how old each scope is.

import { empty, levelOf, make, panel, replace, stateOf, timeOf } from "../dom.js";
import { counted, table } from "../table.js";
import { span } from "../time.js";

const ORDER = { red: 0, amber: 1, ok: 2 };

export async function show(root, params, context) {
  const query = { account: params.get("account"), family: params.get("family") };
  const [scopes, polls] = await Promise.all([
    context.all("/scopes", query, { most: 10000 }),
    context.get("/polls", { ...query, outcome: params.get("outcome"), limit: 200 }),
  ]);
  context.same({ cli: [["inventory", "scopes"], query], request: ["/scopes", query] });
  root.append(context.heading("Polls and the age of the data", ...(await starter(query, context))));
  if (params.has("account") || params.has("family")) {
    root.append(
      make(
        "p",
        { class: "note" },
        "Only of ",
        make("b", {}, [query.account, query.family].filter(Boolean).join(" ")),
        ". ",
        make("a", { href: context.href("polls") }, "Show all"),
      ),
    );
  }
  if (context.asOf)
    root.append(make("p", { class: "note" }, "Ages and polls are those of now, whatever time is shown elsewhere."));
  root.append(scopesOf(scopes.items, context), pollsOf(polls, context));
}

function scopesOf(scopes, context) {
  if (!scopes.length)
    return empty("Nothing has been polled yet.", "flexlocal poll --account NAME stores what an account has.");
  const count = (level) => scopes.filter((each) => each.level === level).length;
  const rows = [...scopes].sort((one, other) => ORDER[one.level] - ORDER[other.level]);
  const columns = [
    {
      key: "level",
      title: "Age",
      value: (row) => row.age_s,
      order: (row) => ORDER[row.level] * 1e12 - (row.age_s || 0),
      cell: (row) => [levelOf(row.level), row.age_s !== null && row.age_s !== undefined && ` ${span(row.age_s)}`],
    },
    {
      key: "account",
      title: "Account",
      value: (row) => row.account,
      cell: (row) => make("a", { href: context.href("resources", { account: row.account }) }, row.account),
    },
    { key: "family", title: "Family", value: (row) => row.family },
    {
      key: "scope",
      title: "Scope",
      value: (row) => row.scope,
      cell: (row) =>
        row.scope
          ? make(
              "a",
              { href: context.href("resources", { account: row.account, family: row.family, scope: row.scope }) },
              row.scope,
            )
          : "–",
    },
    { key: "provider", title: "Provider", value: (row) => row.provider, hidden: true },
    {
      key: "complete",
      title: "Last complete",
      value: (row) => row.last_complete_at,
      cell: (row) => timeOf(row.last_complete_at),
    },
    {
      key: "run",
      title: "Last poll",
      value: (row) => row.last_run_at,
      cell: (row) => timeOf(row.last_run_at),
      hidden: true,
    },
    {
      key: "interval",
      title: "Every",
      value: (row) => row.interval_s,
      cell: (row) => (row.interval_s ? span(row.interval_s) : make("span", { class: "quiet" }, "unknown")),
    },
    { key: "error", title: "What failed", value: (row) => row.error, cell: (row) => row.error || "" },
  ];
  return panel(
    "Age of each scope",
    make(
      "p",
      { class: "row" },
      Object.entries({ red: "failed", amber: "past two intervals", ok: "fresh" })
        .filter(([level]) => count(level))
        .map(([level, word]) => levelOf(level, `${count(level)} ${word}`)),
    ),
    table(columns, rows, {
      context,
      label: "Scopes",
      name: "scopes",
      file: "scopes",
      count: counted(rows.length, "scope"),
    }),
  );
}

function pollsOf(page, context) {
  if (!page.items.length) return panel("Polls", empty("No poll matches, or none has run yet."));
  const number = (key, title, hidden = false) => ({ key, title, value: (row) => row[key], number: true, hidden });
  const known = [
    { key: "at", title: "At (UTC)", value: (row) => row.ended_at, cell: (row) => timeOf(row.ended_at) },
    {
      key: "account",
      title: "Account",
      value: (row) => row.account,
      cell: (row) => make("a", { href: context.href("polls", { account: row.account }) }, row.account),
    },
    { key: "family", title: "Family", value: (row) => row.family },
    { key: "outcome", title: "Outcome", value: (row) => row.outcome, cell: (row) => stateOf(row.outcome) },
    number("added", "Added"),
    number("changed", "Changed"),
    number("gone", "Gone"),
    { key: "error", title: "What failed", value: (row) => row.error, cell: (row) => row.error || "" },
  ];
  const keys = new Set([...known.map((each) => each.key), "ended_at"]);
  const others = Object.keys(page.items[0])
    .filter((key) => !keys.has(key))
    .map((key) => ({ key, title: key.replaceAll("_", " "), value: (row) => row[key], hidden: true }));
  return panel(
    "Polls",
    table([...known, ...others], page.items, {
      context,
      label: "Polls",
      name: "polls",
      file: "polls",
      count: page.next ? `the newest ${page.items.length}` : counted(page.items.length, "poll"),
    }),
  );
}

/** Buttons that start a poll, where that is allowed. */
async function starter(query, context) {
  if (!context.can("run:polls")) return [];
  const { items } = await context.all("/accounts");
  const account = make(
    "select",
    { id: "poll-account", "aria-label": "Account to poll" },
    items.map((each) =>
      make("option", { value: each.account, selected: each.account === query.account }, each.account),
    ),
  );
  const answer = make("span", { role: "status" });
  const start = make(
    "button",
    {
      type: "button",
      class: "main",
      on: {
        click: async () => {
          start.disabled = true;
          try {
            await context.send("POST", "/polls", { account: account.value, family: query.family || undefined });
            replace(answer, `The poll of ${account.value} has begun: what it brings in is said above.`);
          } catch (error) {
            replace(answer, context.problem(error));
          }
          start.disabled = false;
        },
      },
    },
    "Start a poll",
  );
  return items.length ? [account, start, answer] : [];
}
