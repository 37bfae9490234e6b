/* The session: refreshed before it ends, shared between calls and tabs, ended. */
"use strict";

const CREATE = "/chats/Chats/CreateChat";
const ANSWER = { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" };
const NEARLY_S = 870; // 30 s before a token of 15 minutes ends
const PAST_S = 1000;

const refreshes = (t) => t.between.to("/Auth/Token").filter((record) => JSON.parse(record.body).refresh_token);
const error = (status, Id) => ({
  status,
  headers: ANSWER,
  body: JSON.stringify({ Id, Code: status, Detail: "x", Status: "y" }),
});
const forRefresh = (verdict) => (record) => (record.body.includes('"refresh_token"') ? verdict : undefined);

async function loggedIn(t) {
  const page = await t.foreign();
  await t.login(page);
  return page;
}

module.exports = (add) => {
  add("a token with 15 minutes left is not refreshed", async (t) => {
    const page = await loggedIn(t);
    await t.chat(page);
    await t.later(800);
    await t.chat(page);
    t.assert.equal(refreshes(t).length, 0);
  });

  add("a token near its end is refreshed first, and the call sent once", async (t) => {
    const page = await loggedIn(t);
    await t.chat(page);
    await t.later(NEARLY_S);
    await t.chat(page);
    t.assert.equal(refreshes(t).length, 1);
    const [before, after] = t.between.to("CreateChat");
    t.assert.equal(t.between.to("CreateChat").length, 2);
    t.assert.notEqual(before.headers.authorization, after.headers.authorization);
    const paths = t.between.seen.filter((record) => record.method === "POST").map((record) => record.path);
    t.assert.deepEqual(paths.slice(-2), ["/auth/Auth/Token", CREATE]);
    await t.chat(page);
    t.assert.equal(refreshes(t).length, 1, "refreshes after another call");
  });

  add("a browser's wrong clock does not matter", async (t) => {
    await t.later(-5000000);
    const page = await loggedIn(t);
    await t.chat(page);
    await t.later(-5000000 + NEARLY_S);
    await t.chat(page);
    t.assert.equal(refreshes(t).length, 1);
  });

  add("calls at the same time share one refresh", async (t) => {
    const page = await loggedIn(t);
    await t.later(PAST_S);
    await Promise.all([1, 2, 3, 4, 5].map(() => t.chat(page)));
    t.assert.equal(refreshes(t).length, 1);
    t.assert.equal(t.between.to("CreateChat").length, 5);
  });

  add("tabs at the same time share one refresh", async (t) => {
    const pages = [await loggedIn(t), await t.foreign(), await t.foreign()];
    await t.later(PAST_S);
    await Promise.all([...pages, ...pages].map((page) => t.chat(page)));
    t.assert.equal(refreshes(t).length, 1);
    t.assert.equal(t.between.to("CreateChat").length, 6);
  });

  // Chromium can grant a lock to one tab before it shows it what the last holder stored; here, a third of a second late.
  add("tabs share one refresh though the storage is seen late", async (t) => {
    const page = await loggedIn(t);
    const late = await t.foreign();
    await late.evaluate(() => {
      const real = Storage.prototype.getItem.bind(localStorage, localStorage.key(0));
      let last = real();
      let seen = last;
      Storage.prototype.getItem = () => seen;
      setInterval(() => {
        const now = real();
        if (now !== last) setTimeout(() => (seen = now), 333);
        last = now;
      }, 10);
    });
    await t.later(PAST_S);
    let go;
    const gate = new Promise((resolve) => (go = resolve));
    t.between.rule = forRefresh(gate);
    const first = t.chat(page);
    while (refreshes(t).length === 0) await page.waitForTimeout(20);
    const second = t.chat(late);
    await late.waitForTimeout(200); // it waits for the lock by now
    go();
    await Promise.all([first, second]);
    t.assert.equal(refreshes(t).length, 1);
    t.assert.equal(t.between.to("CreateChat").length, 2);
  });

  add("a refresh that fails does not matter while the token lives", async (t) => {
    const page = await loggedIn(t);
    t.between.rule = forRefresh(error(503, "UNAVAILABLE"));
    await t.later(NEARLY_S);
    await t.chat(page);
    t.assert.equal(t.between.to("CreateChat").length, 1);
    t.between.rule = () => undefined;
    await t.chat(page);
    t.assert.equal(refreshes(t).length, 2);
  });

  add("a refresh that fails after the token's end is the call's answer, and the session stays", async (t) => {
    const page = await loggedIn(t);
    t.between.rule = forRefresh(error(503, "UNAVAILABLE"));
    await t.later(PAST_S);
    t.isError(await t.call(page, 503, CREATE, {}), "UNAVAILABLE", 503);
    t.between.rule = forRefresh("half");
    t.isError(await t.call(page, 0, CREATE, {}), "NETWORK_ERROR", 0);
    t.assert.equal(t.between.to("CreateChat").length, 0);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), true);
  });

  add("a session that the service has ended is a 401, and the next login asks", async (t) => {
    const page = await loggedIn(t);
    t.between.rule = forRefresh(error(401, "UNAUTHORIZED"));
    await t.later(NEARLY_S);
    t.isError(await t.call(page, 401, CREATE, {}), "UNAUTHORIZED", 401);
    t.assert.equal(t.between.to("CreateChat").length, 0);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
    const dialog = await t.require(page);
    t.assert.equal(await dialog.isVisible(), true);
  });

  add("requireLogin refreshes an old session, or asks if it has ended", async (t) => {
    const page = await loggedIn(t);
    await t.later(PAST_S);
    await t.require(page, "refreshed");
    await page.waitForFunction(() => window.ran.includes("refreshed"));
    t.assert.equal(refreshes(t).length, 1);
    t.assert.equal(await page.getByRole("dialog").count(), 0);
    t.between.rule = forRefresh(error(401, "UNAUTHORIZED"));
    await t.later(2 * PAST_S);
    const dialog = await t.require(page, "asked");
    await dialog.waitFor();
    await t.fill(page, t.user);
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["login", "refreshed", "asked"]);
  });

  add("a 401 to the call itself is not sent again, and ends the session", async (t) => {
    const page = await loggedIn(t);
    t.between.rule = (record) =>
      record.path === CREATE && record.method === "POST" ? error(401, "UNAUTHORIZED") : undefined;
    t.isError(await t.call(page, 401, CREATE, {}), "UNAUTHORIZED", 401);
    t.assert.equal(await t.settled(() => t.between.to("CreateChat").length), 1);
    t.assert.equal(refreshes(t).length, 0);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
    t.assert.equal(await page.evaluate(() => localStorage.length), 0);
  });

  add("logout forgets the session in every tab, and the service refuses its token", async (t) => {
    const page = await loggedIn(t);
    const tab = await t.foreign();
    const { chat } = await t.chat(tab);
    const { authorization } = t.between.to("CreateChat")[0].headers;
    const list = () =>
      page.request.post(`${t.url}/chats/Chats/ListMessages`, {
        headers: { authorization },
        data: { chat_id: chat.id },
      });
    t.assert.equal((await list()).status(), 200);
    const revoked = page.waitForResponse((response) => response.url().endsWith("/Auth/Revoke"));
    t.assert.equal(await page.evaluate(() => (Micro.logout(), Micro.isLoggedIn())), false);
    t.assert.equal((await revoked).status(), 200);
    t.assert.equal(await tab.evaluate(() => Micro.isLoggedIn()), false);
    t.assert.equal(await page.evaluate(() => localStorage.length), 0);
    t.assert.equal((await list()).status(), 401);
  });

  add("logout without a session sends nothing, and without the network forgets all the same", async (t) => {
    const page = await t.foreign();
    await page.evaluate(() => Micro.logout());
    t.assert.equal(t.between.to("Revoke").length, 0);
    await t.login(page);
    await t.context.setOffline(true);
    await page.evaluate(() => Micro.logout());
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
    await page.waitForTimeout(200);
  });

  add("who logs out during a refresh stays logged out, and the call is not sent", async (t) => {
    const page = await loggedIn(t);
    await t.later(PAST_S);
    let go;
    const gate = new Promise((resolve) => (go = resolve));
    t.between.rule = forRefresh(gate);
    const answer = t.call(page, 401, CREATE, {});
    while (refreshes(t).length === 0) await page.waitForTimeout(20);
    await page.evaluate(() => Micro.logout());
    go();
    t.isError(await answer, "UNAUTHORIZED", 401);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
    t.assert.equal(t.between.to("CreateChat").length, 0);
  });

  add("what another script left in the storage is no session", async (t) => {
    const page = await loggedIn(t);
    for (const junk of ["", "null", "{", "5", '"x"', "{}", "[]", '{"access_token":"x"}']) {
      const isIn = await page.evaluate((junk) => {
        localStorage.setItem(localStorage.key(0), junk);
        return Micro.isLoggedIn();
      }, junk);
      t.assert.equal(isIn, false, junk);
    }
    await t.login(page);
    await t.chat(page);
  });
};
