/* index.html: what the service shows of itself. */
"use strict";
const { contrasts } = require("../contrast.js");

async function tryAll(t, page) {
  await page.getByLabel("Your user name").fill(t.user.id);
  await page.getByLabel("The other user").fill(t.other.id);
  const answers = {};
  for (const name of ["CreateChat", "SendMessage", "ListMessages"]) {
    await page.getByRole("button", { name: `Run ${name}` }).click();
    if (name === "CreateChat") {
      await page.getByRole("dialog", { name: "Log in" }).waitFor();
      await t.fill(page, t.user);
    }
    const answer = page.getByRole("status", { name: `The answer to ${name}` });
    await answer.waitFor();
    const [status, ...rest] = (await answer.textContent()).split("\n");
    t.assert.equal(status, "200", rest.join("\n"));
    answers[name] = JSON.parse(rest.join("\n"));
  }
  return answers;
}

module.exports = (add) => {
  add("the page runs the three snippets and shows their answers", async (t) => {
    const page = await t.goto(`${t.url}/`);
    await page.getByText("You are not logged in.").waitFor();
    const { CreateChat, SendMessage, ListMessages } = await tryAll(t, page);
    t.assert.deepEqual(CreateChat.chat.user_ids, [t.user.id, t.other.id].sort());
    t.assert.equal(SendMessage.message.chat_id, CreateChat.chat.id);
    t.assert.equal(SendMessage.message.text, "Hey whats up?");
    t.assert.deepEqual(ListMessages.messages[0], SendMessage.message);
    const code = await page.locator("#code-SendMessage").textContent();
    t.assert.ok(code.includes(`"chat_id": "${CreateChat.chat.id}"`), code);
    t.assert.equal(await page.locator("#tag").textContent(), `<script src="${t.url}/micro.js"></script>`);
    await page.getByText("You are logged in.").waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByText("You are not logged in.").waitFor();
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
  });

  add("the code that the page shows is the code that it runs", async (t) => {
    const page = await t.goto(`${t.url}/`);
    await t.login(page);
    await page.getByLabel("Your user name").fill(t.user.id);
    await page.getByLabel("The other user").fill(`${t.other.id} "quoted" </code>`);
    const code = await page.locator("#code-CreateChat").textContent();
    await page.getByRole("button", { name: "Run CreateChat" }).click();
    await page.getByRole("status", { name: "The answer to CreateChat" }).waitFor();
    const foreign = await t.foreign();
    await t.login(foreign);
    await foreign.evaluate(code);
    for (let i = 0; i < 50 && t.between.to("CreateChat").length < 2; i++) await page.waitForTimeout(50);
    const [one, two] = t.between.to("CreateChat");
    t.assert.equal(one.body, two.body);
  });

  add("the page shows an error as the service gave it, and one of the web server", async (t) => {
    const page = await t.goto(`${t.url}/`);
    await t.login(page);
    await page.getByRole("button", { name: "Run ListMessages" }).click();
    const answer = page.getByRole("status", { name: "The answer to ListMessages" });
    await answer.filter({ hasText: "MISSING_CHAT_ID" }).waitFor();
    t.assert.match(await answer.textContent(), /^400\n/);
    t.between.rule = (record) =>
      record.path.endsWith("ListMessages") ? { status: 502, headers: {}, body: "bad gateway" } : undefined;
    await page.getByRole("button", { name: "Run ListMessages" }).click();
    await answer.filter({ hasText: "HTTP_ERROR" }).waitFor();
    t.assert.match(await answer.textContent(), /^502\n/);
  });

  add("an open service is called without a login", async (t) => {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ Id: "NOT_FOUND", Code: 404, Detail: "Chat not found", Status: "Not Found" });
    t.between.rule = (record) => {
      if (record.path.endsWith("ListMessages")) return { status: 404, headers, body };
      if (record.path.endsWith("CreateChat")) return { status: 200, headers, body: '{"chat":{"id":"jane-john"}}' };
      return undefined;
    };
    const page = await t.goto(`${t.url}/index.html`);
    await page.getByText("This server is open").waitFor();
    await page.getByRole("button", { name: "Run CreateChat" }).click();
    await page.getByRole("status", { name: "The answer to CreateChat" }).filter({ hasText: "jane-john" }).waitFor();
    t.assert.equal(await page.getByRole("dialog").count(), 0);
    t.assert.equal(await page.getByLabel("Chat", { exact: true }).inputValue(), "jane-john");
    t.assert.deepEqual(JSON.parse(t.between.to("CreateChat")[0].body), { user_ids: ["jane", "john"] });
  });

  for (const [name, options] of [
    ["light", { viewport: { width: 1280, height: 900 }, colorScheme: "light" }],
    ["dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" }],
    ["390", { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true }],
    ["390-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark", isMobile: true, hasTouch: true }],
    ["320", { viewport: { width: 320, height: 640 }, colorScheme: "light", isMobile: true, hasTouch: true }],
  ]) {
    add(
      `the page fits and is readable: ${name}`,
      async (t) => {
        const page = await t.goto(`${t.url}/`);
        await page.getByText("You are not logged in.").waitFor();
        await t.screenshot(page, `page-${name}`);
        await tryAll(t, page);
        await page.getByLabel("Chat", { exact: true }).fill("");
        await page.getByRole("button", { name: "Run SendMessage" }).click();
        await page.getByText("MISSING_CHAT_ID").waitFor();
        await t.screenshot(page, `page-${name}-answers`, { fullPage: true });
        const { scrollWidth, innerWidth } = await page.evaluate(() => ({
          scrollWidth: document.documentElement.scrollWidth,
          innerWidth,
        }));
        t.assert.ok(
          scrollWidth <= options.viewport.width && innerWidth === options.viewport.width,
          `${scrollWidth} in ${innerWidth}`,
        );
        t.assert.deepEqual(
          (await contrasts(page.locator("body"))).filter(({ ratio }) => ratio < 4.5),
          [],
        );
        const small = await page
          .getByRole("button")
          .evaluateAll(
            (buttons) => buttons.filter((b) => b.checkVisibility() && b.getBoundingClientRect().height < 24).length,
          );
        t.assert.equal(small, 0, "buttons too small for a finger (WCAG 2.2, 2.5.8)");
      },
      options,
    );
  }
};
