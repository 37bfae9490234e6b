/* The login dialog. */
"use strict";

const dialogOf = (page) => page.getByRole("dialog", { name: "Log in" });
const focused = (page) =>
  page.evaluate(() => {
    const inner = document.activeElement.shadowRoot
      ? document.activeElement.shadowRoot.activeElement
      : document.activeElement;
    return inner.id || inner.textContent || inner.tagName;
  });

module.exports = (add) => {
  add("a wrong password: the dialog says so and stays", async (t) => {
    const page = await t.foreign();
    const dialog = await t.require(page);
    await t.fill(page, { id: t.user.id, secret: "not the password" });
    await dialog.getByRole("alert").filter({ hasText: "The user name or the password is wrong." }).waitFor();
    t.assert.equal(await focused(page), "secret");
    t.assert.deepEqual(await t.ran(page), []);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
    await t.screenshot(page, "dialog-wrong-password");
    await t.fill(page, t.user);
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["once"]);
  });

  add("the dialog has labels, focus, an order, and Enter submits", async (t) => {
    const page = await t.foreign('<button id="before">Before</button><label>User name<input id="theirs"></label>');
    await page.locator("#before").focus();
    const dialog = await t.require(page);
    t.assert.equal(await dialog.evaluate((e) => e.matches(":modal")), true);
    t.assert.equal(await focused(page), "id");
    t.assert.equal(
      (await dialog.ariaSnapshot()).replace(/127\.0\.0\.1:\d+/, "HOST"),
      [
        '- dialog "Log in":',
        '  - heading "Log in" [level=2]',
        "  - paragraph: to HOST",
        "  - text: User name",
        '  - textbox "User name"',
        "  - text: Password",
        '  - textbox "Password"',
        "  - alert",
        '  - button "Log in"',
        '  - button "Cancel"',
      ].join("\n"),
    );
    const order = [];
    for (let i = 0; i < 4; i++) {
      order.push(await focused(page));
      await page.keyboard.press("Tab");
    }
    t.assert.deepEqual(order, ["id", "secret", "Log in", "Cancel"]);
    const attributes = await dialog
      .locator("input")
      .evaluateAll((inputs) =>
        inputs.map((input) => [input.type, input.autocomplete, input.getAttribute("aria-describedby")]),
      );
    t.assert.deepEqual(attributes, [
      ["text", "username", "problem"],
      ["password", "current-password", "problem"],
    ]);
    await dialog.getByLabel("User name").fill(t.user.id);
    await page.keyboard.press("Tab");
    await page.keyboard.type(t.user.secret);
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["once"]);
    t.assert.equal(await focused(page), "before");
  });

  add("an empty field is not sent", async (t) => {
    const page = await t.foreign();
    const dialog = await t.require(page);
    await dialog.getByLabel("User name").fill(t.user.id);
    await page.keyboard.press("Enter");
    t.assert.equal(await focused(page), "secret");
    t.assert.equal(t.between.to("Token").length, 0);
  });

  for (const [how, close] of [
    ["Escape", (page) => page.keyboard.press("Escape")],
    ["Cancel", (page) => dialogOf(page).getByRole("button", { name: "Cancel" }).click()],
  ]) {
    add(`${how} closes the dialog, and the callback never runs`, async (t) => {
      const page = await t.foreign('<button id="before">Before</button>');
      await page.locator("#before").focus();
      const before = await page.content();
      const dialog = await t.require(page, "closed");
      await close(page);
      await dialog.waitFor({ state: "detached" });
      t.assert.equal(await page.content(), before);
      t.assert.equal(await focused(page), "before");
      await t.login(page);
      t.assert.deepEqual(await t.ran(page), ["login"]);
    });
  }

  add("who closes the dialog while it logs in is not logged in", async (t) => {
    const page = await t.foreign();
    const dialog = await t.require(page);
    let go;
    const gate = new Promise((resolve) => (go = resolve));
    t.between.rule = (record) => (record.path.endsWith("/Token") ? gate : undefined);
    await t.fill(page, t.user);
    await dialog.getByRole("button", { name: "Logging in…" }).waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    const revoked = page.waitForResponse((response) => response.url().endsWith("/Auth/Revoke") && response.ok());
    go();
    await revoked;
    t.assert.deepEqual(await t.ran(page), []);
    t.assert.equal(await page.evaluate(() => Micro.isLoggedIn()), false);
    t.assert.equal(await page.evaluate(() => localStorage.length), 0);
  });

  add("a second Enter while it logs in sends nothing", async (t) => {
    const page = await t.foreign();
    const dialog = await t.require(page);
    let go;
    const gate = new Promise((resolve) => (go = resolve));
    t.between.rule = (record) => (record.path.endsWith("/Token") ? gate : undefined);
    await t.fill(page, t.user);
    await dialog.getByLabel("Password").press("Enter");
    await dialog.getByLabel("Password").press("Enter");
    go();
    await dialog.waitFor({ state: "detached" });
    t.assert.equal(t.between.to("Token").length, 1);
    t.assert.deepEqual(await t.ran(page), ["once"]);
  });

  add("once logged in the callback runs at once, after a reload and in another tab, too", async (t) => {
    const page = await t.foreign();
    await t.login(page);
    const atOnce = () => {
      let ran = 0;
      Micro.requireLogin(() => (ran += 1));
      return [ran, document.querySelectorAll("body > div").length];
    };
    t.assert.deepEqual(await page.evaluate(atOnce), [1, 0]);
    await page.reload();
    t.assert.deepEqual(await page.evaluate(atOnce), [1, 0]);
    const tab = await t.foreign();
    t.assert.deepEqual(await tab.evaluate(atOnce), [1, 0]);
    t.assert.equal(t.between.to("Token").length, 1);
  });

  add("several that require a login share one dialog, and run in their order", async (t) => {
    const page = await t.foreign();
    for (const name of ["first", "second", "third"]) await t.require(page, name);
    t.assert.equal(await dialogOf(page).count(), 1);
    await t.fill(page, t.user);
    await dialogOf(page).waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["first", "second", "third"]);
    t.assert.equal(t.between.to("Token").length, 1);
  });

  add("a page that throws its content away gets a new dialog", async (t) => {
    const page = await t.foreign();
    await t.require(page, "first");
    await page.evaluate(() => document.body.replaceChildren());
    await t.require(page, "second");
    await t.fill(page, t.user);
    await dialogOf(page).waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["first", "second"]);
  });

  add("in the head of a page that is not there yet the dialog opens all the same", async (t) => {
    const early = '<script>Micro.requireLogin(() => (window.ran = ["early"]))</script>';
    const page = await t.goto(t.site.put(`<!DOCTYPE html><head>${t.tag()}${early}</head><p>Text`));
    await t.fill(page, t.user);
    await dialogOf(page).waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["early"]);
  });

  add("the dialog and the page do not touch each other", async (t) => {
    const hostile =
      "div, dialog, form, label, input, button, h2, p " +
      "{ display: none !important; color: yellow !important; font-size: 3px !important }";
    const page = await t.foreign(`<style>${hostile}</style><main id="title">Their page</main>`);
    const look = () =>
      page.evaluate(() =>
        JSON.stringify(
          [...document.querySelectorAll("body, main")].map((e) =>
            Object.values(getComputedStyle(e)).map((n) => getComputedStyle(e)[n]),
          ),
        ),
      );
    const before = [await page.content(), await look()];
    const dialog = await t.require(page);
    t.assert.equal(await dialog.isVisible(), true);
    t.assert.equal((await page.content()).replace("<div></div>", ""), before[0]);
    t.assert.equal(await look(), before[1]);
    const label = await dialog
      .getByText("User name")
      .evaluate((e) => [getComputedStyle(e).color, getComputedStyle(e).fontSize]);
    t.assert.deepEqual(label, ["rgb(0, 0, 0)", "16px"]);
    await t.fill(page, t.user);
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual([await page.content(), await look()], before);
  });

  add("the dialog works under a strict Content-Security-Policy", async (t) => {
    const policy =
      `default-src 'none'; script-src ${t.url}; connect-src ${t.url}; form-action 'none'; base-uri 'none'; ` +
      "require-trusted-types-for 'script'; trusted-types 'none'";
    const page = await t.foreign("<h1>Strict</h1>", { headers: { "Content-Security-Policy": policy } });
    await page.evaluate(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
    });
    const dialog = await t.require(page);
    const look = await dialog.evaluate((e) => [
      getComputedStyle(e).paddingTop,
      getComputedStyle(e.querySelector("label")).fontWeight,
    ]);
    t.assert.deepEqual(look, ["24px", "600"]);
    await t.fill(page, { id: t.user.id, secret: "not the password" });
    await dialog.getByRole("alert").filter({ hasText: "wrong" }).waitFor();
    await t.fill(page, t.user);
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["once"]);
    await t.chat(page);
    t.assert.deepEqual(await page.evaluate(() => window.violations), []);
  });

  add("the dialog says when the service is away, busy or broken, and stays", async (t) => {
    const page = await t.foreign();
    const dialog = await t.require(page);
    const answers = (status, Id, Detail) => ({
      status,
      headers: { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" },
      body: JSON.stringify({ Id, Code: status, Detail, Status: "x" }),
    });
    for (const [verdict, words] of [
      ["half", "cannot be reached"],
      [{ status: 502, headers: {}, body: "Bad Gateway" }, "cannot be reached"],
      [{ status: 502, headers: { "Access-Control-Allow-Origin": "*" }, body: "Bad Gateway" }, "Bad Gateway (502)"],
      [answers(429, "TOO_MANY_REQUESTS", "try again in 800 s"), "Too many failed attempts"],
      [answers(503, "UNAVAILABLE", "the store is busy"), "the store is busy (503)"],
      [{ ...answers(200), body: "{}" }, "cannot be reached"],
    ]) {
      t.between.rule = (record) => (record.method === "POST" ? verdict : undefined);
      await t.fill(page, t.user);
      await dialog.getByRole("alert").filter({ hasText: words }).waitFor();
      t.assert.deepEqual(await t.ran(page), []);
    }
    t.between.rule = () => undefined;
    await t.fill(page, t.user);
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual(await t.ran(page), ["once"]);
  });

  add("a sandboxed frame may not store, and is logged in until it is reloaded", async (t) => {
    const inner = t.site.put(`<!DOCTYPE html><title>inner</title>${t.tag()}`);
    const page = await t.goto(
      t.site.put(
        `<!DOCTYPE html><iframe sandbox="allow-scripts allow-forms" src="${inner}" width="500" height="500"></iframe>`,
      ),
    );
    const frame = page.frames()[1];
    await frame.waitForLoadState();
    await frame.evaluate(() => Micro.requireLogin(() => (window.ran = (window.ran || 0) + 1)));
    const dialog = frame.getByRole("dialog", { name: "Log in" });
    await dialog.getByLabel("User name").fill(t.user.id);
    await dialog.getByLabel("Password").fill(t.user.secret);
    await dialog.getByLabel("Password").press("Enter");
    await dialog.waitFor({ state: "detached" });
    t.assert.deepEqual(await frame.evaluate(() => [window.ran, Micro.isLoggedIn()]), [1, true]);
    await t.later(870);
    const chats = await Promise.all([t.chat(frame), t.chat(frame), t.chat(frame)]);
    t.assert.equal(new Set(chats.map(({ chat }) => chat.id)).size, 1);
    t.assert.equal(t.between.to("Token").length, 2, "one login and, without locks, one refresh");
    await frame.evaluate(() => Micro.logout());
    t.assert.equal(await frame.evaluate(() => Micro.isLoggedIn()), false);
  });

  for (const [name, options] of [
    ["light", { viewport: { width: 1280, height: 800 }, colorScheme: "light" }],
    ["dark", { viewport: { width: 1280, height: 800 }, colorScheme: "dark" }],
    ["390", { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true }],
    ["390-dark", { viewport: { width: 390, height: 844 }, colorScheme: "dark", isMobile: true, hasTouch: true }],
  ]) {
    add(
      `the dialog fits and is readable: ${name}`,
      async (t) => {
        const page = await t.foreign(
          '<meta name="viewport" content="width=device-width"><h1>Their page</h1><p>Some text.</p>',
        );
        const dialog = await t.require(page);
        await t.screenshot(page, `dialog-${name}`);
        const box = await dialog.boundingBox();
        t.assert.ok(box.x >= 0 && box.x + box.width <= options.viewport.width, JSON.stringify(box));
        const shade = await dialog.evaluate((e) => getComputedStyle(e).backgroundColor);
        t.assert.equal(shade === "rgb(255, 255, 255)", options.colorScheme === "light", shade);
        const { contrasts } = require("../contrast.js");
        t.assert.deepEqual(
          (await contrasts(dialog)).filter(({ ratio }) => ratio < 4.5),
          [],
        );
      },
      options,
    );
  }
};
