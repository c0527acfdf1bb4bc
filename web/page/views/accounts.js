// The accounts that were polled; never their credentials.

import { empty, make } from "../dom.js";
import { counted, table } from "../table.js";

export async function show(root, params, context) {
  const { items } = await context.all("/accounts");
  context.same({ cli: [["accounts"], {}], request: ["/accounts", {}] });
  root.append(context.heading("Accounts"));
  if (!items.length) {
    root.append(
      empty(
        "No account has been polled yet, or your token has a right to none.",
        "flexlocal accounts add NAME, then flexlocal poll --account NAME.",
      ),
    );
    return;
  }
  const columns = [
    {
      key: "account",
      title: "Account",
      value: (row) => row.account,
      cell: (row) => make("a", { href: context.href("resources", { account: row.account }) }, row.account),
    },
    { key: "provider", title: "Provider", value: (row) => row.provider },
    {
      key: "families",
      title: "Families",
      value: (row) => (row.families || []).join(", "),
      cell: (row) =>
        (row.families || []).map((family) => [
          make("a", { href: context.href("resources", { account: row.account, family }) }, family),
          " ",
        ]),
    },
    { key: "resources", title: "Resources", value: (row) => row.resources, number: true },
    {
      key: "polls",
      title: "Polls",
      value: () => "",
      cell: (row) => make("a", { href: context.href("polls", { account: row.account }) }, `polls of ${row.account}`),
    },
  ];
  root.append(
    table(columns, items, { context, label: "Accounts", file: "accounts", count: counted(items.length, "account") }),
  );
}
