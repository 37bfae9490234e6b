/* Calls: the documented snippets, and what a callback gets. */
"use strict";
const fs = require("fs");
const path = require("path");

const CREATE = "/chats/Chats/CreateChat";
const SEND = "/chats/Chats/SendMessage";
const LIST = "/chats/Chats/ListMessages";

// The snippet as the documentation prints it, with the script's address and the values of its user.
function snippet(t, operation, chat) {
  const printed = fs.readFileSync(path.join(__dirname, "..", "snippets", `${operation}.html`), "utf8");
  const values = {
    "https://web.m3o.com/assets/micro.js": `${t.url}/micro.js`,
    jane: t.user.id,
    john: t.other.id,
    "3c9ea66c-d516-45d4-abe8-082089e18b27": chat,
  };
  return Object.entries(values).reduce((text, [old, value]) => text.replaceAll(old, value), printed);
}

async function paste(t, operation, chat) {
  const html = `<!DOCTYPE html><title>Their page</title>${snippet(t, operation, chat)}<h1>Their page</h1>`;
  const said = [];
  const page = await t.goto("about:blank");
  page.on("console", (message) => said.push(message.text()));
  await page.goto(t.site.put(html));
  if (!(await page.evaluate(() => Micro.isLoggedIn()))) {
    await page.getByRole("dialog", { name: "Log in" }).waitFor();
    t.assert.deepEqual(said, [], "what ran before the login");
    await t.fill(page, t.user);
  }
  await page.waitForFunction(() => Micro.isLoggedIn());
  const successes = () => said.filter((text) => text === "Success.").length;
  for (let i = 0; i < 50 && successes() === 0; i++) await new Promise((resolve) => setTimeout(resolve, 50));
  t.assert.equal(await t.settled(successes), 1, `how often "Success." was said, with ${said}`);
  const sent = t.between.to(operation);
  t.assert.equal(sent.length, 1, "how often the call was sent");
  t.assert.equal(sent[0].status, 200, sent[0].answer);
  await page.close();
  return JSON.parse(sent[0].answer);
}

const page502 = (headers) => ({
  status: 502,
  headers: { "Content-Type": "text/html", ...headers },
  body: "<h1>502 Bad Gateway</h1>",
});
const ANYONE = { "Access-Control-Allow-Origin": "*" };
// What the service does for this operation, but not for preflights and other calls.
const instead = (operation, verdict) => (record) =>
  record.method !== "OPTIONS" && record.path.endsWith(operation) ? verdict : undefined;

