// Where things are, and the lines between: on outlines of countries, and as tables. What has no place is listed, with why.

import { make, panel, replace, svg } from "../dom.js";
import { table, counted } from "../table.js";
import { STATES } from "../topology/marks.js";
import { landPath } from "../topology/outlines.js";

const WORLD = { x: -180, y: -84, w: 360, h: 144 }; // degrees; the poles are left out
const FULL = 8; // times that a line between the same two places bends before it bends no further
let outlines = null;

export async function show(root, params, context) {
  const [found, land] = await Promise.all([context.get("/map", { as_of: context.asOf }), landOf()]);
  const places = new Map(found.places.map((each) => [each.key, each]));
  const lines = found.lines.map((each, number) => ({ ...each, number }));
  const chosen = params.get("place");
  const only = params.get("state");
  let at = viewOf(params.get("at"), found.places);

  const drawing = svg("svg", {
    role: "group",
    "aria-label": "Map of places and lines. The tables below have the same.",
    preserveAspectRatio: "xMidYMid meet",
  });
  const frame = make(
    "div",
    { class: "stage-frame map-frame" },
    make(
      "div",
      { class: "stage-tools" },
      tool("+", "Zoom in", () => zoom(1 / 1.6)),
      tool("−", "Zoom out", () => zoom(1.6)),
      tool("⤢", "Show all", () => move(viewOf(null, found.places))),
      tool("World", "The whole world", () => move({ ...WORLD })),
      tool("←", "Move left", () => pan(-0.2, 0)),
      tool("→", "Move right", () => pan(0.2, 0)),
      tool("↑", "Move up", () => pan(0, -0.2)),
      tool("↓", "Move down", () => pan(0, 0.2)),
    ),
    drawing,
  );

  function draw() {
    drawing.setAttribute("viewBox", `${at.x} ${at.y} ${at.w} ${at.h}`);
    const unit = at.w / Math.max(320, drawing.clientWidth || 900); // degrees of a pixel
    replace(
      drawing,
      [0, -360, 360].map((right) => svg("path", { class: "map-land", d: land, transform: `translate(${right})` })),
      bent(lines)
        .filter((each) => !only || each.state === only)
        .map((each) => lineOf(each, places, chosen)),
      found.places.map((each) => placeOf(each, unit, chosen, choose)),
    );
  }

  function choose(key) {
    context.set({ place: key === chosen ? null : key });
  }
  function move(to) {
    at = to;
    context.set({ at: [at.x, at.y, at.w].map((each) => each.toFixed(1)).join(",") }, { render: false, push: false });
    draw();
  }
  function zoom(factor) {
    const w = Math.min(420, Math.max(2, at.w * factor));
    const h = (w * at.h) / at.w;
    move({ x: at.x + (at.w - w) / 2, y: at.y + (at.h - h) / 2, w, h });
  }
  const pan = (x, y) => move({ ...at, x: at.x + x * at.w, y: at.y + y * at.h });
  drag(drawing, () => at, move);

  const missing = [...lines, ...found.half, ...found.unplaced.flatMap((each) => each.resources)].filter(
    (each) => each.state === "missing",
  );
  root.append(context.heading("Map"));
  context.same({ request: ["/map", { as_of: context.asOf }] });
  if (missing.length) {
    root.append(
      panel(
        `${counted(missing.length, "WAN link")} missing`,
        make(
          "ul",
          { class: "links", id: "missing" },
          missing.map((each) =>
            make(
              "li",
              {},
              make("span", { class: "state-missing" }, `${STATES.missing} missing `),
              resource(each.resource, context),
              make("div", { class: "quiet" }, each.note || ""),
            ),
          ),
        ),
      ),
    );
  }
  root.append(frame);
  draw();
  if (!found.places.length) root.append(make("p", { class: "note" }, "Nothing has a known place. Below is why."));
  const place = places.get(chosen);
  if (place) {
    root.append(
      panel(
        `At ${place.label}`,
        make(
          "p",
          {},
          `${counted(place.count, "resource")} of ${place.accounts.join(", ")}, at ${place.lat}, ${place.lon}. Source: ${place.source}.`,
          place.labels.length > 1 ? ` Also called ${place.labels.slice(1).join(", ")}.` : "",
        ),
        make("button", { type: "button", on: { click: () => choose(chosen) } }, "Close"),
        make(
          "ul",
          { class: "links impact-rows" },
          place.resources.map((each) => make("li", {}, resource(each, context))),
        ),
        place.count > place.resources.length &&
          make("p", { class: "quiet" }, `and ${place.count - place.resources.length} more`),
      ),
    );
  }
  root.append(
    panel(
      "Lines",
      lineTable(
        lines.filter((each) => !chosen || each.from === chosen || each.to === chosen),
        places,
        context,
      ),
    ),
    panel(
      "Lines of which one end is known",
      table(
        [name(context), ...lineColumns(), { key: "at", title: "At", value: (row) => places.get(row.at)?.label }],
        found.half,
        { context, label: "Lines of which one end is known", name: "half", file: "half-lines" },
      ),
    ),
    panel("Places", placeTable(found.places, context, choose)),
    panel("Not on the map", unplacedTable(found.unplaced, context)),
  );
}

