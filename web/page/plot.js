// Metrics as small plots, each with its table.

import { make, svg, timeOf } from "./dom.js";
import { shown } from "./time.js";

const WIDTH = 300;
const HEIGHT = 90;
const MOST_IN_TABLE = 200;

/** Where points lie in the picture: [[x, y]], from times and values. Pure. */
export function placed(points, width = WIDTH, height = HEIGHT, margin = 5) {
  const times = points.map((each) => Date.parse(each.time));
  const values = points.map((each) => each.value);
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const inside = (value, from, to, size) =>
    margin + (to === from ? 0.5 : (value - from) / (to - from)) * (size - 2 * margin);
  return points.map((each, index) => [
    Math.round(inside(times[index], first, last, width) * 10) / 10,
    Math.round((height - inside(values[index], low, high, height)) * 10) / 10,
  ]);
}

/** A number as it is read: 1,234.5; 0.00012; 1.2e+12. */
export function amount(value) {
  if (typeof value !== "number") return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e12)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumFractionDigits: size < 10 ? 3 : 1 });
}

/** points: [{time, value}] in the order of their times. */
export function plot(name, unit, points) {
  const places = placed(points);
  const values = points.map((each) => each.value);
  const words = `${amount(Math.min(...values))} to ${amount(Math.max(...values))}${unit ? ` ${unit}` : ""}, last ${amount(values.at(-1))}`;
  return make(
    "figure",
    { class: "plot" },
    make("figcaption", {}, make("strong", {}, name), make("br"), make("small", {}, words)),
    svg(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": `${name}: ${words}`,
      },
      svg("line", { class: "axis", x1: 0, y1: HEIGHT - 1, x2: WIDTH, y2: HEIGHT - 1 }),
      places.length > 1 && svg("path", { d: `M${places.map((each) => each.join(" ")).join("L")}` }),
      places.length < 30 && places.map(([x, y]) => svg("circle", { cx: x, cy: y, r: 2 })),
    ),
    make(
      "div",
      { class: "ends" },
      make("span", {}, shown(points[0].time)),
      make("span", {}, shown(points.at(-1).time)),
    ),
    make(
      "details",
      {},
      make("summary", {}, `Table (${points.length})`),
      make(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": `${name}, table` },
        make(
          "table",
          {},
          make(
            "thead",
            {},
            make(
              "tr",
              {},
              make("th", { scope: "col" }, "Time (UTC)"),
              make("th", { scope: "col", class: "number" }, unit || "Value"),
            ),
          ),
          make(
            "tbody",
            {},
            points
              .slice(-MOST_IN_TABLE)
              .reverse()
              .map((each) =>
                make("tr", {}, make("td", {}, timeOf(each.time)), make("td", { class: "number" }, amount(each.value))),
              ),
          ),
        ),
      ),
    ),
  );
}
