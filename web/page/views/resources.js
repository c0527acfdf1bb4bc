// All resources, filtered; the filters, columns, sorting and page are in the URL.

import { empty, make } from "../dom.js";
import { resourceColumns } from "../resource_columns.js";
import { counted, table } from "../table.js";

const FILTERS = ["account", "provider", "family", "scope", "type", "state", "name", "tag"];
const PAGE = 1000;

export async function show(root, params, context) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, params.get(name)]));
  const query = {
    ...filters,
    as_of: context.asOf,
    cursor: params.get("cursor"),
    limit: PAGE,
    count: params.has("count") ? true : null,
  };
  const [accounts, page] = await Promise.all([context.all("/accounts"), context.get("/resources", query)]);
  const chosen = Object.values(filters).some(Boolean);
  context.same({
    cli: [["inventory", "list"], { ...filters, as_of: context.asOf }],
    request: ["/resources", { ...filters, as_of: context.asOf }],
  });
  root.append(context.heading("Resources"), form(accounts.items, filters, context));
  if (!page.items.length) {
    root.append(await whyEmpty(context, accounts.items, chosen));
    return;
  }
  root.append(
    table(resourceColumns(context), page.items, {
      context,
      label: "Resources",
      file: "resources",
      count: count(page, params, context),
      also: exportLink(filters, context),
    }),
    pages(page, params, context),
  );
}

function form(accounts, filters, context) {
  const values = (key) => [...new Set(accounts.flatMap((each) => each[key] || []))].sort();
  const apply = () => {
    const given = new FormData(element);
    context.set({
      ...Object.fromEntries(FILTERS.map((name) => [name, given.get(name)?.trim()])),
      cursor: null,
      count: null,
    });
  };
  const select = (name, title, options) =>
    make(
      "label",
      {},
      title,
      make(
        "select",
        { name, id: `filter-${name}`, on: { change: apply } },
        make("option", { value: "" }, "all"),
        [...new Set([...options, filters[name]].filter(Boolean))].map((each) =>
          make("option", { value: each, selected: each === filters[name] }, each),
        ),
      ),
    );
  const text = (name, title, placeholder, list = null) =>
    make(
      "label",
      { class: "wide" },
      title,
      make("input", { name, id: `filter-${name}`, value: filters[name] || "", placeholder, list }),
    );
  const element = make(
    "form",
    {
      class: "filters",
      "aria-label": "Filters",
      on: {
        submit: (event) => {
          event.preventDefault();
          apply();
        },
      },
    },
    select("account", "Account", values("account")),
    select("provider", "Provider", values("provider")),
    select("family", "Family", values("families")),
    select("type", "Type", TYPES),
    text("name", "Name has", "part of a name"),
    text("state", "State", "running", "states"),
    text("scope", "Scope", "region, project, site"),
    text("tag", "Tag", "stage=prod"),
    make(
      "datalist",
      { id: "states" },
      STATES.map((each) => make("option", { value: each })),
    ),
    make("button", { type: "submit", class: "main" }, "Filter"),
    Object.values(filters).some(Boolean) && make("a", { class: "button", href: context.href("resources") }, "Clear"),
  );
  return element;
}

const TYPES = ["appliance", "circuit", "network", "server", "service_offering", "volume"];
const STATES = ["running", "stopped", "error", "terminated", "unknown"];

function count(page, params, context) {
  const rest = page.next || params.has("cursor");
  if (page.total !== undefined && page.total !== null) {
    return `${rest ? `${page.items.length.toLocaleString("en")} of ` : ""}${counted(page.total, "resource")}`;
  }
  if (!rest) return counted(page.items.length, "resource");
  return make(
    "span",
    {},
    page.next ? "over 1,000 resources " : `the last ${counted(page.items.length, "resource")} `,
    make("button", { type: "button", on: { click: () => context.set({ count: 1 }) } }, "Count all"),
  );
}

function pages(page, params, context) {
  if (!page.next && !params.has("cursor")) return "";
  return make(
    "nav",
    { class: "row", "aria-label": "Pages" },
    params.has("cursor") &&
      make("button", { type: "button", on: { click: () => context.set({ cursor: null }) } }, "First page"),
    page.next &&
      make("button", { type: "button", on: { click: () => context.set({ cursor: page.next }) } }, "Next 1,000"),
  );
}

function exportLink(filters, context) {
  const query = new URLSearchParams(
    Object.entries({ ...filters, as_of: context.asOf }).filter(([, value]) => value),
  ).toString();
  return make(
    "a",
    {
      class: "button",
      href: `/api/v1/resources.ndjson${query ? `?${query}` : ""}`,
      download: "resources.ndjson",
      title: "All that match, with whole documents",
    },
    "NDJSON",
  );
}

async function whyEmpty(context, accounts, chosen) {
  if (!accounts.length) {
    const token = context.info.token;
    return token && token.accounts && token.accounts.length === 0
      ? empty("Your token has no right to any account.", "Ask for one that has.")
      : empty("Nothing has been polled yet.", "flexlocal poll --account NAME, or start a poll in the view Polls.");
  }
  const words = chosen ? "Nothing matches these filters" : "There is nothing";
  return make(
    "div",
    {},
    empty(
      `${words}${context.asOf ? ` as of ${context.asOf}` : ""}.`,
      "Scopes that failed may hold what is missing: the view Polls has them.",
      context.asOf ? "It may not have been polled yet then: go back to now." : "Clear a filter, or search.",
    ),
  );
}