async function landOf() {
  if (!outlines) {
    const answer = await fetch("/static/vendor/countries-110m.json");
    outlines = landPath(await answer.json());
  }
  return outlines;
}

function tool(text, label, action) {
  return make(
    "button",
    { type: "button", class: "icon", "aria-label": label, title: label, on: { click: action } },
    text,
  );
}

/** What the URL names, else all places with some room around them. */
function viewOf(text, places) {
  const [x, y, w] = (text || "").split(",").map(Number);
  if (text && [x, y, w].every(Number.isFinite) && w > 0) return { x, y, w, h: (w * WORLD.h) / WORLD.w };
  if (!places.length) return { ...WORLD };
  const [lons, lats] = [places.map((each) => each.lon), places.map((each) => -each.lat)];
  const [left, right, top, bottom] = [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)];
  const wide = Math.min(360, Math.max(12, (right - left) * 1.25, ((bottom - top) * 1.4 * WORLD.w) / WORLD.h));
  const high = (wide * WORLD.h) / WORLD.w;
  return { x: (left + right - wide) / 2, y: (top + bottom - high) / 2, w: wide, h: high };
}

/** Lines between the same two places bend apart. */
function bent(lines) {
  const seen = new Map();
  return lines.map((each) => {
    const pair = [each.from, each.to].sort().join();
    const number = seen.get(pair) || 0;
    seen.set(pair, number + 1);
    return { ...each, bend: (Math.min(number, FULL) + 1) * 0.06 * (each.from < each.to ? 1 : -1) };
  });
}

function lineOf(line, places, chosen) {
  const [one, other] = [places.get(line.from), places.get(line.to)];
  const [dx, dy] = [other.lon - one.lon, -other.lat + one.lat];
  const middle = [one.lon + dx / 2 - dy * line.bend, -one.lat + dy / 2 + dx * line.bend];
  return svg(
    "path",
    {
      class: `map-line ${line.state}${chosen && [line.from, line.to].includes(chosen) ? " chosen" : ""}`,
      d: `M${one.lon} ${-one.lat}Q${middle[0]} ${middle[1]} ${other.lon} ${-other.lat}`,
    },
    svg("title", {}, `${line.resource.kind.replaceAll("_", " ")} ${line.resource.name}: ${line.state}`),
  );
}

const SHAPES = {
  up: (r) => ["circle", { r }],
  degraded: (r) => ["path", { d: `M0 ${-1.3 * r}L${1.2 * r} ${r}L${-1.2 * r} ${r}Z` }],
  down: (r) => [
    "path",
    { d: `M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`, "stroke-width": r * 0.9, class: "map-cross" },
  ],
  unknown: (r) => ["circle", { r, "fill-opacity": 0.25, "stroke-width": r * 0.4, class: "map-ring" }],
};

function placeOf(place, unit, chosen, choose) {
  const radius = unit * (5 + Math.min(6, Math.log2(place.count + 1)));
  const [shape, attributes] = (SHAPES[place.state] || SHAPES.unknown)(radius * 0.8);
  const words = `${place.label}: ${counted(place.count, "resource")}, ${place.state}`;
  return svg(
    "g",
    {
      class: `map-place ${place.state}${place.key === chosen ? " chosen" : ""}`,
      id: `place-${place.key}`,
      tabindex: "0",
      role: "button",
      "aria-label": words,
      "aria-pressed": String(place.key === chosen),
      transform: `translate(${place.lon} ${-place.lat})`,
      "stroke-width": unit * 1.5,
      on: {
        click: () => choose(place.key),
        keydown: (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          choose(place.key);
        },
      },
    },
    svg("title", {}, words),
    svg(shape, attributes),
    svg("text", { x: radius * 1.2, y: unit * 4, "font-size": unit * 12 }, [...place.label].slice(0, 24).join("")),
  );
}

