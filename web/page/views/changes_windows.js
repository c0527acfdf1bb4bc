// Change windows: a change that somebody makes, and what keeps it from closing.

import { differences } from "./changes_diff.js";
import { empty, make, panel, replace, stateOf, timeOf } from "../dom.js";
import { counted, table } from "../table.js";

export async function windows(root, params, context) {
  if (params.get("window")) await one(root, params.get("window"), context);
  else await list(root, context);
}

async function list(root, context) {
  const { items } = await context.all("/windows");
  const answer = make("div", { role: "status" });
  context.same({ cli: [["snapshot", "window", "list"], {}], request: ["/windows", {}] });
  if (context.can("write:snapshots")) {
    const name = make("input", { id: "window-name", required: true, maxlength: "200" });
    const account = make("input", { id: "window-account" });
    root.append(
      make(
        "form",
        {
          class: "filters",
          on: {
            submit: async (event) => {
              event.preventDefault();
              try {
                await context.send("POST", "/windows", {
                  name: name.value.trim(),
                  ...(account.value.trim() ? { account: account.value.trim() } : {}),
                });
                await context.render();
              } catch (error) {
                replace(answer, context.problem(error));
              }
            },
          },
        },
        make("label", { class: "wide" }, "Name of the change", name),
        make("label", {}, "Account (else all)", account),
        make("button", { type: "submit", class: "main" }, "Open a change window"),
      ),
    );
  }
  root.append(answer);
  if (!items.length) {
    root.append(
      empty(
        "There is no change window yet.",
        "flexlocal snapshot window open NAME begins one: it takes the snapshot before the change.",
      ),
    );
    return;
  }
  const columns = [
    {
      key: "name",
      title: "Name",
      value: (row) => row.name,
      cell: (row) =>
        make(
          "a",
          { class: "name", dir: "auto", href: context.href("changes", { tab: "windows", window: row.name }) },
          row.name,
        ),
    },
    { key: "state", title: "State", value: (row) => row.state, cell: (row) => stateOf(row.state) },
    { key: "opened_at", title: "Opened (UTC)", value: (row) => row.opened_at, cell: (row) => timeOf(row.opened_at) },
    {
      key: "closed_at",
      title: "Closed (UTC)",
      value: (row) => row.closed_at,
      cell: (row) => (row.closed_at ? timeOf(row.closed_at) : ""),
    },
    { key: "before", title: "Before", value: (row) => row.before },
    { key: "after", title: "After", value: (row) => row.after },
    { key: "baseline", title: "Baseline", value: (row) => row.baseline },
    { key: "concerns", title: "Concerns", value: (row) => concerns(row.concerns) },
  ];
  root.append(
    table(columns, items, {
      context,
      label: "Change windows",
      file: "windows",
      count: counted(items.length, "change window"),
    }),
  );
}

const concerns = (found) =>
  Object.entries(found || {})
    .filter(([, value]) => value)
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join(" ") : value}`)
    .join(", ") || "everything";

async function one(root, name, context) {
  const found = await context.get(`/windows/${encodeURIComponent(name)}`);
  const open = found.state === "open";
  const inTheWay = found.unexplained;
  const answer = make("div", { role: "status" });
  context.same({
    cli: [["snapshot", "window", "show", name], {}],
    request: [`/windows/${encodeURIComponent(name)}`, {}],
  });
  root.append(
    make("p", {}, make("a", { href: context.href("changes", { tab: "windows" }) }, "All change windows")),
    panel(
      `Change window ${name}`,
      make(
        "p",
        { class: "facts" },
        stateOf(found.state),
        make("span", {}, "opened ", timeOf(found.opened_at)),
        found.closed_at && make("span", {}, "closed ", timeOf(found.closed_at)),
        make("span", {}, `before: ${found.before}`),
        found.after && make("span", {}, `after: ${found.after}`),
        found.baseline && make("span", {}, `baseline: ${found.baseline}`),
        make("span", {}, `concerns ${concerns(found.concerns)}`),
      ),
      open &&
        make(
          "p",
          {},
          make(
            "strong",
            {},
            inTheWay
              ? `${counted(inTheWay, "row")} in the way of closing: neither as before, nor as designed, nor explained.`
              : "Nothing is in the way: it may close.",
          ),
        ),
      open &&
        inTheWay > 0 &&
        make("p", { class: "quiet" }, "Explain what was meant: flexlocal snapshot window explain NAME TEXT --id ID"),
      open &&
        context.can("write:snapshots") &&
        make(
          "button",
          {
            type: "button",
            class: "main",
            on: {
              click: async () => {
                try {
                  await context.send("POST", `/windows/${encodeURIComponent(name)}/close`);
                  await context.render();
                } catch (error) {
                  replace(answer, context.problem(error));
                }
              },
            },
          },
          "Close it",
        ),
      answer,
    ),
  );
  root.append(
    found.items.length
      ? differences(found.items, context, found.before, found.after || "now")
      : empty("Nothing differs from before.", open ? "It may close." : ""),
  );
}
