// Metrics: those with the most series, or those that are searched for; and the series of
// the one that was chosen.

const browser = {
  /** Of the last status. */
  top: [],
  /** The name of the metric whose series are shown. */
  chosen: null,
  limit: 100,
  /** Ends the questions that are under way. */
  finding: new AbortController(),
  looking: new AbortController(),
};

/** Calls `action` when nothing was typed for a moment. */
function calm(action) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, 150);
  };
}

function showTop(status) {
  browser.top = status.top_metrics;
  say(at("metrics-total"), plural(status.series.metrics, "name"));
  if (!at("name").value.trim()) showMatches(browser.top, status.series.metrics ? "Those with the most series:" : "No metric yet.");
}

function showMatches(metrics, said) {
  say(at("found"), said);
  const most = Math.max(1, ...metrics.map((metric) => metric.series));
  const create = ({ name, type }) => {
    const button = make("button", { type: "button" },
      make("span", { class: "metric" }, name), make("span", { class: "type", "data-type": type }, type), make("b"), make("i", { "aria-hidden": "true" }));
    button.addEventListener("click", () => choose(name));
    return make("li", {}, button);
  };
  fill(at("matches"), metrics, ({ name, type }) => `${type} ${name}`, create, (node, { name, series }) => {
    const button = node.firstChild;
    say(button.children[2], count(series));
    button.lastChild.style.width = `${(100 * series) / most}%`;
    button.setAttribute("aria-current", String(name === browser.chosen));
  });
}

async function find() {
  browser.finding.abort();
  browser.finding = new AbortController();
  const name = at("name").value.trim();
  if (!name) return showMatches(browser.top, browser.top.length ? "Those with the most series:" : "No metric yet.");
  try {
    const query = new URLSearchParams({ name, limit: 0 });
    const { metrics, metrics_found: found } = await ask(`api/v1/series?${query}`, browser.finding.signal);
    const more = found > metrics.length ? `, the first ${metrics.length}` : "";
    showMatches(metrics, found ? `${plural(found, "metric")}${more}:` : "No metric is called so.");
  } catch (error) {
    if (error.name !== "AbortError") showMatches([], error.message);
  }
}

