// Parts of a view, one at a time; which one is in the URL.

import { make } from "./dom.js";

/** parts: {name: {title, draw(root, params, context)}}; the first one is shown unless `tab` names another. */
export async function tabs(root, parts, params, context) {
  const first = Object.keys(parts)[0];
  const name = Object.hasOwn(parts, params.get("tab") || "") ? params.get("tab") : first;
  const { view } = context;
  root.append(
    make(
      "nav",
      { "aria-label": "Parts of this view" },
      make(
        "ul",
        { class: "tabs" },
        Object.entries(parts).map(([key, each]) =>
          make(
            "li",
            {},
            make(
              "a",
              {
                href: context.href(view, { tab: key === first ? null : key }),
                "aria-current": key === name ? "page" : null,
              },
              each.title,
            ),
          ),
        ),
      ),
    ),
  );
  await parts[name].draw(root, params, context);
}
