// Live updates: what polls bring in is counted and said, and shown only when the reader wants it.

import { make, replace } from "./dom.js";
import { counted } from "./table.js";

const RETRY_MS = 15000;
let source = null;
let seen = fresh();

function fresh() {
  return { runs: 0, changes: 0, failed: 0, broken: false };
}

/** show(): shows the view anew; isPast(): a moment is shown, which no poll changes; changed(): each event. */
export function follow({ show, isPast, changed }) {
  if (source) source.close();
  const place = document.getElementById("notices");
  const draw = () =>
    replace(
      place,
      !isPast() &&
        notice(seen, () => {
          forget();
          show();
        }),
    );

  source = new EventSource("/api/v1/events"); // it resumes by itself, with Last-Event-ID
  source.addEventListener("run", (event) => {
    add(seen, JSON.parse(event.data));
    draw();
    changed();
  });
  source.addEventListener("open", () => {
    document.documentElement.dataset.live = "on";
  });
  source.addEventListener("error", () => {
    document.documentElement.dataset.live = "off";
    if (source.readyState !== EventSource.CLOSED) return;
    seen.broken = true; // refused: what came meanwhile is not known
    setTimeout(() => follow({ show, isPast, changed }), RETRY_MS);
  });
  forget = () => {
    seen = fresh();
    draw();
  };
}

/** Whatever is shown is as new as the service: nothing is waiting. */
export let forget = () => {};

/** One event `run` of the service is added to what waits. */
export function add(so_far, run) {
  so_far.runs += 1;
  so_far.changes += (run.added || 0) + (run.changed || 0) + (run.gone || 0);
  if (run.outcome && run.outcome !== "complete") so_far.failed += 1;
  return so_far;
}

/** "12 changes, 1 poll failed"; null if there is nothing to say. */
export function words({ runs, changes, failed, broken }) {
  const parts = [];
  if (changes) parts.push(counted(changes, "change"));
  if (failed) parts.push(`${counted(failed, "poll")} failed`);
  if (!parts.length && broken) return "Live updates were interrupted";
  return runs && parts.length ? parts.join(", ") : null;
}

function notice(found, show) {
  const text = words(found);
  return (
    text !== null &&
    make("button", { type: "button", class: "waiting", on: { click: show } }, `${text}, `, make("b", {}, "show"))
  );
}
