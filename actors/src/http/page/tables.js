// What stands below the charts: figures, rejects, series and shards, settings, endpoints.

/** Examples of a reason that are shown: the newest at once, the others when asked for. */
const EXAMPLES = 10;

function showFacts(status) {
  const { queue, scrapes, process, samples, checkpoints, settings } = status;
  const errors = Object.entries(queue.errors).map(([kind, number]) => `${kind} ${count(number)}`);
  const setting = (name) => settings.find((one) => one.name === name)?.value ?? "";
  terms(at("facts-queue"), [
    [queue.source === "redis" ? "Redis" : "Embedded", queue.address, queue.up ? "" : "bad"],
    ["Key", queue.key],
    ["Delivery", setting("Redis.Delivery")],
    ["Lag", queue.lag_seconds === null ? "no timestamps in samples" : age(queue.lag_seconds)],
    ["Reconnects", count(queue.reconnects)],
    ["Errors", errors.join(", ") || "none"],
  ]);
  at("partitions").hidden = !status.partitions;
  terms(at("facts-partitions"), status.partitions ? partitionFacts(status.partitions) : []);
  at("doors").hidden = status.doors.length === 0;
  terms(at("facts-doors"), status.doors.map(doorFact));
  const last = (seconds) => (seconds === null ? "never" : ago(seconds));
  terms(at("facts-scrapes"), [
    ["Last", last(scrapes.last_seconds_ago)],
    ["Took", scrapes.total ? `${span(scrapes.last_seconds)}, ${span(scrapes.mean_seconds)} on average` : "no time yet"],
    ["Size", bytes(scrapes.last_bytes)],
    ["Since the start", count(scrapes.total)],
    ["Totals kept safe", checkpoints ? last(checkpoints.last_seconds_ago) : "no: in memory only"],
    ...(checkpoints?.failures ? [["Failed to keep", count(checkpoints.failures), "warn"]] : []),
  ]);
  terms(at("facts-process"), [
    ["CPU", `${share(process.cpus)} of one`],
    ["Memory", bytes(process.resident_bytes)],
    ["Up", age(status.uptime_seconds)],
    ["Processed", plural(samples.processed, "sample")],
    ["Rejected", plural(samples.rejected, "sample")],
    ["Expired", plural(status.series.expired, "series", "series")],
  ]);
}

/** What of the queue the gateway has, and how it delivers to each home. */
function partitionFacts({ count: number, intake, home, forwarded, homes }) {
  const has = (partition) => (partition === null ? "none: it stands by" : `${partition} of ${number}`);
  const facts = [["Intake", has(intake)], ["Home", has(home)]];
  if (intake === null) return facts;
  return [...facts, ["Taken to deliver", plural(forwarded, "sample")], ...homes.map(homeFact)];
}

function homeFact({ delivered, failures, undelivered_bytes: waiting, undelivered_seconds: seconds, entered }, partition) {
  const parts = [plural(delivered, "sample")];
  if (waiting) parts.push(`${bytes(waiting)} wait, for ${span(seconds)}`);
  if (failures) parts.push(plural(failures, "failure"));
  if (!entered) parts.push("not reached yet");
  return [`To home ${partition}`, parts.join(", "), entered && seconds < UNDELIVERED_SECONDS ? "" : "warn"];
}

/** What came by a door, and what of it was not taken. */
function doorFact({ door, samples, refused_requests: refused, left_out_samples: leftOut, lost_packets: lost }) {
  const sum = (counts) => Object.values(counts).reduce((all, number) => all + number, 0);
  const [requests, left] = [sum(refused), sum(leftOut)];
  const parts = [plural(samples, "sample")];
  if (requests) parts.push(`${plural(requests, "request")} refused (${Object.keys(refused).join(", ")})`);
  if (left) parts.push(`${count(left)} left out (${Object.keys(leftOut).join(", ")})`);
  if (lost) parts.push(`${plural(lost, "packet")} lost`);
  return [door, parts.join(", "), requests || left || lost ? "warn" : ""];
}

/** Rejects by reason, each with its last examples. */
function showRejects(status, report) {
  const now = status.started_at + status.uptime_seconds;
  say(at("rejects-total"), status.samples.rejected ? `${count(status.samples.rejected)} since the start` : "");
  const examples = new Map();
  for (const reject of report.rejects) {
    const of = examples.get(reject.reason) ?? [];
    if (of.length < EXAMPLES) of.push(reject);
    examples.set(reject.reason, of);
  }
  const create = ({ reason, meaning }) => make("li", {},
    make("p", { class: "reason" }, make("code", {}, reason), make("span"), make("b")),
    make("p", { class: "hint" }, ...quoted(meaning)),
    make("ol", { class: "examples", role: "list" }),
    make("details", {}, make("summary"), make("ol", { class: "examples", role: "list" })));
  fill(at("reasons"), status.rejects, ({ reason }) => reason, create, (node, { reason, total, last_minute: lately }) => {
    say(node.children[0].children[1], lately ? `${count(lately)} in the last minute` : "");
    say(node.children[0].children[2], count(total));
    node.dataset.level = lately ? "warn" : "";
    const [newest, ...older] = examples.get(reason) ?? [];
    showExamples(node.children[2], newest ? [newest] : [], now);
    node.lastChild.hidden = older.length === 0;
    say(node.lastChild.firstChild, `${older.length} before`);
    showExamples(node.lastChild.lastChild, older, now);
  });
  const hint = at("rejects-hint");
  const isHidden = report.rejects.length > 0 && report.rejects.every(({ payload }) => payload === undefined);
  hint.hidden = status.rejects.length > 0 && !isHidden;
  say(hint, isHidden ? "Payloads are not shown: Http.ExposePayloads is false." : "None since the start.");
  at("mismatches").hidden = report.layout_mismatches.length === 0;
  rows(at("mismatch-rows"), report.layout_mismatches, ({ name }) => name, 
    ({ name, samples, expected, got }) => [name, count(samples), layoutText(expected), layoutText(got)]);
  at("unknown-fields").hidden = report.unknown_fields.length === 0;
  rows(at("unknown-field-rows"), report.unknown_fields, ({ name }) => name, ({ name, samples }) => [name, count(samples)]);
}

