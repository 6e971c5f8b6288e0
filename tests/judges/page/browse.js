// Looks at status pages with a real Chromium: `node browse.js SCENE ADDRESS...`. Ends with status 0 where all is as it should be. Where PSG_SCREENSHOTS names a
// folder, what is seen is kept there.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [scene, ...addresses] = process.argv.slice(2);
const PHONE = { width: 375, height: 740 };
const DESKTOP = { width: 1280, height: 900 };
/** How long anything may take to be seen. */
const PATIENCE = 20_000;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const HOSTILE = "<img src=x onerror=\"document.title='owned'\">";

/** A tab, and all that it did which a harmless page does not do. */
async function open(context, address = addresses[0]) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  page.on("dialog", (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) wrong.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!/^data:/.test(request.url()) && new URL(request.url()).host !== address) wrong.push(`request: ${request.url()}`);
  });
  await page.goto(`http://${address}/`);
  return { page, wrong };
}

/** Waits until the text of an element, white space apart, is one that is wanted. */
async function sees(page, selector, wanted) {
  try {
    await page.waitForFunction(
      ([selector, source]) => new RegExp(source).test((document.querySelector(selector)?.innerText ?? "").replace(/\s+/g, " ")),
      [selector, wanted.source]);
  } catch (error) {
    const text = await page.locator(selector).first().innerText().catch(() => "nothing");
    throw new Error(`${selector}: expected ${wanted}, got ${text}`, { cause: error });
  }
}

async function keep(page, name) {
  const folder = process.env.PSG_SCREENSHOTS;
  if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true, animations: "disabled" });
}

/** Nothing may be wider than the window. */
async function fits(page) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= window, `${wide} pixels wide in a window of ${window}`);
}

const scenes = {
  /** Samples of all types, refused ones, and hostile ones among both. */
  async busy(browser) {
    const context = await browser.newContext({ viewport: DESKTOP, colorScheme: "light" });
    const { page, wrong } = await open(context);
    await sees(page, "#headline", /^(Ingesting|Idle)/);
    await sees(page, "#facts-process", /Processed 1,008 samples/);
    await sees(page, "#series-total", /^1,003 of at most 1,000,000$/);
    await sees(page, "#problems", /rejected in the last minute/);
    await figures(page);
    await keep(page, "light");
    await searching(page);
    await hostile(page);
    await keyboardChart(page);
    await keep(page, "series");
    await page.setViewportSize(PHONE);
    await fits(page);
    await keep(page, "phone");
    await page.emulateMedia({ colorScheme: "dark" });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.ok(ground.match(/\d+/g).slice(0, 3).every((part) => part < 60), `dark is ${ground}`);
    await keep(page, "phone-dark");
    await page.setViewportSize(DESKTOP);
    await fits(page);
    await keep(page, "dark");
    assert.deepEqual(wrong, []);
    await assert.rejects(page.evaluate(() => { document.body.innerHTML = "<b>x</b>"; }), /TrustedHTML/, "the policy is in force");
    await context.close();
    await accessible(browser);
  },

  /** From nothing to a first sample, then without Redis, without the gateway, and back. */
  async trouble(browser) {
    const { page, wrong } = await open(await browser.newContext({ viewport: DESKTOP }));
    await sees(page, "#headline", /^Waiting for the first sample$/);
    await sees(page, "#push", /^redis-cli -h 127\.0\.0\.1 -p \d+ LPUSH prom-stream-gateway:metric-queue /);
    await copies(page);
    await sees(page, "#found", /No metric yet/);
    await keep(page, "empty");
    console.log("seen: empty");
    await sees(page, "#headline", /^(Ingesting|Idle)/);
    await page.locator("#first").waitFor({ state: "hidden" });
    console.log("seen: first");
    await sees(page, "#headline", /^Redis is not reachable$/);
    assert.equal(await page.locator("#verdict").getAttribute("data-level"), "bad");
    await keep(page, "no-redis");
    assert.deepEqual(wrong, []);
    console.log("seen: no redis");
    await sees(page, "#headline", /^No answer from the gateway$/);
    await sees(page, "#since", /^The last answer came \d+ s ago/);
    assert.equal(await page.locator("#pulse").innerText(), "no answer");
    await keep(page, "no-gateway");
    await page.locator("#first").waitFor({ state: "hidden" });
    console.log("seen: no gateway");
    await sees(page, "#headline", /^(Waiting|Idle|Ingesting|Redis)/);
    await page.locator("#since").waitFor({ state: "hidden" });
    assert.equal(await page.locator("#pulse").innerText(), "live");
  },

  /** The same page, whatever the queue is. */
  async queues(browser) {
    const expected = [
      ["embedded", /^Waiting for the first sample$/, /^Embedded /, "0"],
      ["owner", /^(Ingesting|Idle)/, /exactly-once/, "0"],
      ["standby", /^Standing by$/, /exactly-once/, "0"],
      ["blind", /^Waiting for the first sample$/, /at-most-once/, "not known"],
    ];
    const context = await browser.newContext({ viewport: DESKTOP });
    for (const [index, [name, headline, queue, backlog]] of expected.entries()) {
      const { page, wrong } = await open(context, addresses[index]);
      await sees(page, "#headline", headline);
      await sees(page, "#facts-queue", queue);
      await sees(page, "#charts article:nth-child(2) .now", new RegExp(`^${backlog}$`));
      await keep(page, name);
      assert.deepEqual(wrong, [], name);
    }
  },
};

