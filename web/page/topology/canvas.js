// The picture on a canvas. Every place is the server's: nothing is laid out here, and nothing can be dragged away.

import cytoscape from "../vendor/cytoscape.esm.min.mjs";
import { make } from "../dom.js";
import { changeWords, colours, kindWords, nameOf, stateOf, stateWords, written } from "./marks.js";

const LEGIBLE = 70; // pixels: what is expanded is shown so large that its boxes are at least so wide
const VISIBLE = 18; // pixels: what is chosen is wider
const MARGIN = 24;
const ARROW = 29; // Cytoscape's size of an arrow of a thin line
const SHEET = "__________cytoscape_stylesheet";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Draws into an element that is in the document. on: {select(key or null), open(key)}. Returns draw(picture), select(key),
 * fit(), zoom(factor), show(key), view() and restore(view), end().
 */
export function canvas(element, on) {
  // Cytoscape adds a style element unless it finds its id; style.css has the rule, since the page allows no such element
  if (!document.getElementById(SHEET)) document.head.append(make("meta", { id: SHEET }));
  const cy = cytoscape({
    container: element,
    elements: [],
    layout: { name: "preset" },
    style: styleOf(colours()),
    autoungrabify: true,
    boxSelectionEnabled: false,
    selectionType: "single",
    pixelRatio: "auto",
    textureOnViewport: false,
    hideEdgesOnViewport: false,
    minZoom: 0.001,
    maxZoom: 200,
  });
  let selected = null;

  // where one looks, for whoever can't see it
  cy.on("viewport", () => {
    const { x, y } = cy.pan();
    element.dataset.view = [cy.zoom(), x, y].map((each) => each.toFixed(3)).join(" ");
  });
  cy.on("tap", (event) => {
    if (event.target === cy) {
      on.select(null);
      return;
    }
    const key = event.target.id();
    const node = event.target.data("node");
    const again = key === selected;
    on.select(key);
    if (node && node.children > 0 && (!node.expanded || again)) on.open(key);
  });

  function draw(picture) {
    const paint = colours();
    cy.batch(() => {
      cy.elements().remove();
      cy.add(elementsOf(picture, paint));
    });
    select(selected);
  }

  function select(key) {
    selected = key;
    cy.batch(() => {
      cy.elements(".chosen, .near").removeClass("chosen near");
      const found = key ? cy.getElementById(key) : cy.collection();
      found.addClass("chosen");
      if (found.isNode && found.nonempty() && found.isNode()) found.connectedEdges().addClass("near");
    });
  }

  const box = (key) => cy.getElementById(key);
  const move = (to) =>
    calm.matches ? cy.fit(to, MARGIN) : cy.animate({ fit: { eles: to, padding: MARGIN }, duration: 160, queue: false });

  return {
    draw,
    select,
    fit: () => cy.fit(undefined, MARGIN),
    zoom: (factor) =>
      cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } }),
    /** Brings a group so near that what it holds can be read; what can be read already stays where it is. */
    approach(key, children) {
      const widths = children.map((each) => box(each).renderedWidth()).filter(Boolean);
      if (widths.length && Math.min(...widths) < LEGIBLE) move(box(key));
    },
    /** Moves only if it is out of sight, or too small to see. */
    show(key) {
      const found = box(key).isNode?.() ? box(key) : box(key).connectedNodes();
      if (found.empty()) return;
      const small = found.renderedWidth() < VISIBLE;
      const at = found.renderedPosition();
      if (small) move(box(found.data("node").parent || key).union(found));
      else if (at.x < 0 || at.y < 0 || at.x > cy.width() || at.y > cy.height()) cy.center(found);
    },
    view: () => ({ zoom: cy.zoom(), pan: { ...cy.pan() }, width: cy.width() }),
    restore: (view) => cy.viewport(view),
    repaint(picture) {
      cy.style(styleOf(colours()));
      draw(picture);
    },
    end: () => cy.destroy(),
    cy,
  };
}

function elementsOf(picture, paint) {
  const open = new Set(picture.nodes.filter((each) => each.parent).map((each) => each.parent));
  const nodes = new Map(picture.nodes.map((each) => [each.key, each]));
  const found = picture.nodes.map((node) => {
    node.expanded = open.has(node.key);
    return nodeOf(node, paint, nodes);
  });
  for (const edge of picture.edges) found.push(edgeOf(edge, picture, paint, nodes));
  return found;
}

function depthOf(node, nodes) {
  let depth = 0;
  for (let above = nodes.get(node.parent); above; above = nodes.get(above.parent)) depth += 1;
  return depth;
}