/** Buckets or quantiles, not too many of them, and the factor of native buckets. */
function layoutText({ buckets, quantiles, epsilons, factor }) {
  const all = (buckets ?? quantiles).map((number, index) => (buckets ? `${number}` : `${number} ± ${epsilons[index]}`));
  const more = all.length > 20 ? ` … (${all.length})` : "";
  const native = factor ? [`factor ${Number(factor.toPrecision(5))}`] : [];
  return [...all.slice(0, 20), ...native].join(", ") + more;
}

function showExamples(list, examples, now) {
  const create = (reject) => {
    const about = make("p", {}, make("time"), make("strong", {}, reject.name ?? "no name"), make("span", {}, reject.door ? `by ${reject.door}: ${reject.detail}` : reject.detail));
    const node = make("li", {}, about);
    if (reject.payload !== undefined) node.append(make("code", { class: "payload" }, reject.payload));
    return node;
  };
  const seen = new Map();
  const key = ({ time, name, door, detail }) => {
    const same = `${time} ${name} ${door} ${detail}`;
    seen.set(same, (seen.get(same) ?? 0) + 1);
    return `${same} ${seen.get(same)}`;
  };
  fill(list, examples, key, create, (node, { time, bytes: length }) => {
    const when = node.firstChild.firstChild;
    say(when, ago(now - time));
    when.title = `${new Date(time * 1000).toISOString()}, ${bytes(length)}`;
  });
}

const TYPES = ["counter", "gauge", "histogram", "summary"];

/** A bar of as many parts as there are types. */
const typeBar = () => make("div", { class: "bar", "aria-hidden": "true" }, ...TYPES.map((type) => make("i", { "data-type": type })));

function setBar(bar, byType, whole) {
  TYPES.forEach((type, index) => {
    bar.children[index].style.width = `${(100 * (byType[type] ?? 0)) / Math.max(whole, 1)}%`;
  });
}

function showSeries({ series, shards }) {
  const room = series.bytes_limit ? `, ${bytes(series.bytes)} of ${bytes(series.bytes_limit)}` : "";
  say(at("series-total"), `${count(series.total)} of at most ${count(series.limit)}${room}`);
  const meter = at("series-meter");
  meter.setAttribute("aria-valuemax", series.limit);
  meter.setAttribute("aria-valuenow", series.total);
  meter.firstElementChild.style.width = `${Math.min(100, (100 * series.total) / Math.max(series.limit, 1))}%`;
  meter.dataset.level = series.total > series.limit * NEAR_LIMIT ? "warn" : "";
  const create = (type) => make("li", { "data-type": type }, make("span", {}, type), make("b"));
  fill(at("types"), TYPES, String, create, (node, type) => say(node.lastChild, count(series.by_type[type] ?? 0)));
  const most = Math.max(1, ...shards.map((shard) => shard.series));
  const mean = series.total / Math.max(shards.length, 1);
  say(at("balance"), series.total && shards.length > 1 ? `the fullest has ${(most / mean).toFixed(2)} times the mean` : "");
  const row = () => make("tr", {}, make("th", { scope: "row" }), make("td", { class: "wide" }, typeBar()), ...[1, 2, 3].map(() => make("td", { class: "number" })));
  fill(at("shard-rows"), shards.map((shard, number) => ({ ...shard, number })), ({ number }) => number, row, (node, shard) => {
    say(node.children[0], String(shard.number));
    setBar(node.children[1].firstChild, shard.by_type, most);
    say(node.children[2], count(shard.series));
    say(node.children[3], share(shard.busy));
    say(node.children[4], count(shard.inbox));
  });
}

function showSettings({ settings }) {
  const all = at("defaults").checked;
  const shown = settings.filter(({ origin }) => all || origin !== "default");
  at("settings-hint").hidden = shown.length > 0;
  document.querySelector("table.settings").hidden = shown.length === 0;
  rows(at("setting-rows"), shown, ({ name }) => name, ({ name, value, origin }) => [name, value || "empty", origin]);
}

function showEndpoints({ endpoints }) {
  const create = ({ path, meaning }) => {
    const isAsked = !path.includes("{");
    // Relative, so that it works behind a proxy that serves it under a folder.
    const term = isAsked ? make("a", { href: `.${path}` }, path) : make("span", {}, path);
    return make("div", {}, make("dt", {}, term), make("dd", {}, ...quoted(meaning)));
  };
  fill(at("endpoint-rows"), endpoints, ({ path }) => path, create);
}
