// Elements. Text only ever goes in as text, so that a hostile name is nothing but a name.

import * as time from "./time.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: `make("a", {href, class, on: {click}, data: {id}}, "text", child, [children])`. Attributes that are null or
 * false are left out; `true` gives an empty one. Children that are null or false are left out.
 */
export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same in SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "href") {
      const safe = safeAddress(value);
      if (safe !== null) element.setAttribute("href", safe);
    } else if (name.startsWith("on") || name === "style") {
      throw new Error(`${name}: attributes that run or style are not possible here`);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));
}

/** Addresses of this page, and http(s): a provider's "javascript:" link is no link. */
export function safeAddress(text) {
  try {
    const address = new URL(String(text), location.href);
    return ["http:", "https:", "blob:"].includes(address.protocol) ? String(text) : null;
  } catch {
    return null;
  }
}

export function replace(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** A moment in UTC; UTC to the second and the local time on hover. */
export function timeOf(text, words = null) {
  if (!text) return make("span", { class: "quiet" }, "never");
  return make("time", { datetime: text, title: time.exact(text) }, words || time.shown(text));
}

/** The bounds of a change: "2026-11-22 between 10:00 and 10:15"; in a table, shorter. */
export function boundsOf(bounds, words = time.between) {
  if (!bounds) return make("span", { class: "quiet" }, "–");
  const ends = [bounds.after, bounds.before].filter(Boolean).map(time.exact).join("\n–\n");
  return make("time", { datetime: bounds.before, title: ends }, words(bounds));
}

/** A copy button for an id or a command. */
export function copyButton(text, what) {
  const button = make("button", {
    type: "button",
    class: "copy",
    "aria-label": `Copy ${what}`,
    title: `Copy ${what}`,
    on: { click: () => copy(text, button) },
  });
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea", { class: "hidden" }, text); // no clipboard without TLS
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.classList.add("done");
  announce("Copied");
  setTimeout(() => button.classList.remove("done"), 1500);
}

/** An id in full, selectable, with its copy button. */
export function idOf(text) {
  return make(
    "span",
    { class: "id" },
    make("code", { title: text.length > 40 ? text : null }, text),
    copyButton(text, `id ${text}`),
  );
}

/** A mark, a word and a colour. Levels: ok, amber, red. */
export function levelOf(level, word = null) {
  const known = time.LEVELS[level] || time.LEVELS.red;
  return make(
    "span",
    { class: `level ${level}` },
    make("span", { class: "mark", "aria-hidden": "true" }, known.mark),
    ` ${word || known.word}`,
  );
}

const STATES = {
  running: ["●", "good"],
  active: ["●", "good"],
  up: ["●", "good"],
  ok: ["●", "good"],
  available: ["●", "good"],
  in_use: ["●", "good"],
  attached: ["●", "good"],
  complete: ["●", "good"],
  closed: ["●", "good"],
  stopped: ["■", "off"],
  deallocated: ["■", "off"],
  terminated: ["■", "off"],
  off: ["■", "off"],
  down: ["✖", "bad"],
  error: ["✖", "bad"],
  failed: ["✖", "bad"],
  gone: ["✖", "bad"],
  degraded: ["▲", "warn"],
  warning: ["▲", "warn"],
  partial: ["▲", "warn"],
  open: ["▲", "warn"],
};

/** A state as shape, word and colour; unknown words are shown as they are. */
export function stateOf(state) {
  if (state === null || state === undefined || state === "") return make("span", { class: "quiet" }, "–");
  const [mark, tone] = STATES[String(state).toLowerCase()] || ["○", "plain"];
  return make(
    "span",
    { class: `state ${tone}` },
    make("span", { class: "mark", "aria-hidden": "true" }, mark),
    ` ${state}`,
  );
}

const SEVERITIES = { critical: "◆", high: "▲", medium: "■", low: "○" };

export function severityOf(severity) {
  if (!severity) return make("span", { class: "quiet" }, "–");
  return make(
    "span",
    { class: `severity ${Object.hasOwn(SEVERITIES, severity) ? severity : "low"}` },
    make("span", { class: "mark", "aria-hidden": "true" }, SEVERITIES[severity] || "○"),
    ` ${severity}`,
  );
}

/** A panel with a heading. */
export function panel(title, ...children) {
  const id = `h-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return make("section", { class: "panel", "aria-labelledby": id }, make("h2", { id }, title), ...children);
}

/** What is shown where there is nothing: why, and what to do. */
export function empty(why, ...todo) {
  return make(
    "div",
    { class: "empty" },
    make("p", {}, why),
    ...todo.map((each) => make("p", { class: "quiet" }, each)),
  );
}

/** Words for a screen reader. */
export function announce(text) {
  const place =
    document.getElementById("announcer") ||
    document.body.appendChild(make("div", { id: "announcer", class: "hidden", role: "status" }));
  place.textContent = text;
}
