// A changed field in words, wherever changes are shown.

import { make } from "./dom.js";

const REST = "…"; // what both lists have

/** "/details/server/state" -> "state"; "/metadata/provider_metadata/stage" -> "tag stage"; "/connections/network" -> "connections.network". */
export function fieldName(path) {
  const parts = String(path || "")
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (!parts.length) return "";
  if (parts[0] === "metadata" && parts[1] === "provider_metadata") return `tag ${parts.slice(2).join(".")}`;
  if (parts[0] === "details" || (parts[0] === "metadata" && parts[1] === "provider_specific"))
    return parts.slice(2).join(".") || parts.join(".");
  return parts.join(".");
}

/** A value as text: lists item by item, objects as JSON, nothing as a dash. */
export function valueText(value) {
  if (value === undefined || value === null || value === "") return "–";
  if (Array.isArray(value))
    return (
      value
        .map((each) =>
          each !== null && typeof each === "object"
            ? each.ip_address || each.name || each.id || JSON.stringify(each)
            : String(each),
        )
        .join(", ") || "–"
    );
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** 8589934592 -> "8 GiB". */
export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const step = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log2(value) / 10)) : 0;
  return `${Math.round((value / 1024 ** step) * 10) / 10} ${units[step]}`;
}

/** Of two lists what the other one lacks, after "…" for the rest; other values as they are. */
export function sides(before, after, path = "") {
  if (!Array.isArray(before) || !Array.isArray(after)) {
    const size =
      /_b$/.test(path) &&
      [before, after].every((each) => each === undefined || each === null || typeof each === "number");
    return [before, after].map((each) => (size && typeof each === "number" ? bytes(each) : valueText(each)));
  }
  const words = (each) => JSON.stringify(each);
  const own = (list, other) => {
    const there = new Set(other.map(words));
    const left = list.filter((each) => !there.has(words(each)));
    return left.length < list.length ? [REST, ...left] : left;
  };
  return [valueText(own(before, after)), valueText(own(after, before))];
}

/** A changed field: its name, what it was, what it is. */
export function changeOf(change) {
  const [was, is] = sides(change.before, change.after, change.path);
  const both = was !== REST && is !== REST;
  return make(
    "span",
    { class: "change" },
    make("code", {}, fieldName(change.path)),
    Object.hasOwn(change, "before") && was !== REST && make("del", { class: "was", dir: "auto" }, was),
    both && make("span", { "aria-hidden": "true" }, "→"),
    !Object.hasOwn(change, "after")
      ? make("span", { class: "quiet" }, "gone")
      : is !== REST && make("ins", { class: "is", dir: "auto" }, both ? is : `+ ${is}`),
  );
}
