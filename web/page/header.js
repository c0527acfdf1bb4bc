// What is around each view: search, navigation, the time that is shown, the age of the data, the theme, and the keys.

import { activity } from "./api.js";
import { levelOf, make, replace } from "./dom.js";
import * as time from "./time.js";
import { VIEWS } from "./views.js";

const KEYS = [
  ["/", "Search"],
  ["Esc", "Leave the search, close what is open"],
  ["?", "This list"],
  ["t", "Choose the time that is shown"],
  [
    "g then a letter",
    `Go to a view: ${Object.values(VIEWS)
      .filter((each) => each.key)
      .map((each) => `${each.key} ${each.title}`)
      .join(", ")}`,
  ],
  ["Tab, Enter", "Reach and open whatever can be clicked"],
];
const AGES_MS = 60000;

/** Draws the frame once; returns show(view, context), know(info) and refresh(). */
export function header({ href, go, render, can, info, get, logOut }) {
  const field = document.getElementById("q");
  const places = {
    nav: document.getElementById("views"),
    tools: document.getElementById("tools"),
    banner: document.getElementById("banner"),
  };
  if (!field) return { show() {}, know() {}, refresh() {} };
  const age = make("a", { class: "age", href: "/?view=polls" });
  const moment = make("details", { class: "menu moment" });
  const who = make("span", { class: "who" });
  replace(places.tools, moment, age, themeButton(), keysButton(), who);

  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text) go(href("search", { q: text, go: 1 }));
  });

  let next = null; // the age is looked at again
  let current = "";

  /** The age of the data: the worst scope, and the oldest. */
  async function refresh() {
    clearTimeout(next);
    if (!info()) return;
    try {
      const { items: found } = await get("/scopes");
      replace(age, ...ageWords(found));
      age.title = "Polls, and the age of each scope";
    } catch {
      replace(age, levelOf("red", "age unknown"));
    }
    next = setTimeout(refresh, AGES_MS);
  }

  function show(view, context) {
    current = context.asOf || "";
    replace(
      places.nav,
      make(
        "ul",
        {},
        Object.entries(VIEWS)
          .filter(([, each]) => each.title)
          .map(([name, each]) =>
            make("li", {}, make("a", { href: href(name), "aria-current": name === view ? "page" : null }, each.title)),
          ),
      ),
    );
    inSight(places.nav.querySelector("[aria-current]"));
    document.getElementById("brand").href = href("overview");
    age.setAttribute("href", href("polls"));
    if (document.activeElement !== field) field.value = view === "search" ? context.params.get("q") || "" : "";
    banner(context);
    replace(
      moment,
      make("summary", { title: "The time that is shown (t)" }, current ? `As of ${readable(current)}` : "As of now"),
    );
    document.body.classList.toggle("past", Boolean(current));
  }

  function banner(context) {
    if (!current) {
      replace(places.banner);
      return;
    }
    replace(
      places.banner,
      make(
        "div",
        { class: "past-banner" },
        make("strong", {}, "This is the past. "),
        "All panels show what was known as of ",
        make("b", {}, readable(current)),
        /T\d/.test(current) ? " UTC. " : ". ",
        make(
          "button",
          { type: "button", on: { click: () => context.set({ as_of: null, cursor: null }) } },
          "Back to now",
        ),
      ),
    );
  }

  moment.addEventListener("toggle", async () => {
    if (!moment.open) return;
    const picker = make("input", {
      type: "datetime-local",
      id: "as-of",
      value: time.toPicker(current) || time.toPicker(new Date().toISOString()),
    });
    const choices = make("div", { class: "choices" }, make("p", { class: "quiet" }, "Loading snapshots…"));
    const at = (asOf) => {
      const params = new URLSearchParams(location.search);
      params.delete("as_of");
      params.delete("cursor");
      if (asOf) params.set("as_of", asOf);
      const text = params.toString();
      go(text ? `/?${text}` : "/");
    };
    moment.querySelector(".sheet")?.remove();
    moment.append(
      make(
        "form",
        {
          class: "sheet",
          on: {
            submit: (event) => {
              event.preventDefault();
              at(time.fromPicker(picker.value));
            },
          },
        },
        make("label", { for: "as-of" }, "As it was known at (UTC)"),
        make("div", { class: "row" }, picker, make("button", { type: "submit" }, "Show")),
        make(
          "div",
          { class: "row" },
          [
            ["1 h ago", 3600],
            ["1 day ago", 86400],
            ["7 days ago", 7 * 86400],
          ].map(([word, seconds]) =>
            make(
              "button",
              {
                type: "button",
                on: {
                  click: () =>
                    at(
                      new Date(Math.floor(Date.now() / 60000) * 60000 - seconds * 1000)
                        .toISOString()
                        .replace(":00.000Z", "Z"),
                    ),
                },
              },
              word,
            ),
          ),
          make("button", { type: "button", on: { click: () => at(null) } }, "Now"),
        ),
        choices,
      ),
    );
    picker.focus();
    try {
      const { items } = await get("/snapshots");
      replace(
        choices,
        make("p", { class: "quiet" }, items.length ? "Or a snapshot:" : "There is no snapshot yet."),
        items
          .slice(-20)
          .reverse()
          .map((each) =>
            make(
              "button",
              { type: "button", on: { click: () => at(each.label) } },
              each.label,
              each.pinned_at ? " (baseline)" : "",
              " ",
              make("small", {}, time.shown(each.at)),
            ),
          ),
      );
    } catch (error) {
      replace(choices, make("p", { class: "quiet" }, `No snapshots can be read: ${error.message}`));
    }
  });

  /** Who looks. */
  function know(found) {
    const token = found.token;
    replace(
      who,
      found.demo && make("span", { class: "tag" }, "demo"),
      token && [
        make("span", { class: "tag", title: `Scopes: ${(token.scopes || []).join(", ")}` }, token.label),
        make("button", { type: "button", on: { click: logOut } }, "Log out"),
      ],
    );
    refresh();
  }

  keys({ field, go, href, moment });
  slowRequests();
  return { show, know, refresh };
}

