// Log in with a token, once: the service answers with a cookie that scripts can't read.

import * as api from "../api.js";
import { make, replace } from "../dom.js";

export function show(root, params, context) {
  const back = params.get("back") || "/";
  const answer = make("div", { role: "alert" });
  const field = make("input", {
    id: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
  });
  const form = make(
    "form",
    { on: { submit: logIn } },
    make("label", { for: "token" }, "Token"),
    field,
    make("button", { type: "submit", class: "main" }, "Log in"),
    answer,
  );

  async function logIn(event) {
    event.preventDefault();
    try {
      await api.logIn(field.value.trim());
    } catch (error) {
      replace(
        answer,
        error.status === 401
          ? make(
              "p",
              { class: "problem" },
              "This token is not known, or has expired. Whoever runs the service makes one: flexlocal token add.",
            )
          : context.problem(error),
      );
      field.select();
      return;
    }
    history.replaceState(null, "", back.startsWith("/?") ? back : "/");
    await context.restart();
  }

  root.append(
    make(
      "div",
      { class: "panel login" },
      context.heading("Log in"),
      make("p", { class: "quiet" }, "The token is sent once and not kept by this page."),
      form,
    ),
  );
  setTimeout(() => field.focus());
}