async function choose(name) {
  browser.chosen = name;
  browser.limit = 100;
  at("labels").value = "";
  for (const node of at("matches").children) {
    node.firstChild.setAttribute("aria-current", String(node.querySelector(".metric").textContent === name));
  }
  at("rows").replaceChildren();
  say(at("shown-name"), plain(name));
  say(at("shown-help"), "");
  at("shown").hidden = false;
  await look();
  at("shown-name").focus({ preventScroll: true });
  at("shown").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

/** Asks for the series of the chosen metric. */
async function look() {
  if (browser.chosen === null) return;
  browser.looking.abort();
  browser.looking = new AbortController();
  const name = browser.chosen;
  const labels = at("labels").value.trim();
  try {
    const query = new URLSearchParams({ name, exact: true, labels, limit: browser.limit });
    const found = await ask(`api/v1/series?${query}`, browser.looking.signal);
    const metric = found.metrics[0];
    if (!metric) return showGone();
    const unit = metric.unit ? `Unit: ${metric.unit}.` : "";
    say(at("shown-help"), [metric.help ? plain(metric.help) : "", unit].join(" ").trim());
    const all = found.complete ? plural(found.series.length, "series", "series") : `${count(found.series.length)} of ${labels ? "those" : count(metric.series)}`;
    say(at("shown-count"), `${metric.type}, ${all}, as of ${clock.format(new Date())}`);
    at("more").hidden = found.complete || browser.limit >= 1000;
    showRows(found.series);
  } catch (error) {
    if (error.name !== "AbortError") say(at("shown-count"), error.message);
  }
}

function showGone() {
  say(at("shown-count"), "There is no metric of this name any more.");
  at("rows").replaceChildren();
  at("more").hidden = true;
}

function showRows(series) {
  const create = ({ labels }) => {
    const pairs = Object.entries(labels).map(([name, value]) => make("span", { class: "label" }, make("b", {}, name), make("span", {}, value || '""')));
    return make("li", {}, make("p", { class: "labels" }, ...(pairs.length ? pairs : [make("span", { class: "label" }, "no labels")])), make("p", { class: "value" }), make("p", { class: "idle" }));
  };
  fill(at("rows"), series, ({ labels }) => JSON.stringify(labels), create, (node, one) => {
    showValue(node.children[1], one);
    say(node.children[2], ago(one.idle_seconds));
    node.children[2].title = "when its last sample came";
  });
}

/** The value; of a histogram its buckets too, each with those that fell into it alone. */
function showValue(node, { value, count: observations, sum, buckets, native, quantiles }) {
  if (value !== undefined) return say(node, value);
  const mean = observations ? ` · mean ${Number((Number(sum) / observations).toPrecision(4))}` : "";
  const parts = [make("span", {}, `${count(observations)} observed${mean}`)];
  // Of a native one alone there is but one classic bucket, which says nothing.
  if (buckets && !(native && buckets.length === 1)) parts.push(bucketBars(bucketsAlone(buckets)));
  if (native) parts.push(bucketBars(native.buckets.map(({ from, to, count: number }) => [`above ${roundedBound(from)} up to ${roundedBound(to)}`, number])));
  for (const { quantile, value: at } of quantiles ?? []) parts.push(make("span", { class: "label" }, make("b", {}, `p${Number((quantile * 100).toPrecision(6))}`), make("span", {}, at)));
  node.replaceChildren(...parts);
}

function roundedBound(bound) {
  return Number(Number(bound).toPrecision(4));
}

/** What each bucket is called, and how many fell into it alone. */
function bucketsAlone(buckets) {
  return buckets.map(({ le, count: below }, index) => [`up to ${le}`, below - (index ? buckets[index - 1].count : 0)]);
}

function bucketBars(buckets) {
  const alone = buckets.map(([, number]) => number);
  const most = Math.max(1, ...alone);
  const said = buckets.map(([name, number]) => `${name}: ${count(number)}`);
  const bars = make("span", { class: "buckets", role: "img", "aria-label": said.join("; ") });
  bars.title = said.join("\n");
  for (const number of alone) {
    const bar = make("i");
    bar.style.height = number ? `${Math.max(8, (100 * number) / most)}%` : "0";
    bars.append(bar);
  }
  return bars;
}

/** From the field to the matches and back by arrow keys; Escape begins anew. */
function walk(event) {
  const buttons = [...at("matches").querySelectorAll("button")];
  const here = buttons.indexOf(document.activeElement);
  const steps = { ArrowDown: here + 1, ArrowUp: here - 1, Home: here < 0 ? undefined : 0, End: here < 0 ? undefined : buttons.length - 1 };
  if (event.key === "Escape") {
    at("name").value = "";
    at("name").focus();
    find();
  } else if (event.key === "Enter" && here < 0 && buttons.length) {
    event.preventDefault();
    buttons[0].click();
  } else if (steps[event.key] !== undefined) {
    event.preventDefault();
    (buttons[steps[event.key]] ?? (steps[event.key] < 0 ? at("name") : buttons.at(-1)))?.focus();
  }
}

async function survey() {
  say(at("survey-said"), "Looking …");
  try {
    const { labels, labels_not_counted: left } = await ask("api/v1/cardinality");
    rows(at("survey-rows"), labels, ({ name }) => name, ({ name, values, exact, series }) => [name, `${exact ? "" : "about "}${count(values)}`, count(series)], [1, 2]);
    at("survey-table").hidden = labels.length === 0;
    const more = left ? `; ${count(left)} labels were not counted, there are too many names` : "";
    say(at("survey-said"), labels.length ? `As of ${clock.format(new Date())}${more}` : "No series has a label.");
  } catch (error) {
    say(at("survey-said"), error.message);
  }
}

at("name").addEventListener("input", calm(find));
at("labels").addEventListener("input", calm(look));
document.querySelector(".find").addEventListener("keydown", walk);
at("more").addEventListener("click", () => {
  browser.limit = 1000;
  look();
});
at("survey").addEventListener("click", survey);
at("cardinality").addEventListener("toggle", () => at("cardinality").open && survey());
