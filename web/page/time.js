// Times in words. All functions are pure: what is now goes in.

export const DAY_S = 86400;

const two = (number) => String(number).padStart(2, "0");

function parsed(text) {
  const time = text ? new Date(text) : null;
  return time === null || Number.isNaN(time.getTime()) ? null : time;
}

/** "2026-11-22": the UTC day of an ISO time. */
function day(time) {
  return `${time.getUTCFullYear()}-${two(time.getUTCMonth() + 1)}-${two(time.getUTCDate())}`;
}

function clock(time, seconds = false) {
  const minutes = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
  return seconds ? `${minutes}:${two(time.getUTCSeconds())}` : minutes;
}

/** "2026-11-22 10:15", UTC; "never" for no time. */
export function shown(text) {
  const time = parsed(text);
  return time === null ? "never" : `${day(time)} ${clock(time)}`;
}

/** What a person sees on hover: UTC to the second, and the same moment where they are. */
export function exact(text) {
  const time = parsed(text);
  if (time === null) return "";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${day(time)} ${clock(time, true)} UTC\n${time.toLocaleString()} ${zone || "local"}`;
}

/** Up to the next minute: a bound that is cut would leave out what it is to hold. */
function roundedUp(time) {
  return new Date(Math.ceil(time.getTime() / 60000) * 60000);
}

/**
 * The bounds of a change, {after, before}, in words: "2026-11-22 between 10:00 and 10:15", or "before
 * 2026-11-22 10:15" where nobody looked before. Minutes are rounded outwards, as the command line does.
 */
export function between(bounds) {
  const before = parsed(bounds && bounds.before);
  if (before === null) return "at an unknown time";
  const end = roundedUp(before);
  const after = parsed(bounds.after);
  if (after === null) return `before ${day(end)} ${clock(end)}`;
  if (day(after) === day(end)) return `${day(end)} between ${clock(after)} and ${clock(end)}`;
  return `between ${day(after)} ${clock(after)} and ${day(end)} ${clock(end)}`;
}

/** The same bounds in a table, as the command line has them: "2026-11-22 10:00–10:15". */
export function interval(bounds) {
  const after = parsed(bounds && bounds.after);
  const before = parsed(bounds && bounds.before);
  if (after === null || before === null) return between(bounds);
  const end = roundedUp(before);
  const [from, to] = [day(after), day(end)];
  return from === to ? `${from} ${clock(after)}–${clock(end)}` : `${from} ${clock(after)} – ${to} ${clock(end)}`;
}

/** A span in one unit, as short as it is read at a glance: "40 s", "12 min", "3 h", "5 d". */
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "unknown";
  const size = Math.abs(seconds);
  if (size < 60) return `${Math.round(size)} s`;
  if (size < 3600) return `${Math.floor(size / 60)} min`;
  if (size < 2 * DAY_S) return `${Math.floor(size / 3600)} h`;
  return `${Math.floor(size / DAY_S)} d`;
}

/** "12 min ago", "in 3 h"; `now` is an ISO time or milliseconds. */
export function ago(text, now) {
  const time = parsed(text);
  if (time === null) return "never";
  const seconds = (new Date(now).getTime() - time.getTime()) / 1000;
  return seconds < 0 ? `in ${span(seconds)}` : `${span(seconds)} ago`;
}

/** Of the age of a scope, as the service judges it: amber past two intervals, red if the last poll failed. */
export const LEVELS = {
  ok: { mark: "●", word: "fresh" },
  amber: { mark: "▲", word: "old" },
  red: { mark: "✖", word: "failed" },
};

/** The worst of some levels. */
export function worst(levels) {
  return ["red", "amber", "ok"].find((level) => levels.includes(level)) || "ok";
}

/** "2026-11-22T10:15" of a field for local times is taken as UTC: the page shows UTC everywhere. */
export function fromPicker(text) {
  const time = parsed(text && `${text}Z`);
  return time === null
    ? null
    : time
        .toISOString()
        .replace(/\.000Z$/, "Z")
        .replace(/:00Z$/, "Z");
}

export function toPicker(text) {
  const time = parsed(text);
  return time === null ? "" : `${day(time)}T${clock(time)}`;
}
