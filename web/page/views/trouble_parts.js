// The parts of the view Trouble: a question to the topology each, and its rows.

import { empty, make, stateOf, timeOf } from "../dom.js";
import { resourceLink, topologyHref } from "../resource_columns.js";
import { counted, table } from "../table.js";

// --- what is wrong, weak or unproven ---------------------------------------------------------------------

export async function now(root, params, context) {
  const query = { as_of: context.asOf };
  const { items, more } = await rows("now", "/topology/now", query, context);
  root.append(
    intro(
      "By the newest status of each resource, and what follows from it. Causes come first: none of them can be left out.",
    ),
  );
  if (!items.length)
    root.append(
      empty(
        "Nothing is known to be wrong.",
        "Only resources whose status was polled count: flexlocal poll --handler get_status",
      ),
    );
  else {
    root.append(
      list(
        items,
        more,
        "not up",
        [
          { key: "state", title: "State", value: (row) => row.state, cell: (row) => stateOf(row.state) },
          {
            key: "cause",
            title: "Cause",
            value: (row) => (row.cause ? "cause" : "follows"),
            cell: (row) => (row.cause ? make("strong", {}, "◆ cause") : "follows"),
          },
          ...node(context),
          { key: "status", title: "Status", value: (row) => row.status },
          { key: "reason", title: "Why", value: (row) => row.reason },
          {
            key: "since",
            title: "Since (UTC)",
            value: (row) => row.since,
            cell: (row) => (row.since ? timeOf(row.since) : ""),
          },
          ...places,
          look(context),
        ],
        context,
      ),
    );
  }
}

const PROBLEMS = {
  dangling: "leads nowhere",
  ambiguous: "leads to several",
  unproven: "not proven to be one",
  self: "leads to itself",
  duplicate: "twice the same",
};

export async function problems(root, params, context) {
  const query = { as_of: context.asOf, problem: params.get("problem"), account: params.get("account") };
  const { items, more } = await rows("problems", "/topology/problems", query, context);
  root.append(
    intro(
      "Connections that lead nowhere, or not to one place, and links that nothing proves: where a WAN link is missing, too.",
    ),
    choice("problem", "Problem", Object.keys(PROBLEMS), params, context),
    choice("kind", "Kind", [...new Set(items.map((row) => row.kind))].sort(), params, context),
  );
  const kind = params.get("kind");
  const wanted = items.filter((row) => !kind || row.kind === kind);
  if (!wanted.length) root.append(empty("No such problem: every link leads to one place."));
  else {
    root.append(
      list(
        wanted,
        more,
        "problem",
        [
          {
            key: "problem",
            title: "Problem",
            value: (row) => row.problem,
            cell: (row) => ["▲ ", row.problem, make("small", {}, ` ${PROBLEMS[row.problem] || ""}`)],
          },
          ...node(context),
          {
            key: "names",
            title: "Names",
            value: (row) => row.names_id,
            cell: (row) => [
              row.names_type && make("span", { class: "tag" }, row.names_type),
              " ",
              make("code", {}, row.names_id || "–"),
            ],
          },
          { key: "reason", title: "Why", value: (row) => row.reason },
          {
            key: "candidates",
            title: "May be",
            value: (row) => (row.candidates || []).map((each) => each.id).join(", "),
            cell: (row) => (row.candidates || []).map((each) => make("div", {}, resourceLink(context, each))),
          },
          ...places,
          look(context),
        ],
        context,
      ),
    );
  }
}

