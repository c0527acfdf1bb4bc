// The page: which view is shown, by the URL; what is around it; keys; the time that is shown.

import * as api from "./api.js";
import { command } from "./csv.js";
import { announce, copyButton, make, replace } from "./dom.js";
import { header } from "./header.js";
import { follow } from "./live.js";
import { START, VIEWS } from "./views.js";

const main = document.getElementById("main");
const same = document.getElementById("same");
const HOLD_MS = 250; // so long the old rows of a view stay, so that it does not flicker

let info = null; // GET /info
let shownView = null;
let shownSearch = null;
let leaving = new AbortController(); // of the requests of the view that is shown
let wanted = 0; // number of the newest rendering

// --- addresses ----------------------------------------------------------------------------------------

function here() {
  const params = new URLSearchParams(location.search);
  const view = params.get("view") || START;
  params.delete("view");
  return { view: Object.hasOwn(VIEWS, view) ? view : START, params };
}

/** The address of a view, at the time that is shown unless the parameters name one. */
function href(view, params = {}) {
  const query = new URLSearchParams();
  if (view !== START) query.set("view", view);
  const asOf = here().params.get("as_of");
  for (const [name, value] of Object.entries(asOf ? { as_of: asOf, ...params } : params)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "" && each !== false) query.append(name, each);
    }
  }
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

function go(address, { replace: instead = false } = {}) {
  history[instead ? "replaceState" : "pushState"](null, "", address);
  return render();
}

// --- views --------------------------------------------------------------------------------------------

/** What a view gets besides its root and parameters. */
function contextOf(view, params, signal) {
  return {
    info,
    view,
    params,
    signal, // aborted when the view is left
    asOf: params.get("as_of"),
    now: () => Date.now(),
    get: (path, query) => api.get(path, query, { signal }),
    all: (path, query, options) => api.all(path, query, { signal, ...options }),
    send: (method, path, body) => api.send(method, path, body, { signal }),
    /** Whether the token (or its absence, on loopback) allows this scope, such as "write:snapshots". */
    can: (scope) => can(scope),
    href,
    go: (name, query) => go(href(name, query)),
    /** Change parameters of this view: null removes one. render: false only notes them in the URL. */
    set: (changes, { render: again = true, push = again } = {}) => {
      for (const [name, value] of Object.entries(changes)) {
        params.delete(name);
        for (const each of Array.isArray(value) ? value : [value]) {
          if (each !== null && each !== undefined && each !== "" && each !== false) params.append(name, each);
        }
      }
      const query = new URLSearchParams(params);
      if (view !== START) query.set("view", view);
      const text = query.toString();
      history[push ? "pushState" : "replaceState"](null, "", text ? `/?${text}` : "/");
      return again ? render() : undefined;
    },
    /** The heading of the view, which also names the window. */
    heading: (text, ...beside) => {
      document.title = `${text} · CMP inventory`;
      return make(
        "div",
        { class: "heading" },
        make("h1", { dir: "auto" }, text),
        make("div", { class: "actions" }, ...beside),
      );
    },
    /** How a terminal and a program get the same: words and options of flexlocal, path and parameters of the service. */
    same: ({ cli, request }) => showSame(cli, request),
    problem: (error) => problemOf(error),
    render,
    restart: start,
  };
}

function can(scope) {
  if (!info || (info.token && !info.token.scopes.includes(scope))) return false;
  return scope.startsWith("read:") || (info.writes && (scope !== "run:polls" || info.polls));
}

async function render() {
  const number = ++wanted;
  leaving.abort();
  leaving = new AbortController();
  const { view, params } = here();
  const again = view === shownView;
  const focused = again ? placeOf(document.activeElement) : null;
  const root = make("div", { class: `view view-${view}` });
  const context = contextOf(view, params, leaving.signal);
  const top = again ? window.scrollY : 0;
  frame.show(view, context);
  showSame(null, null);

  let attached = false;
  const attach = () => {
    if (attached || number !== wanted) return;
    attached = true;
    replace(main, root);
    shownView = view;
    shownSearch = location.search;
    window.scrollTo(0, top);
    if (!again && started) main.focus({ preventScroll: true });
  };
  main.setAttribute("aria-busy", "true");
  if (VIEWS[view].live) attach();
  const holding = setTimeout(attach, again ? 4 * HOLD_MS : HOLD_MS);
  try {
    const module = await VIEWS[view].load();
    if (!again) replace(root, make("p", { class: "quiet loading" }, "Loading…"));
    if (VIEWS[view].live) root.replaceChildren();
    const parts = VIEWS[view].live ? root : make("div");
    await module.show(parts, params, context);
    if (number !== wanted) return;
    if (parts !== root) replace(root, ...parts.childNodes);
  } catch (error) {
    if (error.name === "AbortError" && number !== wanted) return;
    if (error instanceof api.Problem && error.status === 401 && view !== "login") {
      await signIn();
      return;
    }
    replace(root, problemOf(error, "h1"));
  } finally {
    clearTimeout(holding);
  }
  attach();
  main.removeAttribute("aria-busy"); // all of it is there
  started = true;
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  if (!again) announce(document.title);
}

