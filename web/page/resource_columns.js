// Columns of resources, wherever they are listed, and the link to one.

import { boundsOf, idOf, make, stateOf, timeOf } from "./dom.js";
import { interval } from "./time.js";

/** A link to the resource of a row with {account, type, id, name}. */
export function resourceLink(context, row, text = row.name || row.id) {
  return make(
    "a",
    {
      class: "name",
      dir: "auto",
      href: context.href("resource", { id: row.id, account: row.account, type: row.type }),
    },
    text,
  );
}

/** Where the topology shows the resource of a row. */
export function topologyHref(context, row, also = {}) {
  return context.href("topology", { focus: row.id, faccount: row.account, ftype: row.type, ...also });
}

export function resourceColumns(context) {
  const field = (key, title, hidden = false) => ({ key, title, value: (row) => row[key], hidden });
  return [
    { ...field("name", "Name"), value: (row) => row.name, cell: (row) => resourceLink(context, row) },
    { ...field("id", "Id"), cell: (row) => idOf(row.id) },
    field("type", "Type"),
    { ...field("state", "State"), cell: (row) => (row.present === false ? stateOf("gone") : stateOf(row.state)) },
    field("account", "Account"),
    field("scope", "Scope"),
    field("provider", "Provider", true),
    field("family", "Family", true),
    {
      key: "first_seen",
      title: "Since",
      value: (row) => row.first_seen?.before,
      cell: (row) => boundsOf(row.first_seen, interval),
    },
    { key: "last_seen", title: "Last seen", value: (row) => row.last_seen, cell: (row) => timeOf(row.last_seen) },
    {
      key: "gone",
      title: "Gone",
      value: (row) => row.gone?.before,
      cell: (row) => (row.gone ? boundsOf(row.gone, interval) : ""),
      hidden: true,
    },
  ];
}
