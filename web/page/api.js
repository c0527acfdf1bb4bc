// The REST service: every request of the page goes through here.

export const BASE = "/api/v1";
const SLOW_MS = 10000;

let csrf = null; // of the session's cookie; null where there is none
const answers = new Map(); // address -> {etag, body}: an unchanged answer is not sent again
const MOST_ANSWERS = 50;

/** Tells the page which requests take long: "slow" and "done" events with {id, path, started, cancel}. */
export const activity = new EventTarget();
let requests = 0;

/** An answer that is an error: RFC 9457, or what stands for it where nothing answered. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.name = "Problem";
    this.status = status;
    this.title = body.title || `HTTP ${status}`;
    this.detail = body.detail || "";
    this.requestId = body.request_id || null;
    this.errors = body.errors || [];
    this.candidates = body.candidates || null;
    this.body = body;
  }

  /** What a person can do about it. */
  get todo() {
    if (this.status === 0) return "Check that flexlocal serve still runs and can be reached, then try again.";
    if (this.status === 401) return "Log in with a token.";
    if (this.status === 403)
      return "Your token has no right to this: ask for one with the scope or account that is named.";
    if (this.status === 404) return "Check the id, the account and the time that is shown.";
    if (this.status === 409 && this.candidates) return "Choose one of them.";
    if (this.status === 429) return "Too many requests: wait a moment, then try again.";
    if (this.status >= 500) return "Try again; if it stays, hand the request id to whoever runs the service.";
    return "Change what is asked for, then try again.";
  }
}

/** "/resources" and {type: "server", account: null} -> "/api/v1/resources?type=server". Arrays repeat a parameter. */
export function address(path, params = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") query.append(name, each);
    }
  }
  const text = query.toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

/** The JSON of an answer. Raises Problem; or AbortError, when cancelled. */
export async function get(path, params = {}, { signal } = {}) {
  const url = address(path, params);
  const known = answers.get(url);
  const headers = { Accept: "application/json" };
  if (known) headers["If-None-Match"] = known.etag;
  const response = await request(url, { headers }, signal);
  if (response.status === 304 && known) return known.body;
  const body = await read(response);
  const etag = response.headers.get("ETag");
  answers.delete(url);
  if (etag) {
    answers.set(url, { etag, body });
    if (answers.size > MOST_ANSWERS) answers.delete(answers.keys().next().value);
  }
  return body;
}

/** A write: POST, PUT or DELETE. */
export async function send(method, path, body = null, { signal } = {}) {
  const headers = { Accept: "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (body !== null) headers["Content-Type"] = "application/json";
  const payload = body === null ? undefined : JSON.stringify(body);
  return read(await request(`${BASE}${path}`, { method, headers, body: payload }, signal));
}

/** All pages of a list, up to `most` items: {items, more}. */
export async function all(path, params = {}, { signal, most = 1000 } = {}) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, { ...params, cursor }, { signal });
    items.push(...page.items);
    cursor = page.next || null;
  } while (cursor && items.length < most);
  return { items: items.slice(0, most), more: Boolean(cursor) || items.length > most };
}

export async function logIn(token) {
  const session = await send("POST", "/session", { token });
  csrf = session.csrf || null;
  answers.clear();
  return session;
}

export async function logOut() {
  await send("DELETE", "/session");
  csrf = null;
  answers.clear();
}

/** Who is logged in with a cookie; null for nobody. */
export async function session() {
  try {
    const found = await get("/session");
    csrf = found.csrf || null;
    return found;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

async function request(url, options, signal) {
  const own = new AbortController();
  const stop = () => own.abort();
  if (signal) {
    if (signal.aborted) own.abort();
    signal.addEventListener("abort", stop, { once: true });
  }
  const about = { id: ++requests, path: url, started: Date.now(), cancel: stop };
  const slow = setTimeout(() => emit("slow", about), SLOW_MS);
  try {
    return await fetch(url, { ...options, signal: own.signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "No answer", detail: "The service did not answer." });
  } finally {
    clearTimeout(slow);
    emit("done", about);
    if (signal) signal.removeEventListener("abort", stop);
  }
}

function emit(name, detail) {
  activity.dispatchEvent(new CustomEvent(name, { detail }));
}

async function read(response) {
  if (response.status === 204) return null;
  const text = await response.text();
  let body = null;
  try {
    body = text ? JSON.parse(text) : null;
  } catch {
    body = {
      title: `HTTP ${response.status}`,
      detail: "The answer is not JSON: is something between this page and its service?",
    };
    if (response.ok) throw new Problem(response.status, body);
  }
  if (response.ok) return body;
  const problem = { request_id: response.headers.get("X-Request-ID"), ...(body || {}) };
  throw new Problem(response.status, problem);
}