let started = false;

const placeOf = (element) => (element && main.contains(element) && element.id ? element.id : null);

function signIn() {
  const back = here().view === "login" ? here().params.get("back") : location.pathname + location.search;
  return go(href("login", { back, as_of: null }), { replace: true });
}

/** An error as a person reads it: what happened, what to do, which request it was. */
function problemOf(error, level = "h2") {
  if (error.name === "AbortError") {
    return make(
      "div",
      { class: "problem" },
      make(level, {}, "Cancelled"),
      make("p", {}, "Nothing was changed."),
      make("button", { type: "button", on: { click: render } }, "Load it after all"),
    );
  }
  if (!(error instanceof api.Problem)) {
    console.error(error);
    return make(
      "div",
      { class: "problem", role: "alert" },
      make(level, {}, "The page has a fault"),
      make("p", {}, String(error.message || error)),
      make("p", {}, "Load the page anew; if it stays, report this text."),
    );
  }
  return make(
    "div",
    { class: "problem", role: "alert" },
    make(level, {}, error.title),
    error.detail && make("p", {}, error.detail),
    error.errors.length > 0 &&
      make(
        "ul",
        {},
        error.errors.map((each) =>
          make("li", {}, each.parameter && make("code", {}, each.parameter), ` ${each.detail || ""}`),
        ),
      ),
    error.candidates &&
      make(
        "ul",
        {},
        error.candidates.map((each) =>
          make(
            "li",
            {},
            make(
              "a",
              { href: href("resource", { id: each.id, account: each.account, type: each.type }) },
              each.name || each.id,
            ),
            ` ${each.type} of ${each.account}`,
          ),
        ),
      ),
    make("p", { class: "todo" }, error.todo),
    error.requestId &&
      make(
        "p",
        { class: "quiet" },
        "Request ",
        make("code", {}, error.requestId),
        copyButton(error.requestId, "request id"),
      ),
    make("button", { type: "button", on: { click: render } }, "Try again"),
  );
}

function showSame(cli, request) {
  const lines = [];
  if (cli) lines.push(["Terminal", command(...cli)]);
  if (request) lines.push(["API", `GET ${api.address(...request)}`]);
  const save =
    can("write:views") &&
    shownView !== "saved" &&
    make("a", { href: href("saved", { save: location.pathname + location.search, as_of: null }) }, "Save this view");
  replace(
    same,
    lines.length > 0 && [
      make("span", { class: "quiet" }, "The same"),
      lines.map(([what, text]) =>
        make(
          "span",
          { class: "same-line" },
          make("span", { class: "what" }, what),
          make("code", {}, text),
          copyButton(text, `${what} command`),
        ),
      ),
      save,
    ],
  );
  same.hidden = lines.length === 0;
}

// --- the start ----------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (
    !link ||
    event.defaultPrevented ||
    event.button !== 0 ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  const target = new URL(link.href);
  if (target.origin !== location.origin || target.pathname !== "/" || link.target || link.download) return;
  if (target.hash && target.search === location.search) return; // to a place of this view
  event.preventDefault();
  go(target.pathname + target.search);
});
window.addEventListener("popstate", () => {
  if (location.search !== shownSearch) render(); // else it went to a place of this view
});

const frame = header({
  href,
  go,
  render,
  can,
  info: () => info,
  get: (path, query) => api.get(path, query),
  logOut: leave,
});

async function leave() {
  await api.logOut();
  await signIn();
}

/** Who looks, and whether there is a session; then the view. */
async function start() {
  try {
    await api.session();
    info = await api.get("/info");
    frame.know(info);
    follow({ show: render, isPast: () => here().params.has("as_of"), changed: frame.refresh });
  } catch (error) {
    if (error instanceof api.Problem && error.status === 401) info = null;
    else {
      replace(main, problemOf(error, "h1"));
      return;
    }
  }
  await (info || here().view === "login" ? render() : signIn());
}

if (document.getElementById("keys")) start(); // not awaited: the login imports this module
