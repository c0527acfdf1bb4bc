// States and changes by shape and word, alike on the canvas, in the tree and on the map.

export const STATES = { up: "●", degraded: "▲", down: "✖", missing: "◇", unknown: "○" };
export const CHANGES = { added: "+", gone: "−", changed: "✎", "re-created": "↻" };
const COLOURS = { up: "--good", degraded: "--warn", down: "--bad", missing: "--bad", unknown: "--line-strong" };
const CHANGE_COLOURS = { added: "--good", gone: "--bad", changed: "--warn", "re-created": "--warn" };
const KINDS = {
  network: "--kind-network",
  server: "--kind-server",
  host: "--kind-server",
  volume: "--kind-volume",
  circuit: "--kind-circuit",
  wan_link: "--kind-circuit",
};

const numbers = new Intl.NumberFormat("en"); // one for all: each one takes a while to make
export const written = (number) => numbers.format(number);

/** What a node shows: what would break if something was asked about, else its own state. */
export const stateOf = (node) => node.impact ?? node.state;

/** "✖ down", or "✖ 3 down, ▲ 2 degraded" of a group. */
export function stateWords(node) {
  const counts = node.impact !== undefined ? node.impacts : node.states;
  const known = Object.entries(counts || {}).filter(([word]) => word !== "up");
  if (node.count > 1 && known.length) {
    return known
      .reverse()
      .map(([word, count]) => `${STATES[word]} ${written(count)} ${word}`)
      .join(", ");
  }
  if (node.impact === "unknown") return node.count > 1 ? "" : "○ not affected";
  return `${STATES[stateOf(node)] || "○"} ${stateOf(node)}`;
}

/** "+ 2 added, − 1 gone"; of a resource "+ added". */
export function changeWords(node) {
  const found = Object.entries(node.changes || {});
  return found
    .map(([word, count]) => `${CHANGES[word] || "✎"} ${node.count > 1 ? `${written(count)} ` : ""}${word}`)
    .join(", ");
}

export function kindWords(node) {
  if (node.kind === "more") return "not drawn";
  const kind = (node.resource?.kind || node.kind).replaceAll("_", " ");
  return node.count > 1 ? `${kind} · ${written(node.count)}` : kind;
}

/** A region of an account may have no name. */
export const nameOf = (node) => node.label || (node.kind === "region" ? "(no region)" : `(${node.kind})`);

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim() || "#888";
  return {
    of,
    state: (state) => of(COLOURS[state] || "--line-strong"),
    change: (word) => of(CHANGE_COLOURS[word] || "--warn"),
    kind: (node) => of(node.resource ? KINDS[node.resource.kind] || "--kind-appliance" : "--line-strong"),
  };
}
