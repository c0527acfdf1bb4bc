// What is known of the chosen node or link, with what can be done about it; and what breaks with it.

import { make } from "../dom.js";
import { STATES, changeWords, kindWords, nameOf, stateWords, written } from "./marks.js";

const MOST = 50; // links that are listed

/** actions: {open, focus, stop, select}. */
export function detailsOf(key, picture, context, actions) {
  const node = picture?.nodes.find((each) => each.key === key);
  const edge = node ? null : picture?.edges.find((each) => each.key === key);
  if (node) return nodeDetails(node, picture, context, actions);
  if (edge) return edgeDetails(edge, picture, actions);
  return [make("p", { class: "quiet" }, "Choose a box or a link, in the picture or in the list.")];
}

function nodeDetails(node, picture, context, actions) {
  const { resource } = node;
  const links = picture.edges.filter((each) => each.from === node.key || each.to === node.key);
  return [
    make("h3", {}, make("bdi", { class: "name" }, nameOf(node))),
    make(
      "p",
      {},
      kindWords(node),
      resource?.role && resource.role !== resource.kind ? ` (${resource.role.replaceAll("_", " ")})` : "",
      ". ",
      stateWords(node),
      changeWords(node) && `. ${changeWords(node)}`,
    ),
    resource &&
      make(
        "p",
        {},
        make("code", { class: "short-id" }, resource.id),
        make("br"),
        make("span", { class: "quiet" }, `${resource.type} of `),
        make("bdi", {}, resource.account),
      ),
    node.kind === "more" &&
      make(
        "p",
        {},
        "These are not drawn. They are in ",
        make("a", { href: context.href("resources", accountOf(node, picture)) }, "the list of resources"),
        ".",
      ),
    make(
      "div",
      { class: "row" },
      node.children > 0 &&
        make(
          "button",
          { type: "button", on: { click: () => actions.open(node.key) } },
          node.expanded ? "Collapse" : `Expand (${written(node.children)})`,
        ),
      resource &&
        make(
          "a",
          {
            class: "button",
            href: context.href("resource", { id: resource.id, account: resource.account, type: resource.type }),
          },
          "Resource page",
        ),
      resource && make("button", { type: "button", on: { click: () => actions.focus(node) } }, "Focus"),
      resource &&
        make("button", { type: "button", id: "stop", on: { click: () => actions.stop(node) } }, "What if this stops?"),
      !resource &&
        node.kind !== "more" &&
        make("a", { class: "button", href: context.href("resources", accountOf(node, picture)) }, "List"),
    ),
    links.length > 0 && [
      make("h3", {}, "Links in this picture"),
      make(
        "ul",
        { class: "links" },
        links.slice(0, MOST).map((each) => linkLine(each, node, picture, actions)),
      ),
      links.length > MOST && make("p", { class: "quiet" }, `and ${links.length - MOST} more`),
    ],
  ];
}

function accountOf(node, picture) {
  let at = node;
  let scope = null;
  while (at) {
    if (at.kind === "region") scope = at.label;
    if (at.kind === "account") return { account: at.label, scope };
    at = picture.nodes.find((each) => each.key === at.parent);
  }
  return {};
}

function linkLine(edge, node, picture, actions) {
  const out = edge.from === node.key;
  const other = picture.nodes.find((each) => each.key === (out ? edge.to : edge.from));
  return make(
    "li",
    {},
    out ? "→ depends on " : "← is needed by ",
    make(
      "button",
      { type: "button", class: "as-link", on: { click: () => actions.select(other.key) } },
      make("bdi", {}, nameOf(other)),
    ),
    make(
      "small",
      {},
      ` ${edge.count > 1 ? `${edge.count} links, ` : ""}${typesOf(edge)}${changeWords({ changes: edge.changes, count: edge.count }) ? ` · ${changeWords({ changes: edge.changes, count: edge.count })}` : ""}`,
    ),
    edge.evidence && make("div", { class: "quiet" }, evidenceWords(edge.evidence)),
  );
}