async function figures(page) {
  await sees(page, "#types", /counter 1,000 gauge 1 histogram 1 summary 1/);
  assert.equal(await page.locator("#shard-rows tr").count(), 2);
  await sees(page, "#reasons", /negative_counter 5 in the last minute 5 A counter was given/);
  await sees(page, "#reasons", /expected a counter's value of at least 0, got a negative one/);
  await sees(page, "#mismatch-rows", /^took_seconds 1 1, 2 1, 2, 5$/);
  await sees(page, "#setting-rows", /Redis\.ConnectionString .*password=\*+/);
  assert.ok(!(await page.content()).includes("hunter2"), "a secret is shown");
  assert.equal(await page.locator("#setting-rows tr", { hasText: "Metrics.MaxLabels" }).count(), 0);
  await page.getByLabel("show defaults too").check();
  await sees(page, "#setting-rows", /Metrics\.MaxLabels 64 default/);
  await page.getByLabel("show defaults too").uncheck();
  const link = page.locator("#endpoints a", { hasText: "/api/v1/rejects" });
  assert.equal((await page.request.get(await link.evaluate((a) => a.href))).status(), 200);
  await page.getByText("Which labels have the most values?").click();
  await sees(page, "#survey-rows", /number 1,000 1,000/);
  await page.getByText("Which labels have the most values?").click();
}

/** The whole command is there to be read, on a phone too, and to be copied. */
async function copies(page) {
  await page.setViewportSize(PHONE);
  await fits(page);
  const [wide, shown] = await page.locator("#push").evaluate((node) => [node.scrollWidth, node.clientWidth]);
  assert.ok(wide <= shown, `the command is ${wide} pixels wide where ${shown} are shown`);
  await keep(page, "empty-phone");
  await page.setViewportSize(DESKTOP);
  await page.locator("#copy").click();
  await sees(page, "#copied", /^(Copied|Selected)/);
}

/** By keyboard alone. */
async function searching(page) {
  await page.keyboard.press("/");
  await page.keyboard.type("MANY");
  await sees(page, "#found", /^1 metric:$/);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await sees(page, "#shown-count", /^counter, 100 of 1,000, as of/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "shown-name");
  await page.keyboard.press("Tab");
  await page.keyboard.type('NUMBER="77');
  await sees(page, "#shown-count", /^counter, 11 series/);
  await sees(page, "#rows", /number ?=? ?779/);
  await page.locator("#name").fill("took");
  await sees(page, "#found", /^2 metrics:$/);
  await page.locator("#matches button", { hasText: "histogram" }).click();
  await sees(page, "#rows", /4 observed · mean 2\.25/);
  assert.equal(await page.locator("#rows .buckets").getAttribute("aria-label"), "up to 1: 1; up to 2: 1; up to +Inf: 2");
  await page.locator("#matches button", { hasText: "summary" }).click();
  await sees(page, "#rows", /p50 ?=? ?2/);
  await page.locator("#name").fill("no such name");
  await sees(page, "#found", /^No metric is called so\.$/);
  await page.keyboard.press("Escape");
  await sees(page, "#found", /^Those with the most series:$/);
}

/** What producers send stays text. */
async function hostile(page) {
  await page.locator("#name").fill("hostile");
  await page.locator("#matches button", { hasText: "hostile_metric" }).click();
  await page.locator("#rows").getByText(HOSTILE, { exact: true }).waitFor();
  await page.locator("#shown-help").getByText("<script>alert(1)</script>", { exact: true }).waitFor();
  await page.locator("#rows").getByText("a\\nb\\u{202e}c", { exact: true }).waitFor();
  await page.locator("#reasons strong").getByText(HOSTILE, { exact: true }).first().waitFor();
  await page.locator("#reasons .payload").getByText("<svg onload=alert(1)>").first().waitFor();
  assert.equal(await page.locator("img, iframe, object, embed, main script, main style, main [onerror]").count(), 0);
  assert.ok(!(await page.title()).includes("owned"));
}

async function keyboardChart(page) {
  const chart = page.getByRole("slider", { name: "In", exact: true });
  // A gateway that has just started has no past to move through.
  await page.waitForFunction((plot) => Number(plot.getAttribute("aria-valuemax")) >= 1, await chart.elementHandle());
  await chart.focus();
  await page.keyboard.press("Home");
  assert.match(await chart.getAttribute("aria-valuetext"), /^\d+\ss ago: in [\d.,]+\/s, taken [\d.,]+\/s$/);
  await page.keyboard.press("End");
  assert.match(await chart.getAttribute("aria-valuetext"), /^now: /);
}

/** Asks axe; apart, since its script is not one that the policy lets in. */
async function accessible(browser) {
  const context = await browser.newContext({ viewport: DESKTOP, colorScheme: "light", reducedMotion: "reduce", bypassCSP: true });
  const { page } = await open(context);
  await sees(page, "#headline", /^(Ingesting|Idle)/);
  await page.locator("#matches button").first().click();
  await sees(page, "#shown-count", /as of/);
  await page.evaluate(fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8"));
  const fair = async (what, options) => {
    const { violations } = await page.evaluate((options) => axe.run(options), options);
    const told = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(told, [], what);
  };
  await fair("in the light", {});
  await page.emulateMedia({ colorScheme: "dark" });
  await fair("in the dark", { runOnly: ["color-contrast"] });
}

async function main() {
  const browser = await chromium.launch({ executablePath: process.env.PSG_CHROMIUM, args: FLAGS });
  try {
    await scenes[scene](browser);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
