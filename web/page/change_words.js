// A changed field in words, wherever changes are shown.

import { make } from "./dom.js";

/** "/details/server/state" -> "state"; "/metadata/provider_metadata/stage" -> "tag stage"; "/connections/network" -> "connections.network". */
export function fieldName(path) {
  const parts = String(path || "").split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (!parts.length) return "";
  if (parts[0] === "metadata" && parts[1] === "provider_metadata") return `tag ${parts.slice(2).join(".")}`;
  if (parts[0] === "details" || (parts[0] === "metadata" && parts[1] === "provider_specific")) return parts.slice(2).join(".") || parts.join(".");
  return parts.join(".");
}

/** A value as text: lists item by item, objects as JSON, nothing as a dash. */
export function valueText(value) {
  if (value === undefined || value === null || value === "") return "–";
  if (Array.isArray(value)) return value.map((each) => (each !== null && typeof each === "object" ? each.ip_address || each.name || each.id || JSON.stringify(each) : String(each))).join(", ") || "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Of two lists what the other one lacks, after "…" for the rest; other values as they are. */
export function sides(before, after) {
  if (!Array.isArray(before) || !Array.isArray(after)) return [valueText(before), valueText(after)];
  const words = (each) => JSON.stringify(each);
  const own = (list, other) => {
    const there = new Set(other.map(words));
    const left = list.filter((each) => !there.has(words(each)));
    return left.length < list.length ? ["…", ...left] : left;
  };
  return [valueText(own(before, after)), valueText(own(after, before))];
}

/** A changed field: its name, what it was, what it is. */
export function changeOf(change) {
  const [was, is] = sides(change.before, change.after);
  return make("span", { class: "change" }, make("code", {}, fieldName(change.path)),
    Object.hasOwn(change, "before") && make("del", { class: "was", dir: "auto" }, was),
    make("span", { "aria-hidden": "true" }, "→"),
    Object.hasOwn(change, "after") ? make("ins", { class: "is", dir: "auto" }, is) : make("span", { class: "quiet" }, "gone"));
}