const typesOf = (edge) => edge.types.join(", ").replaceAll("_", " ");

/** Why two accounts' ends are one link. */
function evidenceWords(evidence) {
  const more = evidence.count > 1 ? `, and ${evidence.count - 1} more` : "";
  return `Between accounts, ${evidence.sure}: ${evidence.what} ${evidence.value}${more}`;
}

function edgeDetails(edge, picture, actions) {
  const ends = [edge.from, edge.to].map((key) => picture.nodes.find((each) => each.key === key));
  const button = (node) =>
    make(
      "button",
      { type: "button", class: "as-link", on: { click: () => actions.select(node.key) } },
      make("bdi", {}, nameOf(node)),
    );
  return [
    make("h3", {}, edge.count > 1 ? `${written(edge.count)} links` : "Link"),
    make("p", {}, button(ends[0]), " depends on ", button(ends[1])),
    make("p", {}, `Types: ${typesOf(edge)}`),
    changeWords({ changes: edge.changes, count: edge.count }) &&
      make("p", {}, changeWords({ changes: edge.changes, count: edge.count })),
    edge.evidence && make("p", {}, evidenceWords(edge.evidence)),
  ];
}

/** What stops with it: servers first, the reasons, and on request what each customer loses. */
export async function impactOf(focal, context, close) {
  const query = { down: focal.id, account: focal.account, type: focal.type, as_of: context.asOf };
  const found = await context.get("/topology/impact", query);
  const servers = found.items.filter((each) => ["server", "host"].includes(each.kind));
  const stopped = servers.filter((each) => each.state === "down");
  const rows = [...servers, ...found.items.filter((each) => !servers.includes(each))];
  const losses = make("div");
  const owner = make("input", {
    id: "owner",
    value: "customer",
    size: "12",
    "aria-label": "Tag that says whose a resource is",
  });
  const line = (row) =>
    make(
      "li",
      {},
      make("span", { class: `state-${row.state}` }, `${STATES[row.state]} ${row.state} `),
      make(
        "a",
        { href: context.href("resource", { id: row.id, account: row.account, type: row.type }) },
        `${row.kind.replaceAll("_", " ")} `,
        make("bdi", {}, row.name),
      ),
      make("div", { class: "quiet" }, row.reason),
    );
  const down = found.items.filter((each) => each.state === "down").length;
  return make(
    "section",
    { class: "panel impact", "aria-labelledby": "impact-title" },
    make(
      "div",
      { class: "table-bar" },
      make("h2", { id: "impact-title" }, "If ", make("bdi", { class: "name" }, focal.name), " stops"),
      make("button", { type: "button", on: { click: close } }, "Close"),
    ),
    make(
      "p",
      { role: "status" },
      make(
        "strong",
        {},
        `${stopped.length} server${stopped.length === 1 ? "" : "s"} stop${stopped.length === 1 ? "s" : ""}`,
      ),
      `, ${servers.length - stopped.length} only weakened. In all: ${down} down, ${found.items.length - down} weakened.`,
    ),
    rows.length > 0 && make("ul", { class: "links impact-rows" }, rows.slice(0, 200).map(line)),
    rows.length > 200 &&
      make("p", { class: "quiet" }, `and ${rows.length - 200} more: the command and the request below give all.`),
    make(
      "form",
      {
        class: "row",
        on: {
          submit: (event) => {
            event.preventDefault();
            customers();
          },
        },
      },
      make("label", { for: "owner" }, "Whose, by the tag "),
      owner,
      make("button", { type: "submit" }, "What customers lose"),
    ),
    losses,
  );

  async function customers() {
    try {
      const lost = await context.get("/topology/customers", { ...query, owner: owner.value });
      losses.replaceChildren(
        lost.items.length
          ? make(
              "ul",
              { class: "links" },
              lost.items.map((each) => make("li", {}, make("strong", {}, each.owner), `: ${each.sentence}`)),
            )
          : make("p", {}, "No customer loses anything."),
      );
    } catch (error) {
      losses.replaceChildren(context.problem(error));
    }
  }
}