function drag(drawing, view, move) {
  let from = null;
  drawing.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, y: event.clientY, view: view(), moved: false };
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons) return;
    const scale = from.view.w / drawing.clientWidth;
    const [dx, dy] = [(event.clientX - from.x) * scale, (event.clientY - from.y) * scale];
    if (!from.moved && Math.hypot(event.clientX - from.x, event.clientY - from.y) < 4) return;
    from.moved = true;
    drawing.setAttribute("viewBox", `${from.view.x - dx} ${from.view.y - dy} ${from.view.w} ${from.view.h}`);
    from.to = { ...from.view, x: from.view.x - dx, y: from.view.y - dy };
  });
  for (const name of ["pointerup", "pointerleave"]) {
    drawing.addEventListener(name, () => {
      const { to } = from || {};
      from = null;
      if (to) move(to);
    });
  }
}

// --- tables -------------------------------------------------------------------------------------------

function resource(each, context) {
  return [
    `${each.kind.replaceAll("_", " ")} `,
    make(
      "a",
      { href: context.href("resource", { id: each.id, account: each.account, type: each.type }) },
      make("bdi", {}, each.name),
    ),
    make("small", {}, ` ${each.account}`),
  ];
}

const name = (context) => ({
  key: "name",
  title: "Line",
  value: (row) => row.resource.name,
  cell: (row) => resource(row.resource, context),
});
const state = (word) => make("span", { class: `state-${word}` }, `${STATES[word] || "○"} ${word}`);

function lineColumns() {
  return [
    { key: "state", title: "State", value: (row) => row.state, cell: (row) => state(row.state) },
    { key: "note", title: "Says", value: (row) => row.note },
    { key: "account", title: "Account", value: (row) => row.resource.account, hidden: true },
  ];
}

function lineTable(lines, places, context) {
  const end = (key, title) => ({ key, title, value: (row) => places.get(row[key])?.label });
  return table([name(context), end("from", "From"), end("to", "To"), ...lineColumns()], lines, {
    context,
    label: "Lines",
    name: "lines",
    file: "lines",
  });
}

function placeTable(places, context, choose) {
  return table(
    [
      {
        key: "label",
        title: "Place",
        value: (row) => row.label,
        cell: (row) =>
          make("button", { type: "button", class: "as-link", on: { click: () => choose(row.key) } }, row.label),
      },
      { key: "state", title: "Worst state", value: (row) => row.state, cell: (row) => state(row.state) },
      { key: "count", title: "Resources", value: (row) => row.count, number: true },
      { key: "lat", title: "Latitude", value: (row) => row.lat, number: true },
      { key: "lon", title: "Longitude", value: (row) => row.lon, number: true },
      { key: "source", title: "Source", value: (row) => row.source },
    ],
    places,
    { context, label: "Places", name: "places", file: "places" },
  );
}

function unplacedTable(unplaced, context) {
  return table(
    [
      { key: "account", title: "Account", value: (row) => row.account },
      { key: "kind", title: "Kind", value: (row) => row.kind.replaceAll("_", " ") },
      { key: "count", title: "Resources", value: (row) => row.count, number: true },
      { key: "why", title: "Why", value: (row) => row.why },
      {
        key: "which",
        title: "Which",
        value: (row) => row.resources.map((each) => each.resource.name).join(", "),
        cell: (row) =>
          make(
            "details",
            {},
            make("summary", {}, "Show"),
            make(
              "ul",
              { class: "links" },
              row.resources.map((each) =>
                make(
                  "li",
                  {},
                  resource(each.resource, context),
                  " ",
                  state(each.state),
                  each.note ? ` ${each.note}` : "",
                ),
              ),
            ),
            row.count > row.resources.length &&
              make("p", { class: "quiet" }, `and ${row.count - row.resources.length} more`),
          ),
      },
    ],
    unplaced,
    { context, label: "Not on the map", name: "unplaced", file: "unplaced" },
  );
}
