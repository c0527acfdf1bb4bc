// What is wrong, weak, or not known: each row leads to its resource.

import { tabs } from "../tabs.js";
import * as parts from "./trouble_parts.js";

const TABS = {
  now: { title: "Wrong now", draw: parts.now },
  problems: { title: "Missing links", draw: parts.problems },
  redundancy: { title: "One left", draw: parts.redundancy },
  spof: { title: "Single points", draw: parts.spof },
  impact: { title: "What if it stops", draw: parts.impact },
  customers: { title: "Customers", draw: parts.customers },
  cliques: { title: "What belongs together", draw: parts.cliques },
  path: { title: "Path", draw: parts.path },
};

export async function show(root, params, context) {
  root.append(context.heading("Trouble"));
  await tabs(root, TABS, params, context);
}
