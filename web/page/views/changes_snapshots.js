// Snapshots: labels on moments. Taking one, and pinning one as the design, where that is allowed.

import { empty, make, replace, timeOf } from "../dom.js";
import { counted, table } from "../table.js";

export async function snapshots(root, params, context) {
  const { items } = await context.all("/snapshots");
  const writes = context.can("write:snapshots");
  const answer = make("div", { role: "status" });
  context.same({ cli: [["snapshot", "list"], {}], request: ["/snapshots", {}] });
  const doing = (method, path, body) => async () => {
    try {
      await context.send(method, path, body ? body() : null);
      await context.render();
    } catch (error) {
      replace(answer, context.problem(error));
    }
  };
  if (writes) {
    const label = make("input", { id: "label", placeholder: "as designed", maxlength: "200" });
    const take = doing("POST", "/snapshots", () => (label.value.trim() ? { label: label.value.trim() } : {}));
    root.append(
      make(
        "form",
        {
          class: "filters",
          on: {
            submit: (event) => {
              event.preventDefault();
              take();
            },
          },
        },
        make("label", { class: "wide" }, "Label (else the time)", label),
        make("button", { type: "submit", class: "main" }, "Take a snapshot"),
      ),
    );
  } else {
    root.append(
      make(
        "p",
        { class: "note" },
        "Here, snapshots can only be read: the scope write:snapshots allows to take and pin them.",
      ),
    );
  }
  root.append(answer);
  if (!items.length) {
    root.append(
      empty("There is no snapshot yet.", "flexlocal snapshot take LABEL, or flexlocal poll --snapshot-every 7d"),
    );
    return;
  }
  const baseline = items
    .filter((each) => each.pinned_at)
    .sort((one, other) => (one.pinned_at < other.pinned_at ? 1 : -1))[0];
  const columns = [
    {
      key: "label",
      title: "Label",
      value: (row) => row.label,
      cell: (row) => [
        make("bdi", { class: "mono" }, row.label),
        row === baseline && make("span", { class: "tag" }, "baseline"),
      ],
    },
    { key: "at", title: "As of (UTC)", value: (row) => row.at, cell: (row) => timeOf(row.at) },
    { key: "resources", title: "Resources", value: (row) => row.resources, number: true },
    { key: "scopes", title: "Scopes complete", value: (row) => `${row.complete} of ${row.scopes}` },
    { key: "how", title: "How", value: (row) => row.how },
    {
      key: "taken_at",
      title: "Taken",
      value: (row) => row.taken_at,
      cell: (row) => timeOf(row.taken_at),
      hidden: true,
    },
    {
      key: "links",
      title: "Look",
      value: () => "",
      cell: (row) =>
        make(
          "span",
          { class: "actions" },
          make(
            "a",
            { href: context.href("changes", { from: row.label, to: "now", as_of: null }) },
            "what changed since",
          ),
          make("a", { href: context.href("resources", { as_of: row.label }) }, "resources then"),
        ),
    },
  ];
  if (writes) {
    columns.push({
      key: "pin",
      title: "Design",
      value: () => "",
      cell: (row) =>
        make(
          "span",
          { class: "actions" },
          row !== baseline &&
            make(
              "button",
              {
                type: "button",
                "aria-label": `Make ${row.label} the baseline`,
                on: { click: doing("PUT", `/snapshots/${encodeURIComponent(row.label)}/pin`) },
              },
              "Pin",
            ),
          row !== baseline &&
            make(
              "button",
              {
                type: "button",
                "aria-label": `Remove ${row.label}`,
                on: { click: doing("DELETE", `/snapshots/${encodeURIComponent(row.label)}`) },
              },
              "Remove",
            ),
        ),
    });
  }
  root.append(
    table(columns, [...items].reverse(), {
      context,
      label: "Snapshots",
      file: "snapshots",
      count: counted(items.length, "snapshot"),
    }),
  );
}
