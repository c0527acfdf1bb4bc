// What was pasted: straight to the resource if it is one, else all that match, or the proof that it is nowhere.

import { boundsOf, empty, make } from "../dom.js";
import { resourceColumns } from "../resource_columns.js";
import { counted, table } from "../table.js";
import { interval } from "../time.js";

const FIRST = 200; // hits: what is read at once
const MOST = 1000;

export async function show(root, params, context) {
  const q = (params.get("q") || "").trim();
  if (!q) {
    root.append(
      context.heading("Search"),
      empty(
        "Nothing to search for.",
        "Press / and type or paste an id, a name, an address, a MAC, an ARN, or tag=value.",
      ),
    );
    return;
  }
  const filters = { account: params.get("account"), type: params.get("type"), as_of: context.asOf };
  const found = await context.get("/search", { q, ...filters, limit: params.has("more") ? MOST : FIRST });
  if (found.exact && params.has("go")) {
    context.set({ go: null }, { render: false, push: false }); // "back" leads to the list
    const { account, type, id } = found.exact;
    await context.go("resource", { id, account, type });
    return;
  }
  context.same({ cli: [["inventory", "search", q], filters], request: ["/search", { q, ...filters }] });
  root.append(context.heading(`Search: ${q.length > 200 ? `${q.slice(0, 200)}…` : q}`));
  const own = found.items.filter((each) => each.by !== "network");
  if (!own.length) root.append(proof(found, q, context));
  if (!found.items.length) return;
  if (!own.length) root.append(make("p", {}, "These networks hold it:"));
  const columns = resourceColumns(context);
  columns.splice(
    2,
    0,
    { key: "by", title: "Found by", value: (row) => row.by },
    { key: "value", title: "Value", value: (row) => row.value },
    { key: "where", title: "Where", value: (row) => row.where.map(fieldWords).join(", ") },
    {
      key: "has_since",
      title: "Has it since",
      value: (row) => row.since?.before,
      cell: (row) => boundsOf(row.since, interval),
      hidden: true,
    },
  );
  root.append(
    table(columns, found.items, {
      context,
      label: `What ${q.slice(0, 80)} finds`,
      file: "search",
      also: found.more && !params.has("more") && moreHits(context),
      count: found.more ? `over ${found.items.length.toLocaleString("en")} hits` : counted(found.items.length, "hit"),
    }),
  );
}

const moreHits = (context) =>
  make(
    "button",
    { type: "button", on: { click: () => context.set({ more: "1" }) } },
    `Up to ${MOST.toLocaleString("en")}`,
  );

export const fieldWords = (path) =>
  String(path)
    .split("/")
    .filter((part) => part && part !== "*")
    .slice(-2)
    .join(" ");

/** "nowhere" with its proof, or in how many scopes it is not and why the others are not known. */
export function proof(found, q, context) {
  const open = found.sources_incomplete;
  const complete = found.sources_complete;
  const all = complete + open.length;
  const what = q.length > 120 ? `${q.slice(0, 120)}…` : q;
  if (!all)
    return empty(
      `Nothing has been polled${context.asOf ? " by then" : " yet"}, so nothing is known of ${what}.`,
      "flexlocal poll --account NAME",
    );
  if (!open.length) {
    return make(
      "div",
      { class: "proof", role: "status" },
      make("strong", {}, "Nowhere. "),
      make("bdi", {}, what),
      ` is in none of ${counted(all, "scope")}: the last poll of each was complete.`,
      found.proof && make("span", { class: "quiet" }, ` (${found.proof})`),
      make(
        "p",
        { class: "quiet" },
        "Ids, addresses, tags and names were searched. Other fields: flexlocal inventory search --by field",
      ),
    );
  }
  return make(
    "div",
    { class: "proof open", role: "status" },
    make("strong", {}, `Not in ${complete} of ${all} scopes. `),
    make("bdi", {}, what),
    " may be in what could not be read:",
    make(
      "ul",
      {},
      open.map((each) =>
        make("li", {}, `${each.account} ${each.family} ${each.scope || ""}: ${each.reason || "failed"}`),
      ),
    ),
  );
}
