// What changed: between two moments, in change windows; and the snapshots that name moments.

import { diff } from "./changes_diff.js";
import { snapshots } from "./changes_snapshots.js";
import { windows } from "./changes_windows.js";
import { tabs } from "../tabs.js";

const TABS = {
  diff: { title: "Between two moments", draw: diff },
  windows: { title: "Change windows", draw: windows },
  snapshots: { title: "Snapshots", draw: snapshots },
};

export async function show(root, params, context) {
  root.append(context.heading("Changes"));
  await tabs(root, TABS, params, context);
}
