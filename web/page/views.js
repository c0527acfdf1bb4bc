// All views: the name in the URL, the word in the navigation (null: not in it), the key after "g", and its module.
// A module exports show(root, params, context), which may return a promise. `live`: its root is in the document before
// show is called, for what has to be measured.

export const START = "overview";

export const VIEWS = {
  overview: { title: "Overview", key: "o", load: () => import("./views/overview.js") },
  resources: { title: "Resources", key: "r", load: () => import("./views/resources.js") },
  topology: { title: "Topology", key: "t", live: true, load: () => import("./views/topology.js") },
  map: { title: "Map", key: "m", live: true, load: () => import("./views/map.js") },
  changes: { title: "Changes", key: "c", load: () => import("./views/changes.js") },
  trouble: { title: "Trouble", key: "w", load: () => import("./views/trouble.js") },
  polls: { title: "Polls", key: "p", load: () => import("./views/polls.js") },
  saved: { title: "Saved views", key: "s", load: () => import("./views/saved.js") },
  accounts: { title: "Accounts", key: "a", load: () => import("./views/accounts.js") },
  search: { title: null, load: () => import("./views/search.js") },
  resource: { title: null, load: () => import("./views/resource.js") },
  login: { title: null, load: () => import("./views/login.js") },
};
