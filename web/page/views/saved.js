// Saved views: addresses of this page under a name, shared by a link.

import { empty, make, replace, timeOf } from "../dom.js";
import { counted, table } from "../table.js";

export async function show(root, params, context) {
  const { items } = await context.all("/views");
  const writes = context.can("write:views");
  const answer = make("div", { role: "status" });
  context.same({ request: ["/views", {}] });
  root.append(context.heading("Saved views"));
  if (writes) root.append(form(params, context, answer));
  else root.append(make("p", { class: "note" }, "Your token can't save views: the scope write:views allows it."));
  root.append(answer);
  if (!items.length) {
    root.append(
      empty(
        "No view is saved yet.",
        "Open a view, set its filters, and choose “Save this view” at its foot; or share the address itself: it holds everything.",
      ),
    );
    return;
  }
  const columns = [
    {
      key: "name",
      title: "Name",
      value: (row) => row.name,
      cell: (row) => make("a", { class: "name", dir: "auto", href: own(row.url) }, row.name),
    },
    { key: "url", title: "Address", value: (row) => row.url, cell: (row) => make("code", {}, row.url) },
    { key: "saved_at", title: "Saved", value: (row) => row.saved_at, cell: (row) => timeOf(row.saved_at) },
    { key: "by", title: "By", value: (row) => row.by },
  ];
  if (writes) {
    columns.push({
      key: "remove",
      title: "Remove",
      value: () => "",
      cell: (row) =>
        make(
          "button",
          {
            type: "button",
            "aria-label": `Remove ${row.name}`,
            on: {
              click: async () => {
                try {
                  await context.send("DELETE", `/views/${encodeURIComponent(row.name)}`);
                  await context.render();
                } catch (error) {
                  replace(answer, context.problem(error));
                }
              },
            },
          },
          "Remove",
        ),
    });
  }
  root.append(
    table(columns, items, { context, label: "Saved views", file: "views", count: counted(items.length, "view") }),
  );
}

/** Only addresses of this page: a saved view leads nowhere else. */
export function own(url) {
  return /^\/($|[?#])/.test(String(url)) ? url : null;
}

function form(params, context, answer) {
  const address = params.get("save") || "/";
  const name = make("input", { id: "view-name", required: true, maxlength: "200", autocomplete: "off" });
  const url = make("input", { id: "view-url", required: true, value: address });
  return make(
    "form",
    {
      class: "filters",
      on: {
        submit: async (event) => {
          event.preventDefault();
          if (own(url.value) === null) {
            replace(
              answer,
              make(
                "p",
                { class: "problem" },
                "The address should be one of this page, such as /?view=resources&type=server.",
              ),
            );
            return;
          }
          try {
            await context.send("PUT", `/views/${encodeURIComponent(name.value.trim())}`, { url: url.value });
            await context.set({ save: null });
          } catch (error) {
            replace(answer, context.problem(error));
          }
        },
      },
    },
    make("label", { class: "wide" }, "Name", name),
    make("label", { class: "wide" }, "Address", url),
    make("button", { type: "submit", class: "main" }, "Save"),
  );
}
