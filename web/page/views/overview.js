// The start: how much there is, how old it is, what is wrong, and what came in last.

import { empty, levelOf, make, panel, stateOf, timeOf } from "../dom.js";
import { counted } from "../table.js";
import { ago, span, worst } from "../time.js";

const LATEST = 12;

export async function show(root, params, context) {
  const [accounts, scopes, polls, now] = await Promise.all([
    context.all("/accounts"),
    context.all("/scopes", {}, { most: 10000 }),
    context.get("/polls", { limit: LATEST }),
    context
      .get("/topology/now", { as_of: context.asOf })
      .catch((error) => (error.name === "AbortError" ? Promise.reject(error) : { error })),
  ]);
  context.same({
    cli: [["topology", "now"], { as_of: context.asOf }],
    request: ["/topology/now", { as_of: context.asOf }],
  });
  root.append(context.heading("Overview"));
  if (!accounts.items.length) {
    root.append(
      empty(
        "Nothing has been polled yet, or your token has a right to no account.",
        "flexlocal poll --account NAME brings in what an account has; flexlocal serve --demo shows the demo accounts.",
      ),
    );
    return;
  }
  const resources = accounts.items.reduce((sum, each) => sum + (each.resources || 0), 0);
  root.append(
    make(
      "div",
      { class: "cards" },
      card(
        context.href("resources"),
        resources.toLocaleString("en"),
        `resources of ${counted(accounts.items.length, "account")}`,
      ),
      card(
        context.href("trouble"),
        now.error ? "–" : wrong(now.items),
        now.error ? "what is wrong is not known" : "not up now, by status",
        !now.error && now.items.length ? "bad" : null,
      ),
      card(context.href("polls"), scopes.items.length, "scopes: ", worstOf(scopes.items)),
      card(
        context.href("changes"),
        latestChanges(polls.items),
        `changes in the last ${counted(polls.items.length, "poll")}`,
      ),
    ),
  );
  root.append(
    make(
      "div",
      { class: "columns" },
      panel("Accounts", accountsOf(accounts.items, scopes.items, context)),
      panel("What came in last", polls.items.length ? latest(polls.items, context) : empty("No poll has run yet.")),
    ),
  );
}

function card(href, number, ...words) {
  return make(
    "a",
    { class: "card", href },
    make("b", {}, String(number)),
    words.map((each) => (each === "bad" ? null : each)),
  );
}

const wrong = (items) => items.length.toLocaleString("en");
const latestChanges = (polls) =>
  polls.reduce((sum, each) => sum + (each.added || 0) + (each.changed || 0) + (each.gone || 0), 0).toLocaleString("en");
const worstOf = (scopes) => {
  const level = worst(scopes.map((each) => each.level));
  const number = scopes.filter((each) => each.level === level).length;
  return levelOf(level, `${number} ${level === "ok" ? "fresh" : level === "amber" ? "old" : "failed"}`);
};

function accountsOf(accounts, scopes, context) {
  const body = accounts.map((each) => {
    const own = scopes.filter((scope) => scope.account === each.account);
    const ages = own.map((scope) => scope.age_s).filter((age) => age !== null && age !== undefined);
    return make(
      "tr",
      {},
      make(
        "th",
        { scope: "row", class: each.account.length < 20 ? "short" : null },
        make("a", { href: context.href("resources", { account: each.account }) }, each.account),
      ),
      make("td", { class: "short" }, each.provider),
      make("td", { class: "number" }, (each.resources || 0).toLocaleString("en")),
      make(
        "td",
        {},
        make(
          "a",
          { href: context.href("polls", { account: each.account }) },
          levelOf(worst(own.map((scope) => scope.level))),
        ),
        ages.length > 0 && ` ${span(Math.max(...ages))}`,
      ),
    );
  });
  return make(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Accounts, table" },
    make(
      "table",
      {},
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          ["Account", "Provider", "Resources", "Age"].map((each) =>
            make("th", { scope: "col", class: each === "Resources" ? "number" : null }, each),
          ),
        ),
      ),
      make("tbody", {}, body),
    ),
  );
}

function latest(polls, context) {
  return make(
    "ul",
    { class: "links" },
    polls.map((each) =>
      make(
        "li",
        {},
        timeOf(each.ended_at, ago(each.ended_at, context.now())),
        " ",
        make("a", { href: context.href("polls", { account: each.account }) }, `${each.account} ${each.family}`),
        " ",
        stateOf(each.outcome),
        " ",
        make(
          "span",
          { class: "quiet" },
          ["added", "changed", "gone"]
            .filter((key) => each[key])
            .map((key) => `${each[key]} ${key}`)
            .join(", "),
        ),
      ),
    ),
  );
}
