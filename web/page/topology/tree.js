// The same nodes as on the canvas, for the keyboard and for screen readers: role=tree, moved through by arrow keys.

import { make, replace } from "../dom.js";
import { STATES, changeWords, kindWords, nameOf, stateOf, stateWords } from "./marks.js";

/** on: {select(key), open(key): expand or collapse}. Returns {element, draw(picture, words), select(key), focus()}. */
export function tree(on) {
  const element = make("ul", { role: "tree", class: "topology-tree", "aria-label": "What the picture shows" });
  let rows = []; // in the order of the lines: {key, level, node, line}
  let selected = null;

  function draw(lines) {
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    rows = lines.map((each, index) => ({ ...each, index, line: lineOf(each, index) }));
    replace(
      element,
      rows.map((each) => each.line),
    );
    select(selected);
    if (focused) (rowOf(focused) || rows[0])?.line.focus({ preventScroll: true });
  }

  const rowOf = (key) => rows.find((each) => each.key === key);

  function lineOf({ key, level, node, text, size, place }) {
    const can = node && node.children > 0;
    return make(
      "li",
      {
        role: "treeitem",
        tabindex: "-1",
        "aria-level": level,
        "aria-setsize": size,
        "aria-posinset": place,
        "aria-selected": "false",
        "aria-expanded": can ? String(node.expanded) : null,
        class: `level-${Math.min(level, 8)}`,
        data: { key },
        on: { click: (event) => clicked(event, key, can) },
      },
      can && make("span", { class: "twist", "aria-hidden": "true" }, node.expanded ? "▾" : "▸"),
      node
        ? [
            make("span", { class: `mark state-${stateOf(node)}`, "aria-hidden": "true" }, STATES[stateOf(node)] || "○"),
            " ",
            make("bdi", { class: "name" }, nameOf(node)),
            " ",
            make(
              "small",
              {},
              [kindWords(node), stateWords(node).replace(/[●▲✖◇○] /g, ""), changeWords(node)]
                .filter(Boolean)
                .join(" · "),
            ),
          ]
        : make("strong", {}, text),
    );
  }

  function clicked(event, key, can) {
    const again = key === selected;
    if (rowOf(key)?.node) on.select(key);
    if (can && (event.target.classList.contains("twist") || again)) on.open(key);
  }

  function select(key) {
    selected = key;
    for (const each of rows) {
      each.line.setAttribute("aria-selected", String(each.key === key));
      each.line.tabIndex = -1;
    }
    const found = rowOf(key) || rows[0];
    if (!found) return;
    found.line.tabIndex = 0;
    if (key === found.key) reveal(found.line);
  }

  /** Scrolls the tree alone, not the page. */
  function reveal(line) {
    const [top, bottom] = [line.offsetTop - element.offsetTop, line.offsetTop - element.offsetTop + line.offsetHeight];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
  }

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = rowOf(event.target.dataset?.key);
    if (!at) return;
    const next = {
      ArrowDown: () => rows[at.index + 1],
      ArrowUp: () => rows[at.index - 1],
      Home: () => rows[0],
      End: () => rows[rows.length - 1],
      ArrowRight: () => {
        if (!at.node || at.node.expanded) return rows[at.index + 1]?.level > at.level ? rows[at.index + 1] : null;
        if (at.node.children > 0) on.open(at.key);
        return null;
      },
      ArrowLeft: () => {
        if (at.node?.expanded) {
          on.open(at.key);
          return null;
        }
        return rows
          .slice(0, at.index)
          .reverse()
          .find((each) => each.level < at.level);
      },
      Enter: () => enter(at),
      " ": () => enter(at),
    }[event.key];
    if (!next) return;
    event.preventDefault();
    const to = next();
    if (!to) return;
    for (const each of rows) each.line.tabIndex = -1;
    to.line.tabIndex = 0;
    to.line.focus({ preventScroll: true });
    reveal(to.line);
    if (to.node) on.select(to.key);
  });

  function enter(at) {
    if (!at.node) return null;
    on.select(at.key);
    if (at.node.children > 0) on.open(at.key);
    return null;
  }

  return { element, draw, select };
}

/** Lines of groups: each below the one that holds it, groups first, then by name. */
export function linesOf(nodes, matches) {
  const below = new Map();
  for (const node of nodes) below.set(node.parent, [...(below.get(node.parent) || []), node]);
  const words = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const lines = [];
  const add = (parent, level) => {
    const found = (below.get(parent) || []).sort(
      (one, other) =>
        (one.kind === "more") - (other.kind === "more") ||
        (other.children > 0) - (one.children > 0) ||
        words.compare(one.label, other.label),
    );
    found.forEach((node, index) => {
      if (matches(node)) lines.push({ key: node.key, level, node, size: found.length, place: index + 1 });
      add(node.key, level + 1);
    });
  };
  add(null, 1);
  return lines;
}

/** Lines of a focus: by how far each is, and on which side. */
export function linesOfFocus(nodes, matches, width) {
  const columns = new Map();
  for (const node of nodes) {
    const column = Math.round(node.x / width);
    columns.set(column, [...(columns.get(column) || []), node]);
  }
  const lines = [];
  const order = [...columns.keys()].sort((one, other) => Math.abs(one) - Math.abs(other) || other - one);
  order.forEach((column, index) => {
    const far = `${Math.abs(column)} link${Math.abs(column) === 1 ? "" : "s"} far`;
    const text = column === 0 ? "In focus" : column > 0 ? `It depends on, ${far}` : `Depends on it, ${far}`;
    const found = columns.get(column).filter(matches);
    if (!found.length) return;
    lines.push({ key: `column ${column}`, level: 1, node: null, text, size: order.length, place: index + 1 });
    found.forEach((node, at) => lines.push({ key: node.key, level: 2, node, size: found.length, place: at + 1 }));
  });
  return lines;
}