/** On a narrow screen the navigation scrolls: to the view that is shown, and the page itself stays. */
function inSight(link) {
  if (!link) return;
  const list = link.closest("ul");
  list.scrollLeft = link.offsetLeft - list.offsetLeft - (list.clientWidth - link.offsetWidth) / 2;
}

const readable = (asOf) => (/^\d{4}-\d\d-\d\dT/.test(asOf) ? time.shown(asOf) : asOf);

/** What the header says of all scopes: the number of those that are old or failed, and the oldest age. */
export function ageWords(scopes) {
  if (!scopes.length) return [levelOf("amber", "nothing polled yet")];
  const level = time.worst(scopes.map((each) => each.level));
  const failed = scopes.filter((each) => each.level === "red").length;
  const old = scopes.filter((each) => each.level === "amber").length;
  const known = scopes.map((each) => each.age_s).filter((each) => each !== null && each !== undefined);
  const words = failed
    ? `${failed} of ${scopes.length} scopes failed`
    : old
      ? `${old} of ${scopes.length} scopes old`
      : `${scopes.length} scopes fresh`;
  return [
    levelOf(level, words),
    known.length > 0 && make("span", { class: "quiet oldest" }, ` oldest ${time.span(Math.max(...known))}`),
  ].filter(Boolean);
}

// --- theme --------------------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");
const THEMES = { auto: "◐", light: "☀", dark: "☾" };

function stored() {
  try {
    const name = localStorage.getItem("theme");
    return Object.hasOwn(THEMES, name) ? name : "auto";
  } catch {
    return "auto"; // storage may be blocked
  }
}

function paint(name = stored()) {
  document.documentElement.dataset.theme = name === "auto" ? (dark.matches ? "dark" : "light") : name;
  document.dispatchEvent(new CustomEvent("theme")); // for what draws on a canvas
}

dark.addEventListener("change", () => paint());
paint();

function themeButton() {
  const button = make("button", {
    type: "button",
    class: "icon",
    on: {
      click: () => {
        const names = Object.keys(THEMES);
        const name = names[(names.indexOf(stored()) + 1) % names.length];
        try {
          localStorage.setItem("theme", name);
        } catch {
          // it holds for this page
        }
        paint(name);
        label(name);
      },
    },
  });
  const label = (name) => {
    replace(button, make("span", { "aria-hidden": "true" }, THEMES[name]));
    button.setAttribute("aria-label", `Theme: ${name}`);
    button.title = `Theme: ${name}`;
  };
  label(stored());
  return button;
}

// --- keys ---------------------------------------------------------------------------------------------

function keysButton() {
  return make(
    "button",
    { type: "button", class: "icon", "aria-label": "Keys", title: "Keys (?)", on: { click: showKeys } },
    "?",
  );
}

function showKeys() {
  const dialog = document.getElementById("keys");
  replace(
    dialog,
    make("h2", { id: "keys-title" }, "Keys"),
    make(
      "dl",
      {},
      KEYS.map(([key, what]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, what)]),
    ),
    make("form", { method: "dialog" }, make("button", { type: "submit" }, "Close")),
  );
  if (!dialog.open) dialog.showModal();
}

function keys({ field, go, href, moment }) {
  let afterG = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.closest?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") {
      const open = event.target.closest?.("details.menu[open]") || document.querySelector("details.menu[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      } else if (event.target === field) {
        field.blur();
        document.getElementById("main").focus({ preventScroll: true });
      }
      return;
    }
    if (typing || document.querySelector("dialog[open]")) return;
    const view = afterG && Object.entries(VIEWS).find(([, each]) => each.key === event.key);
    afterG = event.key === "g";
    if (view) go(href(view[0]));
    else if (event.key === "/") field.select();
    else if (event.key === "?") showKeys();
    else if (event.key === "t") moment.open = true;
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.menu[open]")) {
      if (!open.contains(event.target) && event.target.isConnected) open.open = false;
    }
  });
}

// --- what takes long ----------------------------------------------------------------------------------

function slowRequests() {
  const running = new Map();
  const strip = make("div", { class: "slow", role: "status" });
  document.body.append(strip);
  let timer = null;
  const draw = () => {
    clearInterval(timer);
    if (running.size) timer = setInterval(write, 1000);
    write();
  };
  const write = () =>
    replace(
      strip,
      running.size > 0 && [
        make("progress", { "aria-label": "Waiting for the service" }),
        ` Still working, ${Math.round((Date.now() - Math.min(...[...running.values()].map((each) => each.started))) / 1000)} s `,
        make("button", { type: "button", on: { click: () => running.forEach((each) => each.cancel()) } }, "Cancel"),
      ],
    );
  activity.addEventListener("slow", ({ detail }) => {
    running.set(detail.id, detail);
    draw();
  });
  activity.addEventListener("done", ({ detail }) => {
    if (running.delete(detail.id)) draw();
  });
}