function nodeOf(node, paint, nodes) {
  const size = node.expanded ? node.h * 0.06 : Math.min(node.h / 5, node.w / 15);
  const cells = Math.floor((node.w * 0.94) / (size * 0.58));
  const words = [stateWords(node), changeWords(node)].filter(Boolean);
  const lines = node.expanded
    ? [cut(`${nameOf(node)} · ${kindWords(node)}${words.length ? ` · ${words.join(", ")}` : ""}`, cells)]
    : [cut(nameOf(node), cells), cut(kindWords(node), cells), ...words.map((each) => cut(each, cells))];
  const change = node.count === 1 || node.resource ? Object.keys(node.changes || {})[0] : null;
  const state = stateOf(node);
  const affected = node.impact === undefined || node.impact !== "unknown";
  return {
    group: "nodes",
    data: {
      id: node.key,
      node,
      w: node.w,
      h: node.h,
      size,
      text: lines.join("\n"),
      line: change ? paint.change(change) : affected && state !== "unknown" ? paint.state(state) : paint.kind(node),
      border: node.expanded
        ? node.h * 0.005
        : Math.min(node.w, node.h) * (state === "down" || change ? 0.035 : state === "degraded" ? 0.025 : 0.012),
      shape:
        node.kind === "more"
          ? "cut-rectangle"
          : node.resource && node.resource.kind !== "network"
            ? "round-rectangle"
            : "rectangle",
      dash:
        change === "gone" || node.kind === "more"
          ? "dashed"
          : state === "degraded"
            ? "dotted"
            : state === "down"
              ? "double"
              : "solid",
      dim: affected ? 1 : 0.55,
      top: node.expanded ? node.h * 0.09 : 0,
      pad: node.h * 0.04,
      z: 2 * depthOf(node, nodes),
    },
    classes: node.expanded ? "open" : node.children > 0 ? "group" : node.kind,
    position: { x: node.x, y: node.y },
  };
}

function edgeOf(edge, picture, paint, nodes) {
  const ends = [nodes.get(edge.from), nodes.get(edge.to)];
  const small = Math.min(...ends.map((each) => each.h));
  const change = Object.keys(edge.changes || {})[0];
  const hit = ends.every((each) => each.impact && each.impact !== "unknown");
  return {
    group: "edges",
    data: {
      id: edge.key,
      edge,
      source: edge.from,
      target: edge.to,
      w: small * (0.012 + 0.008 * Math.log2(edge.count)) * (hit ? 2 : 1),
      size: small * 0.12,
      arrow: (small * (picture.focus ? 0.25 : 0.11)) / ARROW,
      z: 2 * Math.max(...ends.map((each) => depthOf(each, nodes))) - 1, // above the boxes that hold the ends, below what these hold
      text: change
        ? `${changeWords({ changes: edge.changes, count: edge.count })}`
        : edge.count > 1
          ? written(edge.count)
          : "",
      line: change
        ? paint.change(change)
        : hit
          ? paint.of("--bad")
          : edge.evidence
            ? paint.of("--accent")
            : paint.of("--line-strong"),
      dash: change === "gone" ? "dashed" : "solid",
      start: edge.evidence ? "circle" : "none",
    },
  };
}

/** By code points, so that no character is torn; what controls the direction of text is left out. */
function cut(text, most) {
  const plain = text.replace(/[\u0000-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, " ");
  const points = [...plain];
  return points.length <= most ? plain : `${points.slice(0, Math.max(1, most - 1)).join("")}…`;
}

function styleOf(paint) {
  return [
    {
      selector: "node",
      style: {
        width: "data(w)",
        height: "data(h)",
        shape: "data(shape)",
        "background-color": paint.of("--raised"),
        "background-opacity": 1,
        "border-width": "data(border)",
        "border-color": "data(line)",
        "border-style": "data(dash)",
        opacity: "data(dim)",
        label: "data(text)",
        "font-size": "data(size)",
        "font-family": "system-ui, DejaVu Sans, sans-serif",
        color: paint.of("--text"),
        "text-valign": "center",
        "text-halign": "center",
        "text-wrap": "wrap",
        "text-max-width": 1e6,
        "line-height": 1.2,
        "min-zoomed-font-size": 5,
        "z-index": "data(z)",
        "z-index-compare": "manual",
        "overlay-opacity": 0,
      },
    },
    {
      selector: "node.open",
      style: {
        "background-color": paint.of("--panel"),
        "background-opacity": 0.75,
        "text-valign": "top",
        "text-margin-y": "data(top)",
        "border-style": "solid",
      },
    },
    { selector: "node.more", style: { color: paint.of("--quiet"), "background-opacity": 0.4 } },
    {
      selector: "node.chosen",
      style: { "underlay-color": paint.of("--accent"), "underlay-opacity": 0.5, "underlay-padding": "data(pad)" },
    },
    {
      selector: "edge",
      style: {
        width: "data(w)",
        "line-color": "data(line)",
        "line-style": "data(dash)",
        "curve-style": "straight",
        "target-arrow-shape": "triangle",
        "target-arrow-color": "data(line)",
        "source-arrow-shape": "data(start)",
        "source-arrow-color": "data(line)",
        "arrow-scale": "data(arrow)",
        "z-index": "data(z)",
        "z-index-compare": "manual",
        label: "data(text)",
        "font-size": "data(size)",
        "min-zoomed-font-size": 8,
        color: paint.of("--text"),
        "text-background-color": paint.of("--panel"),
        "text-background-opacity": 0.85,
        "text-background-padding": 1,
        "overlay-opacity": 0,
      },
    },
    {
      selector: "edge.near, edge.chosen",
      style: {
        "line-color": paint.of("--accent"),
        "target-arrow-color": paint.of("--accent"),
        "source-arrow-color": paint.of("--accent"),
        "z-index": 60,
      },
    },
  ];
}