export async function redundancy(root, params, context) {
  const query = { as_of: context.asOf, since: params.get("since"), every: params.get("every") };
  const { items, more } = await rows("redundancy", "/topology/redundancy", query, context);
  root.append(
    intro("Where one provider is left of several, though nothing is down by it yet."),
    field("since", "Count as lost what was there at (time, snapshot, 1d)", params, context),
    choice("every", "Also what never had more than one", ["true"], params, context),
  );
  if (!items.length)
    root.append(
      empty("Nowhere is one left of several.", "Give a moment above: what is gone since then counts as lost."),
    );
  else {
    root.append(
      list(
        items,
        more,
        "group",
        [
          ...node(context),
          { key: "link_type", title: "Link", value: (row) => row.link_type },
          {
            key: "left",
            title: "Left",
            value: (row) => row.left,
            cell: (row) =>
              make(
                "a",
                { href: context.href("resource", { id: row.left_id, account: row.left_account }) },
                row.left || row.left_id,
              ),
          },
          { key: "lost", title: "Lost", value: (row) => (row.lost || []).join(", ") },
          ...places,
          look(context),
        ],
        context,
      ),
    );
  }
}

export async function spof(root, params, context) {
  const query = { as_of: context.asOf, kind: params.get("kind") };
  const found = await rows("spof", "/topology/spof", { ...query, limit: 1000 }, context);
  root.append(
    intro("What takes others down with it, the worst first."),
    choice("kind", "Kind", KINDS, params, context),
  );
  if (found.tried < found.candidates)
    root.append(
      make(
        "p",
        { class: "note" },
        `${found.tried} of ${found.candidates} candidates were tried, those with the most dependents first.`,
      ),
    );
  if (!found.items.length) root.append(empty("There is no single point of failure."));
  else {
    root.append(
      list(
        found.items,
        found.more,
        "single point",
        [
          ...node(context),
          {
            key: "down",
            title: "Stop with it",
            value: (row) => row.down,
            number: true,
            cell: (row) =>
              make(
                "a",
                { href: context.href("trouble", { tab: "impact", id: row.id, account: row.account, type: row.type }) },
                row.down,
              ),
          },
          { key: "degraded", title: "Weakened", value: (row) => row.degraded, number: true },
          ...places,
          look(context),
        ],
        context,
      ),
    );
  }
}

const KINDS = [
  "appliance",
  "circuit",
  "host",
  "load_balancer",
  "network",
  "router",
  "server",
  "vca",
  "volume",
  "wan_link",
];

// --- what if ------------------------------------------------------------------------------------------

export async function impact(root, params, context) {
  root.append(intro("What stops, and what is only weakened, if this goes down."), resourceForm(params, context));
  if (!params.get("id")) return;
  const query = {
    down: params.get("id"),
    account: params.get("account"),
    type: params.get("type"),
    as_of: context.asOf,
  };
  const { items, more } = await rows(null, "/topology/impact", query, context);
  context.same({
    cli: [["topology", "impact", params.get("id")], { account: query.account, type: query.type, as_of: context.asOf }],
    request: ["/topology/impact", query],
  });
  const down = items.filter((row) => row.state === "down").length;
  root.append(
    make(
      "p",
      {},
      make("strong", {}, `${down} stop, ${items.length - down} are only weakened. `),
      make(
        "a",
        {
          href: topologyHref(
            context,
            { id: query.down, account: query.account, type: query.type },
            { down: query.down, depth: 3 },
          ),
        },
        "Show it in the topology",
      ),
      " · ",
      make(
        "a",
        {
          href: context.href("trouble", { tab: "customers", id: query.down, account: query.account, type: query.type }),
        },
        "Which customers",
      ),
    ),
  );
  if (!items.length)
    root.append(
      empty(
        "Nothing depends on it, as far as links are known.",
        "What is not known counts as up: the part “Missing links” lists what may be missing.",
      ),
    );
  else {
    root.append(
      list(
        items,
        more,
        "resource",
        [
          { key: "state", title: "State", value: (row) => row.state, cell: (row) => stateOf(row.state) },
          ...node(context),
          { key: "distance", title: "Distance", value: (row) => row.distance, number: true },
          { key: "reason", title: "Why", value: (row) => row.reason },
          {
            key: "via",
            title: "By way of",
            value: (row) => row.via,
            cell: (row) =>
              row.via_id ? make("a", { href: context.href("resource", { id: row.via_id }) }, row.via) : row.via || "",
          },
          ...places,
        ],
        context,
      ),
    );
  }
}