module.exports = (add) => {
  add("the documented snippets work as printed on another origin, after one login", async (t) => {
    const { chat } = await paste(t, "CreateChat", "");
    t.assert.deepEqual(chat.user_ids, [t.user.id, t.other.id].sort());
    const { message } = await paste(t, "SendMessage", chat.id);
    t.assert.deepEqual([message.author_id, message.chat_id, message.text], [t.user.id, chat.id, "Hey whats up?"]);
    const { messages } = await paste(t, "ListMessages", chat.id);
    t.assert.deepEqual(messages[0], message);
    t.assert.equal(t.between.to("/Auth/Token").length, 1, "logins");
  });

  add("the callback runs once with the data and the status", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    const { chat } = await t.chat(page);
    const fields = { chat_id: chat.id, author_id: t.user.id, text: "Hey whats up? 🐸" };
    const { message } = await t.call(page, 200, SEND, fields);
    t.assert.equal(message.text, fields.text);
    const { messages } = await t.call(page, 200, LIST, { chat_id: chat.id });
    t.assert.deepEqual(messages[0], message);
    const sent = t.between.to("SendMessage");
    t.assert.equal(sent.length, 1);
    t.assert.deepEqual(JSON.parse(sent[0].body), fields);
    t.assert.equal(sent[0].headers["micro-namespace"], "micro");
    t.assert.match(sent[0].headers.authorization, /^Bearer \S+$/);
    t.assert.equal(sent[0].headers.cookie, undefined);
  });

  add("a path works with its leading slash, without it, and with two", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    const ids = [];
    for (const one of [CREATE, CREATE.slice(1), `/${CREATE}`]) {
      ids.push((await t.call(page, 200, one, { user_ids: [t.user.id, t.other.id] })).chat.id);
    }
    t.assert.equal(new Set(ids).size, 1);
    t.assert.deepEqual(
      t.between.to("CreateChat").map((record) => record.path),
      [CREATE, CREATE, CREATE],
    );
  });

  add("the service's error is the data, its status the status", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    t.isError(await t.call(page, 400, CREATE, {}), "MISSING_USER_IDs", 400);
    t.isError(await t.call(page, 404, LIST, { chat_id: "no such chat" }), "NOT_FOUND", 404);
    t.isError(await t.call(page, 404, "/chats/Chats/Nothing", {}), "UNKNOWN_OPERATION", 404);
  });

  add("a call without a session is sent without a token", async (t) => {
    const page = await t.foreign();
    t.isError(await t.call(page, 401, CREATE, { user_ids: ["a", "b"] }), "UNAUTHORIZED", 401);
    t.assert.equal(t.between.to("CreateChat")[0].headers.authorization, undefined);
  });

  add("a get has its fields in the query, a list repeated", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    const { chat } = await t.chat(page);
    const fields = { chat_id: chat.id, limit: 1, order: null };
    const { messages } = await t.call(page, 200, LIST, fields, { method: "get" });
    t.assert.ok(messages.length <= 1);
    t.assert.equal(t.between.to("ListMessages")[0].search, `?chat_id=${chat.id}&limit=1`);
    t.assert.equal(t.between.to("ListMessages")[0].method, "GET");
    const got = await t.calls(page, CREATE, { user_ids: ["a", "b&c"] }, { method: "get" });
    t.isError(got[0][0], "METHOD_NOT_ALLOWED", 405);
    t.assert.equal(t.between.to("CreateChat")[1].search, "?user_ids=a&user_ids=b%26c");
  });

  add("a namespace beyond ASCII is sent as its UTF-8", async (t) => {
    const page = await t.foreign();
    await t.call(page, 401, LIST, { chat_id: "x" }, { namespace: "zürich 🐸" });
    const sent = t.between.to("ListMessages")[0].headers["micro-namespace"];
    t.assert.equal(Buffer.from(sent, "latin1").toString("utf8"), "zürich 🐸");
  });

  add("the service is the script's own mount", async (t) => {
    t.between.prefix = "/sub/deeper";
    const page = await t.goto(t.site.put(`<!DOCTYPE html><script src="${t.url}/sub/deeper/micro.js?v=2"></script>`));
    await t.login(page);
    await t.chat(page);
    t.assert.equal(t.between.to("CreateChat")[0].path, `/sub/deeper${CREATE}`);
    t.assert.equal(t.between.to("Token")[0].path, "/sub/deeper/auth/Auth/Token");
  });

  add("data-api says where the service is", async (t) => {
    const script = fs.readFileSync(path.join(__dirname, "../../../src/web/micro.js"), "utf8");
    const page = await t.goto(t.site.put(`<!DOCTYPE html><script data-api="${t.url}/">${script}</script>`));
    await t.login(page);
    await t.chat(page);
    t.assert.equal(t.between.to("CreateChat")[0].path, CREATE);
  });

  add("data-namespace says which namespace to log in to", async (t) => {
    const page = await t.foreign("", { attributes: 'data-namespace="nobody is here"' });
    await t.require(page);
    await t.fill(page, t.user);
    await page.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
    const options = { namespace: "nobody is here" };
    t.assert.deepEqual(JSON.parse(t.between.to("Token")[0].body), { ...t.user, options });
  });

  add("params are the fields of the page's query", async (t) => {
    const page = await t.goto(`${t.site.put(`<!DOCTYPE html>${t.tag()}`)}?postID=a%20b&x=&__proto__=1`);
    t.assert.equal(
      await page.evaluate(() => JSON.stringify(Micro.params())),
      '{"postID":"a b","x":"","__proto__":"1"}',
    );
  });

  add("with the network down the callback gets an error and status 0", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    await t.context.setOffline(true);
    t.isError(await t.call(page, 0, CREATE, {}), "NETWORK_ERROR", 0);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), true);
    await t.context.setOffline(false);
    await t.chat(page);
  });

  add("a service that nobody answers for is a network error", async (t) => {
    const page = await t.foreign("", { attributes: 'data-api="http://127.0.0.1:9/"' });
    t.isError(await t.call(page, 0, CREATE, {}), "NETWORK_ERROR", 0);
  });

  add("an answer that breaks off is a network error", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    t.between.rule = instead("CreateChat", "half");
    t.isError(await t.call(page, 0, CREATE, {}), "NETWORK_ERROR", 0);
    t.assert.equal(t.between.to("CreateChat").length, 1);
  });

  // Chromium itself repeats a request when a connection that it has used before breaks.
  add("a message with an id is stored once, though its answer is lost and the browser sends it again", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    const { chat } = await t.chat(page);
    const id = `once ${Date.now()}`;
    t.between.rule = (record) =>
      record.body.includes(id) && t.between.to("SendMessage").length === 1 ? "lose" : undefined;
    const got = await t.calls(page, SEND, { id, chat_id: chat.id, text: "Hey whats up?" });
    t.assert.equal(got.length, 1, "how often the callback ran");
    const { messages } = await t.call(page, 200, LIST, { chat_id: chat.id });
    t.assert.equal(messages.filter((message) => message.id === id).length, 1);
    const sent = t.between.to("SendMessage");
    t.assert.deepEqual(got[0][1], sent.length === 1 ? 0 : 200);
    t.assert.equal(new Set(sent.map((record) => record.answer)).size, 1);
  });

  add("a 500 of the service reaches the callback", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    const error = { Id: "DATABASE_ERROR", Code: 500, Detail: "Database error", Status: "Internal Server Error" };
    const headers = { "Content-Type": "application/json", ...ANYONE };
    t.between.rule = instead("CreateChat", { status: 500, headers, body: JSON.stringify(error) });
    t.assert.deepEqual(await t.call(page, 500, CREATE, {}), error);
    t.assert.equal(t.between.to("CreateChat").length, 1);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), true);
  });

  add("a web server's error page reaches the callback as an error", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    t.between.rule = instead("CreateChat", page502(ANYONE));
    t.isError(await t.call(page, 502, CREATE, {}), "HTTP_ERROR", 502);
    const headers = { "Content-Type": "text/plain", ...ANYONE };
    t.between.rule = instead("CreateChat", { status: 503, headers, body: "too busy\n" });
    const plain = await t.call(page, 503, CREATE, {});
    t.isError(plain, "HTTP_ERROR", 503);
    t.assert.equal(plain.Detail, "too busy");
    t.between.rule = instead("CreateChat", { status: 500, headers: ANYONE, body: '{"error":"of another kind"}' });
    t.isError(await t.call(page, 500, CREATE, {}), "HTTP_ERROR", 500);
    t.between.rule = instead("CreateChat", { status: 500, headers: ANYONE, body: "" });
    t.isError(await t.call(page, 500, CREATE, {}), "HTTP_ERROR", 500);
  });

  add("an error page without CORS headers is a network error on another origin", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    t.between.rule = instead("CreateChat", page502({}));
    t.isError(await t.call(page, 0, CREATE, {}), "NETWORK_ERROR", 0);
  });

  add("a 200 that is not JSON is no success", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    t.between.rule = instead("CreateChat", { status: 200, headers: ANYONE, body: "<h1>Welcome to the hotel</h1>" });
    t.isError(await t.call(page, 0, CREATE, {}), "INVALID_RESPONSE", 0);
  });

  add("a redirect is not followed", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    t.between.rule = instead("CreateChat", { status: 307, headers: { Location: `${t.url}${LIST}`, ...ANYONE } });
    t.isError(await t.call(page, 0, CREATE, {}), "NETWORK_ERROR", 0);
    t.assert.equal(t.between.to("ListMessages").length, 0);
  });

  add("params that cannot be said in JSON are an error, and nothing is sent", async (t) => {
    const page = await t.foreign();
    const got = await page.evaluate(async () => {
      const circle = {};
      circle.circle = circle;
      const answers = [];
      for (const params of [circle, { text: 1n }]) {
        await new Promise((resolve) => {
          Micro.post("/chats/Chats/CreateChat", "micro", params, (data, status) =>
            resolve(answers.push([data, status])),
          );
        });
      }
      return answers;
    });
    t.assert.equal(got.length, 2);
    for (const [data, status] of got) {
      t.assert.equal(status, 0);
      t.isError(data, "INVALID_REQUEST", 0);
    }
    t.assert.equal(t.between.to("CreateChat").length, 0);
  });

  add("params are sent as they were at the call", async (t) => {
    const page = await t.foreign();
    await page.evaluate(() => {
      const params = { chat_id: "before" };
      Micro.post("/chats/Chats/ListMessages", "micro", params, () => (window.done = true));
      params.chat_id = "after";
    });
    await page.waitForFunction(() => window.done);
    t.assert.equal(t.between.to("ListMessages")[0].body, '{"chat_id":"before"}');
  });

  add("a callback that throws runs once, and the page hears of its error", async (t) => {
    const page = await t.foreign();
    t.expected.push(/^uncaught: mine$/);
    await page.evaluate(() => {
      window.count = 0;
      Micro.post("/chats/Chats/ListMessages", "micro", {}, () => {
        window.count += 1;
        throw new Error("mine");
      });
    });
    await page.waitForFunction(() => window.count > 0);
    await page.waitForTimeout(200);
    t.assert.equal(await page.evaluate(() => window.count), 1);
    t.assert.deepEqual(t.troubles, ["uncaught: mine"]);
  });
};
