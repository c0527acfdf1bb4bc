// The topology: groups that expand where they are, what is around a resource, what breaks, and what changed.

import { announce, make, replace } from "../dom.js";
import { canvas } from "../topology/canvas.js";
import { detailsOf, impactOf } from "../topology/details.js";
import { CHANGES, STATES, nameOf } from "../topology/marks.js";
import { linesOf, linesOfFocus, tree } from "../topology/tree.js";

const COLUMN = 320; // of a focus, as web/focus.py has it
const LONGEST = 500; // characters of an id in an address
let last = null; // the viewport of the last picture, so that a reload of the view does not move it

export async function show(root, params, context) {
  const snapshots = context.get("/snapshots").then(
    (found) => found.items,
    () => [],
  );
  const focused = () => params.get("focus");
  let picture = null;
  let number = 0; // of the newest request

  const stage = make("div", {
    class: "stage",
    id: "stage",
    role: "img",
    "aria-label": "Picture of the topology. The list beside it has the same.",
  });
  const tools = make(
    "div",
    { class: "stage-tools" },
    tool("+", "Zoom in", () => graph.zoom(1.4)),
    tool("−", "Zoom out", () => graph.zoom(1 / 1.4)),
    tool("⤢", "Show all", () => graph.fit()),
    tool("←", "Move left", () => graph.cy.panBy({ x: 80, y: 0 })),
    tool("→", "Move right", () => graph.cy.panBy({ x: -80, y: 0 })),
    tool("↑", "Move up", () => graph.cy.panBy({ x: 0, y: 80 })),
    tool("↓", "Move down", () => graph.cy.panBy({ x: 0, y: -80 })),
  );
  const details = make("section", { class: "panel details", "aria-label": "What is chosen" });
  const impact = make("div");
  const notes = make("div", { class: "notes" });
  const find = make("input", {
    type: "search",
    id: "find",
    value: params.get("find") || "",
    placeholder: "Find in the list",
    "aria-label": "Find in the list",
    on: {
      input: () => {
        context.set({ find: find.value }, { render: false, push: false });
        list.draw(lines());
      },
    },
  });
  const list = tree({ select, open });
  const controls = make("div", { class: "filters topology-controls" });
  const listed = params.get("list") !== "off";
  const side = make(
    "div",
    { class: "side" },
    impact,
    make("div", { class: "panel list-panel" }, find, list.element),
    details,
  );
  root.append(
    context.heading(
      "Topology",
      legend(),
      make(
        "button",
        { type: "button", on: { click: () => context.set({ list: listed ? "off" : null }) } },
        listed ? "Hide the list" : "Show the list",
      ),
    ),
    controls,
    notes,
    make(
      "div",
      { class: listed ? "topology" : "topology alone" },
      make("div", { class: "stage-frame" }, tools, stage),
      side,
    ),
  );
  const graph = canvas(stage, { select, open });
  context.signal.addEventListener("abort", () => {
    last = { of: signature(), ...graph.view() };
    graph.end();
  });
  document.addEventListener("theme", () => picture && graph.repaint(picture), { signal: context.signal });

  const signature = () =>
    JSON.stringify([focused(), params.get("account"), params.get("provider"), stage.clientWidth < 600]);
  const matches = (node) => {
    const wanted = find.value.trim().toLowerCase();
    return (
      !wanted || node.label.toLowerCase().includes(wanted) || (node.resource?.id || "").toLowerCase().includes(wanted)
    );
  };
  const lines = () => (focused() ? linesOfFocus(picture.nodes, matches, COLUMN) : linesOf(picture.nodes, matches));

  /** Parameters of the request for what the URL names. */
  function question() {
    const common = { down: params.getAll("down"), since: params.get("since"), as_of: context.asOf };
    if (focused()) {
      return [
        "/topology/focus",
        {
          id: focused(),
          account: params.get("faccount"),
          type: params.get("ftype"),
          depth: params.get("depth") || 1,
          ...common,
        },
      ];
    }
    return [
      "/topology/groups",
      { expand: params.getAll("expand"), account: params.get("account"), provider: params.get("provider"), ...common },
    ];
  }

  async function load() {
    const mine = ++number;
    stage.setAttribute("aria-busy", "true");
    const found = await context.get(...question());
    if (mine !== number) return;
    stage.removeAttribute("aria-busy");
    picture = { ...found };
    say();
    if (tooMany()) {
      picture = { ...found, nodes: [], edges: [] };
    }
    graph.draw(picture);
    list.draw(lines());
    select(params.get("sel"), false);
    stage.dataset.drawn = String(picture.nodes.length + picture.edges.length);
  }

  const tooMany = () =>
    picture.nodes.some((each) => each.kind === "more" && !each.parent) &&
    !params.get("account") &&
    !params.get("provider") &&
    !params.has("draw");

  function say() {
    const words = [];
    if (tooMany()) {
      words.push(
        make(
          "p",
          { class: "note" },
          "There are more accounts than a picture can show: choose an account or a provider above, or ",
          make(
            "button",
            { type: "button", on: { click: () => context.set({ draw: 1 }) } },
            "draw the first ones all the same",
          ),
        ),
      );
    } else if (!picture.nodes.length) {
      words.push(
        make(
          "p",
          { class: "note" },
          context.asOf
            ? "Nothing had been polled by then."
            : "There is nothing to draw: nothing was polled, or your token sees no account. flexlocal poll --account NAME",
        ),
      );
    }
    for (const each of picture.refused || []) {
      words.push(
        make(
          "p",
          { class: "note" },
          "Not expanded: ",
          make("bdi", {}, each.label),
          `. ${each.why}. `,
          make(
            "button",
            { type: "button", on: { click: () => collapse(each.collapse) } },
            "Collapse ",
            make("bdi", {}, each.collapse_label),
          ),
        ),
      );
    }
    if (picture.edges_left_out)
      words.push(
        make(
          "p",
          { class: "note" },
          `${picture.edges_left_out.toLocaleString("en")} links are not drawn: expand less, or focus on a resource.`,
        ),
      );
    replace(notes, words);
  }

  // --- what is done -------------------------------------------------------------------------------------

  function select(key, moving = true) {
    const known = picture && [...picture.nodes, ...picture.edges].some((each) => each.key === key);
    const chosen = known ? key : null;
    if (picture && (params.get("sel") || null) !== chosen) context.set({ sel: chosen }, { render: false, push: false });
    graph.select(chosen);
    list.select(chosen);
    if (chosen && moving) graph.show(chosen);
    replace(details, detailsOf(chosen, picture, context, { open, focus, stop, select }));
  }

  async function open(key) {
    const keys = params.getAll("expand");
    if (keys.includes(key)) {
      await collapse(key);
      return;
    }
    context.set({ expand: [...keys, key] }, { render: false, push: true });
    await guarded(load);
    const children = picture.nodes.filter((each) => each.parent === key);
    graph.approach(
      key,
      children.map((each) => each.key),
    );
    announce(
      `${nameOf(picture.nodes.find((each) => each.key === key) || { label: "" })} is expanded: ${children.length}`,
    );
  }

  /** With what it holds, so that it is as it was when it is expanded again. */
  async function collapse(key) {
    const within = new Set([key]);
    for (const each of picture.nodes) if (within.has(each.parent)) within.add(each.key);
    context.set({ expand: params.getAll("expand").filter((each) => !within.has(each)) }, { render: false, push: true });
    await guarded(load);
    announce("Collapsed");
  }

  // an id that is too long for an address is named by its key
  const focus = (node) =>
    context.set({
      focus: node.resource.id.length > LONGEST ? node.key : node.resource.id,
      faccount: node.resource.account,
      ftype: node.resource.type,
      sel: node.key,
    });
  const stop = (node) => context.set({ down: node.key, sel: node.key });

  async function guarded(action) {
    try {
      await action();
    } catch (error) {
      if (error.name !== "AbortError") replace(notes, context.problem(error));
    }
  }

  // --- the controls -------------------------------------------------------------------------------------

  async function control() {
    const { items } = await context.all("/accounts");
    const known = await snapshots;
    const choice = (name, label, values, none) =>
      make(
        "label",
        {},
        label,
        make(
          "select",
          { id: `by-${name}`, on: { change: (event) => context.set({ [name]: event.target.value }) } },
          none !== null && make("option", { value: "" }, none),
          values.map(([value, word]) =>
            make("option", { value, selected: String(value) === (params.get(name) || "") }, word),
          ),
        ),
      );
    replace(
      controls,
      focused()
        ? [
            choice(
              "depth",
              "Links far",
              [1, 2, 3, 4].map((each) => [each, `${each}`]),
              null,
            ),
            make(
              "button",
              { type: "button", id: "leave-focus", on: { click: () => leaveFocus() } },
              "Back to the groups",
            ),
          ]
        : [
            items.length > 1 &&
              choice(
                "account",
                "Account",
                items.map((each) => [each.account, each.account]),
                "all",
              ),
            items.length > 1 &&
              choice(
                "provider",
                "Provider",
                [...new Set(items.map((each) => each.provider))].sort().map((each) => [each, each]),
                "all",
              ),
            params.getAll("expand").length > 0 &&
              make("button", { type: "button", on: { click: () => context.set({ expand: null }) } }, "Collapse all"),
          ],
      choice(
        "since",
        "Compare with",
        known.map((each) => [each.label, each.label]),
        known.length ? "nothing" : "no snapshot yet",
      ),
      params.get("since") &&
        make(
          "a",
          { class: "button", href: context.href("changes", { from: params.get("since"), to: context.asOf || "now" }) },
          "As a table",
        ),
    );
  }

  async function leaveFocus() {
    const where = await context.get("/topology/where", {
      id: focused(),
      account: params.get("faccount"),
      type: params.get("ftype"),
      as_of: context.asOf,
    });
    const expand = [...new Set([...params.getAll("expand"), ...where.expand])];
    await context.set({ focus: null, faccount: null, ftype: null, depth: null, expand, sel: where.key });
  }

  // --- the start ----------------------------------------------------------------------------------------

  if (params.has("show")) await reveal();
  await load();
  guarded(control);
  const [path, query] = question();
  context.same({ request: [path, query] });
  if (last && last.of === signature()) graph.restore(last);
  else graph.fit();
  if (params.get("sel")) graph.show(params.get("sel"));
  if (picture.down?.length) {
    const focal = picture.down[0];
    const cli = ["topology", "impact", focal.id];
    context.same({
      cli: [cli, { account: focal.account, type: focal.type, as_of: context.asOf }],
      request: ["/topology/impact", { down: focal.id, account: focal.account, type: focal.type }],
    });
    await guarded(async () => replace(impact, await impactOf(focal, context, () => context.set({ down: null }))));
  }

  /** A resource that another view names: the groups that it is in are expanded. */
  async function reveal() {
    const where = await context.get("/topology/where", {
      id: params.get("show"),
      account: params.get("faccount"),
      type: params.get("ftype"),
      as_of: context.asOf,
    });
    const expand = [...new Set([...params.getAll("expand"), ...where.expand])];
    context.set({ show: null, faccount: null, ftype: null, expand, sel: where.key }, { render: false, push: false });
  }
}

function tool(text, label, action) {
  return make(
    "button",
    { type: "button", class: "icon", "aria-label": label, title: label, on: { click: action } },
    text,
  );
}

function legend() {
  return make(
    "details",
    { class: "menu" },
    make("summary", {}, "Legend"),
    make(
      "div",
      { class: "sheet" },
      make(
        "dl",
        { class: "legend" },
        Object.entries(STATES)
          .filter(([word]) => word !== "missing")
          .map(([word, mark]) => [
            make("dt", { class: `state-${word}` }, mark),
            make(
              "dd",
              {},
              `${word}${{ up: "", degraded: ": dotted border", down: ": double border", unknown: ": no status was polled" }[word]}`,
            ),
          ]),
        Object.entries(CHANGES).map(([word, mark]) => [
          make("dt", {}, mark),
          make("dd", {}, `${word}${word === "gone" ? ": dashed border" : ""}, when compared`),
        ]),
        make("dt", {}, "→"),
        make("dd", {}, "from what depends to what it needs; the number is how many links"),
        make("dt", {}, "•→"),
        make("dd", {}, "with a dot at its start: a link between two accounts; choose it for its evidence"),
      ),
    ),
  );
}
