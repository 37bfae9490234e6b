/*
 * suite: runs the cases of tests/browser/cases in headless Chromium. A case has a browser context of its own and a
 * `t` (class Visit below); it fails by an exception, by one that a page did not catch, or by a page's console error
 * that it did not expect.
 */
"use strict";
const assert = require("assert/strict");
const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");
const { Between } = require("./between.js");
const { Site } = require("./site.js");

const CASE_LIMIT_MS = 60000;
const WAIT_LIMIT_MS = 10000;
const ENV = process.env;

class Visit {
  constructor(context, between, site) {
    Object.assign(this, { context, between, site, assert, troubles: [] });
    this.user = { id: ENV.CHATS_USER, secret: ENV.CHATS_PASSWORD };
    this.other = { id: ENV.CHATS_USER_2, secret: ENV.CHATS_PASSWORD_2 };
    this.expected = []; // regular expressions for the troubles that the case is about
  }

  get url() {
    return this.between.url;
  }

  tag(attributes = "") {
    return `<script src="${this.url}/micro.js" ${attributes}></script>`;
  }

  async goto(url, options) {
    const page = await this.context.newPage();
    page.setDefaultTimeout(WAIT_LIMIT_MS);
    page.on("pageerror", (error) => this.troubles.push(`uncaught: ${error.message}`));
    page.on("console", (message) => {
      // What Chromium itself says of a request that did not go well is not the page's doing.
      const isRequest =
        message.text().startsWith("Failed to load resource") || /blocked by CORS policy/.test(message.text());
      if (message.type() === "error" && !isRequest) this.troubles.push(`console: ${message.text()}`);
    });
    if (options) await page.emulateMedia(options);
    await page.goto(url);
    return page;
  }

  // A page of the other origin, with the script in it.
  foreign(html = "<h1>A page of somebody else</h1>", { attributes = "", headers = {}, media } = {}) {
    const head = `<meta charset="utf-8"><title>foreign</title>${this.tag(attributes)}`;
    const whole = `<!DOCTYPE html><html lang="en"><head>${head}</head><body>${html}</body></html>`;
    return this.goto(this.site.put(whole, headers), media);
  }

  // Calls requireLogin, whose callback adds `name` to window.ran.
  async require(page, name = "once") {
    await page.evaluate((name) => {
      window.ran = window.ran || [];
      Micro.requireLogin(() => window.ran.push(name));
    }, name);
    return page.getByRole("dialog", { name: "Log in" });
  }

  ran(page) {
    return page.evaluate(() => window.ran || []);
  }

  async fill(page, { id, secret }) {
    const dialog = page.getByRole("dialog", { name: "Log in" });
    await dialog.getByLabel("User name").fill(id);
    await dialog.getByLabel("Password").fill(secret);
    await dialog.getByRole("button", { name: "Log in" }).click();
  }

  async login(page, account = this.user) {
    await this.require(page, "login");
    await this.fill(page, account);
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => Micro.isLoggedIn()), true);
  }

  // All that the callback of one call got, until it is sure that nothing more comes: a list of [data, status].
  calls(page, operation, params, { method = "post", namespace = "micro" } = {}) {
    return page.evaluate(
      ([method, operation, namespace, params]) =>
        new Promise((resolve) => {
          const got = [];
          Micro[method](operation, namespace, params, function (...answer) {
            got.push(answer);
            setTimeout(() => resolve(got), 150);
          });
        }),
      [method, operation, namespace, params],
    );
  }

  // The data of one call whose callback ran once, with this status.
  async call(page, status, operation, params, options) {
    const got = await this.calls(page, operation, params, options);
    assert.equal(got.length, 1, "how often the callback ran");
    assert.equal(got[0].length, 2, "the number of the callback's arguments");
    assert.equal(got[0][1], status, `the status, with ${JSON.stringify(got[0][0])}`);
    return got[0][0];
  }

  chat(page) {
    return this.call(page, 200, "/chats/Chats/CreateChat", { user_ids: [this.user.id, this.other.id] });
  }

  isError(data, id, code) {
    assert.deepEqual(Object.keys(data).sort(), ["Code", "Detail", "Id", "Status"]);
    assert.equal(data.Id, id);
    assert.equal(data.Code, code);
    assert.ok(data.Detail && data.Status, JSON.stringify(data));
  }

  // Sets the browser's clock so many seconds ahead.
  later(seconds) {
    return this.context.clock.setFixedTime(Date.now() + seconds * 1000);
  }

  screenshot(page, name, options = {}) {
    return page.screenshot({ path: path.join(ENV.CHATS_BROWSER_OUT, `${name}.png`), ...options });
  }

  // The number, once it has not changed for a moment: for counts that must not grow.
  async settled(count) {
    let last = -1;
    for (let now = count(); now !== last; now = count()) {
      last = now;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return last;
  }

  check() {
    const left = this.troubles.filter((text) => !this.expected.some((pattern) => pattern.test(text)));
    assert.deepEqual(left, [], "what went wrong in the pages");
  }
}

async function runCase(browser, between, site, { run, options }) {
  between.reset();
  const context = await browser.newContext(options);
  const visit = new Visit(context, between, site);
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${CASE_LIMIT_MS} ms`)), CASE_LIMIT_MS);
  });
  try {
    await Promise.race([run(visit), limit]);
    visit.check();
  } finally {
    clearTimeout(timer);
    await context.close();
  }
}

function readCases(words) {
  const cases = [];
  const add = (name, run, options = {}) => cases.push({ name, run, options });
  const folder = path.join(__dirname, "cases");
  for (const file of fs.readdirSync(folder).sort()) require(path.join(folder, file))(add);
  return cases.filter(({ name }) => name.includes(words));
}

async function main() {
  const words = process.argv[2] === "--case" ? process.argv[3] : "";
  const cases = readCases(words);
  if (cases.length === 0) throw new Error(`no case has '${words}' in its name`);
  const between = new Between(ENV.CHATS_URL);
  const site = new Site();
  await Promise.all([between.listen(), site.listen()]);
  const browser = await chromium.launch({
    executablePath: ENV.CHATS_CHROMIUM,
    chromiumSandbox: process.getuid() !== 0,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  let failed = 0;
  for (const one of cases) {
    const started = Date.now();
    try {
      await runCase(browser, between, site, one);
      console.log(`ok - ${one.name} (${Date.now() - started} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`not ok - ${one.name}\n${error.stack.replace(/^/gm, "    ")}`);
    }
  }
  await browser.close();
  between.close();
  site.close();
  console.log(`${cases.length - failed} passed, ${failed} failed, 0 skipped`);
  process.exitCode = failed ? 1 : 0;
}

main().catch((error) => {
  console.log(`not ok - the suite itself\n${error.stack}\n0 passed, 1 failed, 0 skipped`);
  process.exitCode = 1;
});