export async function customers(root, params, context) {
  const owner = params.get("owner") || "";
  root.append(
    intro(
      "What each customer loses if this goes down, with the sentence to send: by the value of a tag, or of another key of the metadata.",
    ),
    resourceForm(
      params,
      context,
      make(
        "label",
        {},
        "Key of the customer",
        make("input", {
          name: "owner",
          id: "owner",
          value: owner,
          required: true,
          placeholder: "stage, tenant_id, customer",
        }),
      ),
    ),
  );
  if (!params.get("id") || !owner) return;
  const query = {
    down: params.get("id"),
    owner,
    account: params.get("account"),
    type: params.get("type"),
    as_of: context.asOf,
  };
  const { items, more } = await rows(null, "/topology/customers", query, context);
  context.same({
    cli: [
      ["topology", "impact", params.get("id")],
      { owner, account: query.account, type: query.type, as_of: context.asOf },
    ],
    request: ["/topology/customers", query],
  });
  if (!items.length)
    root.append(
      empty(
        "No customer loses anything, or none is known under this key.",
        "Try another key, such as stage, tenant_id, project_id or customer-name.",
      ),
    );
  else {
    root.append(
      list(
        items,
        more,
        "customer",
        [
          { key: "owner", title: "Customer", value: (row) => row.owner, cell: (row) => make("bdi", {}, row.owner) },
          { key: "down", title: "Stop", value: (row) => row.down.length, number: true },
          { key: "degraded", title: "Weakened", value: (row) => row.degraded.length, number: true },
          { key: "sentence", title: "To send", value: (row) => row.sentence },
          {
            key: "resources",
            title: "Which",
            value: (row) => row.down.map((each) => each.name).join(", "),
            cell: (row) =>
              [...row.down, ...row.degraded].slice(0, 12).map((each) => make("div", {}, resourceLink(context, each))),
          },
        ],
        context,
      ),
    );
  }
}

export async function cliques(root, params, context) {
  root.append(
    intro("What a resource runs on, its networks, what uses it, and whether all of it is up."),
    resourceForm(params, context),
  );
  if (!params.get("id")) return;
  const query = { id: params.get("id"), account: params.get("account"), type: params.get("type"), as_of: context.asOf };
  context.same({
    cli: [["topology", "clique", query.id], { account: query.account, type: query.type, as_of: context.asOf }],
    request: ["/topology/cliques", query],
  });
  const clique = await context.get("/topology/cliques", query);
  const health = Object.entries(clique.health || {})
    .filter(([, count]) => count)
    .map(([state, count]) => [stateOf(state), ` ${count}  `]);
  root.append(
    make(
      "p",
      {},
      make("strong", {}, `${counted(clique.nodes.length, "resource")}, ${counted(clique.links.length, "link")}: `),
      health,
    ),
    clique.truncated && make("p", { class: "note" }, "There is more than this type of clique has at most."),
    list(
      clique.nodes,
      false,
      "resource",
      [
        ...node(context),
        { key: "state", title: "State", value: (row) => row.state, cell: (row) => stateOf(row.state) },
        ...places,
        look(context),
      ],
      context,
    ),
  );
}

