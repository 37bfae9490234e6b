/*
 * micro.js: calls the chats service from a web page, of any origin.
 *
 *   Micro.requireLogin(callback)                     callback() runs once: at once when logged in, else after the
 *                                                    dialog; never if that is closed without logging in
 *   Micro.post(path, namespace, params, callback)    callback(data, status) runs once, after post has returned
 *   Micro.get(path, namespace, params, callback)     the same for an operation that only reads
 *   Micro.isLoggedIn()                               whether there is a session; the service may still refuse it
 *   Micro.logout()                                   forgets the session, and asks the service to end it
 *   Micro.params()                                   the fields of the page's own query string
 *
 * With status 200, data is the answer. Else it is {Id, Code, Detail, Status}: the service's error, or one made here:
 * INVALID_REQUEST (status 0: nothing was sent), NETWORK_ERROR, INVALID_RESPONSE (0: no whole answer; the call may have
 * taken effect), HTTP_ERROR (a web server's error page). No call is sent twice; but a browser may repeat a request
 * whose connection broke: a message with an `id` is stored once all the same.
 *
 * On the script tag, data-api is the address of the service's mount if this script does not come from there, and
 * data-namespace the namespace to log in to, `micro` if there is none.
 */
(function () {
  "use strict";

  const script = document.currentScript || document.querySelector('script[src*="micro.js"]');
  const { api, namespace: NAMESPACE = "micro" } = script ? script.dataset : {};
  const mount = api ? new URL(api, document.baseURI) : new URL(".", (script && script.src) || document.baseURI);
  const API = (mount.origin + mount.pathname).replace(/\/+$/, "");
  const MARGIN_S = 60; // a token with less time left than this is refreshed before it is used
  const AUTH_LIMIT_MS = 30000; // a refresh holds up all calls, in every tab: not for longer than this
  const SETTLE_MS = 1000; // what one tab has stored is seen by the others after this

  // --- the session: {access_token, refresh_token, ends_at_s}, ends_at_s by this browser's clock

  // It is kept in localStorage: it outlives a reload, all tabs share it, and, unlike a cookie, it goes only where this
  // script sends it. Every script of the page's origin can read it, as it could read a password typed into the page.
  const KEY = `micro ${API} ${NAMESPACE}`; // a page may talk to several services
  let memory = null; // the session where the page may not store: a full or forbidden storage, a sandboxed frame

  function load() {
    try {
      const found = memory || JSON.parse(localStorage.getItem(KEY));
      return found && found.access_token && found.ends_at_s ? found : null;
    } catch {
      return null;
    }
  }

  function store(session) {
    memory = null;
    try {
      if (session) localStorage.setItem(KEY, JSON.stringify(session));
      else localStorage.removeItem(KEY);
    } catch {
      memory = session;
    }
  }

  const isLoggedIn = () => load() !== null;
  const secondsLeft = (session) => session.ends_at_s - Date.now() / 1000;
  const isStale = (session) => secondsLeft(session) < MARGIN_S;
  const isSame = (one, other) => Boolean(one && other) && one.access_token === other.access_token;

  // --- one request, one answer {data, status}

  function failure(id, code, detail, status) {
    return { data: { Id: id, Code: code, Detail: detail, Status: status }, status: code };
  }

  // Throws a TypeError if it cannot be said in HTTP and JSON.
  function prepare(method, path, namespace, params, options) {
    let url = `${API}/${String(path).replace(/^\/+/, "")}`;
    // No redirect is followed: it would send the call a second time, and a POST as a GET.
    const init = { method, headers: {}, credentials: "omit", cache: "no-store", redirect: "error", ...options };
    // A header's value is bytes: those of the UTF-8.
    if (namespace) init.headers["Micro-Namespace"] = String.fromCharCode(...new TextEncoder().encode(namespace));
    if (method === "GET") {
      const fields = Object.entries(params || {}).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
      const query = new URLSearchParams(fields.filter(([, value]) => value !== null && value !== undefined)).toString();
      url += query && (url.includes("?") ? "&" : "?") + query;
    } else {
      init.headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(params || {});
    }
    return new Request(url, init);
  }

  function read(response, text) {
    let data;
    try {
      data = JSON.parse(text);
    } catch {
      data = null;
    }
    const { ok, status, statusText, headers } = response;
    if (ok && !data) return failure("INVALID_RESPONSE", 0, "the answer is not JSON", "Invalid Response");
    if (ok || (data && typeof data.Id === "string")) return { data, status };
    const words = /html/.test(headers.get("Content-Type")) ? "" : text.trim().slice(0, 200);
    return failure("HTTP_ERROR", status, words || `the web server answered ${status}`, statusText || "Error");
  }

  // Never rejects. token: undefined for a call without one.
  async function send(request, token) {
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
    try {
      const response = await fetch(request);
      return read(response, await response.text());
    } catch {
      return failure("NETWORK_ERROR", 0, `no answer from ${API}`, "Network Error");
    }
  }

  // --- getting, refreshing and ending a session

  // fields: {id, secret} or {refresh_token}. Gives {session}, or {failed: answer}.
  async function authenticate(fields) {
    const params = { ...fields, options: { namespace: NAMESPACE } };
    const limit = { signal: AbortSignal.timeout(AUTH_LIMIT_MS) };
    const answer = await send(prepare("POST", "/auth/Auth/Token", "", params, limit));
    if (answer.status !== 200) return { failed: answer };
    const { access_token, refresh_token, created, expiry } = answer.data.token || {};
    // Counted from now: this browser's clock may be wrong, but it knows how long a while is.
    const ends_at_s = Date.now() / 1000 + (expiry - created);
    if (access_token && ends_at_s) return { session: { access_token, refresh_token, ends_at_s } };
    return { failed: failure("INVALID_RESPONSE", 0, "the answer holds no token", "Invalid Response") };
  }

  // Best effort: who logs out while offline is logged out here, and the token ends by itself.
  function revoke(session) {
    const live = secondsLeft(session) > 0 ? session.access_token : undefined;
    const params = { token: live || session.refresh_token };
    send(prepare("POST", "/auth/Auth/Revoke", "", params, { keepalive: true }), live);
  }

  function logout() {
    const session = load();
    store(null);
    if (session) revoke(session);
  }

  // A refresh token works once, and used twice it ends the session. So one refresh runs at a time, and whoever has
  // waited for another's finds it done; even where the lock is handed on before what was stored is seen, as in
  // Chromium. Gives {session} (null: logged out meanwhile), or {failed: answer}.
  async function refreshAlone(give) {
    const old = load();
    if (!old || !isStale(old)) return give({ session: old });
    const { session, failed } = await authenticate({ refresh_token: old.refresh_token });
    const current = load();
    if (!isSame(current, old)) {
      if (session) revoke(session);
      return give({ session: current });
    }
    if (session || failed.status === 401) store(session || null);
    else if (secondsLeft(old) > 0) return give({ session: old }); // it still serves, and the next call tries again
    give({ session, failed });
    if (session) await new Promise((settled) => setTimeout(settled, SETTLE_MS));
  }

  let refreshing = null;
  function refresh() {
    refreshing ||= new Promise((give) => {
      const work = () => refreshAlone(give);
      // Locks reach across tabs; a page of plain http and a sandboxed frame have none.
      if (navigator.locks) navigator.locks.request(KEY, work).catch(work);
      else work();
    }).finally(() => (refreshing = null));
    return refreshing;
  }

  // --- a call

  async function answerTo(method, path, namespace, params) {
    let request;
    try {
      request = prepare(method, path, namespace, params); // before any wait: params as they are at the call
    } catch (error) {
      return failure("INVALID_REQUEST", 0, error.message, "Invalid Request");
    }
    const before = load();
    const { session, failed } = before && isStale(before) ? await refresh() : { session: before };
    if (failed) return failed;
    if (before && !session) return failure("UNAUTHORIZED", 401, "logged out before the call was sent", "Unauthorized");
    const answer = await send(request, session ? session.access_token : undefined);
    if (answer.status === 401 && isSame(load(), session)) store(null);
    return answer;
  }

  function call(method, path, namespace, params, callback) {
    answerTo(method, path, namespace, params).then(({ data, status }) => {
      // As a task of its own, what the callback throws is reported as from any event handler.
      if (typeof callback === "function") queueMicrotask(() => callback(data, status));
    });
  }

  // --- the login

  let host = null; // the open dialog's element in the page
  let waiting = []; // the callbacks that it holds up

  function requireLogin(callback = () => {}) {
    const session = load();
    if (!session) ask(callback);
    else if (!isStale(session)) callback();
    else refresh().then(() => (isLoggedIn() ? queueMicrotask(callback) : ask(callback)));
  }

  function ask(callback) {
    waiting.push(callback);
    if (!host || !host.isConnected) open();
  }

  // In a shadow tree with a sheet of its own, the page's styles and ids and the dialog's do not meet; and built
  // without markup or style attributes, it asks nothing of a Content-Security-Policy.
  const STYLE = `
    :host { all: initial !important; } * { box-sizing: border-box; }
    dialog { --accent: #0b57d0; --on-accent: #fff; --bad: #b3261e; color-scheme: light dark;
      width: 22em; max-width: calc(100vw - 2em); padding: 1.5em; border: 1px solid #8888; border-radius: 0.75em;
      font: medium/1.5 system-ui, sans-serif; color: CanvasText; background: Canvas; overflow-wrap: anywhere; }
    dialog::backdrop { background: rgb(0 0 0 / 0.5); }
    h2 { margin: 0; font-size: 1.375em; }
    p { margin: 0 0 1em; } p:empty { margin: 0; } [role="alert"] { color: var(--bad); }
    label { display: block; font-weight: 600; }
    input { display: block; width: 100%; margin: 0.25em 0 1em; padding: 0.5em; border: 1px solid #767676;
      border-radius: 0.375em; font: inherit; }
    button { margin-right: 0.75em; padding: 0.5em 1.25em; border: 1px solid var(--accent); border-radius: 0.375em;
      font: inherit; color: var(--accent); background: none; cursor: pointer; }
    [type="submit"] { color: var(--on-accent); background: var(--accent); }
    :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
    @media (prefers-color-scheme: dark) { dialog { --accent: #a8c7fa; --on-accent: #062e6f; --bad: #f2b8b5; } }`;

  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  function problemOf({ data, status }) {
    if (status === 401) return "The user name or the password is wrong.";
    if (status === 429) return "Too many failed attempts. Wait a few minutes, then try again.";
    if (status === 0) return "The service cannot be reached. Check the connection, then try again.";
    return `The service cannot log you in now: ${data.Detail} (${status}).`;
  }

  function open() {
    const field = { required: "", autocapitalize: "none", spellcheck: "false", "aria-describedby": "problem" };
    const id = make("input", { id: "id", name: "username", autocomplete: "username", ...field });
    const hidden = { id: "secret", name: "password", type: "password", autocomplete: "current-password" };
    const secret = make("input", { ...hidden, ...field });
    const problem = make("p", { id: "problem", role: "alert" });
    const submit = make("button", { type: "submit" }, "Log in");
    const cancel = make("button", { type: "button" }, "Cancel");
    const form = make("form", {}, make("h2", { id: "title" }, "Log in"), make("p", {}, `to ${mount.host}`));
    form.append(make("label", { for: "id" }, "User name"), id, make("label", { for: "secret" }, "Password"), secret);
    form.append(problem, submit, cancel);
    const dialog = make("dialog", { "aria-labelledby": "title" }, form);
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const mine = (host = make("div", {}));
    const root = mine.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(dialog);

    function end(callbacks) {
      waiting = [];
      dialog.close();
      mine.remove();
      callbacks.forEach((callback) => queueMicrotask(callback));
    }
    cancel.addEventListener("click", () => end([]));
    dialog.addEventListener("close", () => mine.isConnected && end([])); // Escape

    let isBusy = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (isBusy) return;
      isBusy = true;
      problem.textContent = "";
      submit.textContent = "Logging in…";
      const { session, failed } = await authenticate({ id: id.value, secret: secret.value });
      isBusy = false;
      submit.textContent = "Log in";
      if (session && mine.isConnected) {
        store(session);
        end(waiting);
      } else if (session) {
        revoke(session); // closed meanwhile: not logged in
      } else {
        problem.textContent = problemOf(failed);
        secret.select();
      }
    });

    (document.body || document.documentElement).append(mine);
    dialog.showModal();
  }

  const [post, get] = ["POST", "GET"].map((method) => call.bind(null, method));
  const params = () => Object.fromEntries(new URLSearchParams(location.search));
  window.Micro = { post, get, requireLogin, isLoggedIn, logout, params };
})();