export async function path(root, params, context) {
  const input = (name, title) =>
    make(
      "label",
      { class: "wide" },
      title,
      make("input", { name, id: `path-${name}`, value: params.get(name) || "", required: true }),
    );
  const form = make(
    "form",
    {
      class: "filters",
      on: {
        submit: (event) => {
          event.preventDefault();
          const given = new FormData(form);
          context.set({ from: given.get("from").trim(), to: given.get("to").trim() });
        },
      },
    },
    input("from", "From (id or name)"),
    input("to", "To (id or name)"),
    make("button", { type: "submit", class: "main" }, "Find the path"),
  );
  root.append(intro("The shortest path between two resources."), form);
  if (!params.get("from") || !params.get("to")) return;
  const query = { from: params.get("from"), to: params.get("to"), as_of: context.asOf };
  context.same({
    cli: [["topology", "path", query.from, query.to], { as_of: context.asOf }],
    request: ["/topology/path", query],
  });
  let found = { items: [] };
  try {
    found = await rows(null, "/topology/path", query, context);
  } catch (error) {
    if (error.status !== 404 || !error.detail.endsWith("no path")) throw error;
  }
  const { items, more } = found;
  if (!items.length)
    root.append(empty("There is no path.", "The part “Missing links” lists connections that lead nowhere."));
  else {
    root.append(
      list(
        items,
        more,
        "step",
        [
          { key: "step", title: "Step", value: (row) => row.step, number: true },
          ...node(context),
          { key: "link_type", title: "Link", value: (row) => row.link_type },
          {
            key: "evidence",
            title: "Evidence",
            value: (row) => (row.evidence ? `${row.evidence.what} ${row.evidence.value} (${row.evidence.sure})` : ""),
          },
          ...places,
          look(context),
        ],
        context,
      ),
    );
  }
}

// --- what they share ----------------------------------------------------------------------------------

async function rows(command, address, query, context) {
  const { every, limit, ...options } = query;
  if (command)
    context.same({ cli: [["topology", command], { ...options, all: Boolean(every) }], request: [address, query] });
  const found = await context.get(address, query);
  return { ...found, more: Boolean(found.next) };
}

const intro = (text) => make("p", { class: "quiet" }, text);

const node = (context) => [
  { key: "name", title: "Name", value: (row) => row.name, cell: (row) => resourceLink(context, row) },
  { key: "kind", title: "Kind", value: (row) => row.kind },
];

const places = [
  { key: "account", title: "Account", value: (row) => row.account },
  { key: "id", title: "Id", value: (row) => row.id, hidden: true },
  { key: "provider", title: "Provider", value: (row) => row.provider, hidden: true },
];

const look = (context) => ({
  key: "look",
  title: "Topology",
  value: () => "",
  cell: (row) =>
    make("a", { href: topologyHref(context, row), "aria-label": `${row.name || row.id} in the topology` }, "show"),
});

const list = (items, more, what, columns, context) =>
  table(columns, items, {
    context,
    label: what,
    file: what.replaceAll(" ", "-"),
    count: more ? "over 1,000" : what === "not up" ? `${items.length} not up` : counted(items.length, what),
  });

function choice(name, title, options, params, context) {
  const value = params.get(name) || "";
  return make(
    "label",
    { class: "inline" },
    `${title} `,
    make(
      "select",
      { id: `choice-${name}`, on: { change: (event) => context.set({ [name]: event.target.value }) } },
      make("option", { value: "" }, options.length === 1 ? "no" : "all"),
      [...new Set([...options, value].filter(Boolean))].map((each) =>
        make("option", { value: each, selected: each === value }, options.length === 1 ? "yes" : each),
      ),
    ),
  );
}

function field(name, title, params, context) {
  return make(
    "label",
    { class: "inline" },
    `${title} `,
    make("input", {
      id: `field-${name}`,
      value: params.get(name) || "",
      on: { change: (event) => context.set({ [name]: event.target.value.trim() }) },
    }),
  );
}

function resourceForm(params, context, ...more) {
  const input = (name, title, needed = false) =>
    make(
      "label",
      { class: needed ? "wide" : null },
      title,
      make("input", { name, id: `of-${name}`, value: params.get(name) || "", required: needed }),
    );
  const form = make(
    "form",
    {
      class: "filters",
      on: {
        submit: (event) => {
          event.preventDefault();
          context.set(Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()])));
        },
      },
    },
    input("id", "Resource: id, name or address", true),
    input("account", "Account"),
    input("type", "Type"),
    ...more,
    make("button", { type: "submit", class: "main" }, "Show"),
  );
  return form;
}
