// The verdict: what is wrong, if anything is, and what to do. Pure.

/** A backlog of fewer elements is none worth a word. */
const BACKLOG = 1000;
/** One that is worked off in so many seconds is none either. */
const BACKLOG_SECONDS = 5;
/** From this part of Metrics.MaxSeries on its end is near, as for the alert. */
const NEAR_LIMIT = 0.8;
/** A push to another key is more than a note for so long. */
const OTHER_KEY_SECONDS = 600;
/** From here on a home is late, whatever the flush interval, as for the alert. */
const UNDELIVERED_SECONDS = 60;
/** What a trend is told from. */
const TREND_SECONDS = 20;

/** The backlog: how much, how it moves, in elements per second; nothing where it is unknown. */
function backlogOf(status) {
  const { pending } = status.queue;
  if (pending === null) return null;
  const known = status.history.pending.slice(-TREND_SECONDS).filter((length) => length !== null);
  const growth = known.length > 1 ? (known.at(-1) - known[0]) / (known.length - 1) : 0;
  const taken = status.samples.last_10_seconds.processed + status.samples.last_10_seconds.rejected;
  const matters = pending >= BACKLOG && pending > taken * BACKLOG_SECONDS;
  const isStill = Math.abs(growth) * TREND_SECONDS < pending * 0.02;
  return { pending, growth, taken, matters, trend: isStill ? 0 : Math.sign(growth) };
}

/** `level` is one of good, idle, warn, bad; each problem has a level, a text and where to look. */
function verdictOf(status) {
  const all = [...queueProblems(status), ...rejectProblems(status), ...seriesProblems(status), ...homeProblems(status), ...otherProblems(status)];
  const grave = ["bad", "warn", "idle"];
  const problems = all.sort((a, b) => grave.indexOf(a.level) - grave.indexOf(b.level));
  const headline = headlineOf(status);
  const worst = problems.some((problem) => problem.level === "bad") ? "bad"
    : problems.some((problem) => problem.level === "warn") ? "warn" : headline.level;
  return { text: headline.text, level: headline.level === "bad" ? "bad" : worst, problems };
}

function headlineOf(status) {
  const { queue, samples, unready } = status;
  const now = samples.last_10_seconds;
  if (!queue.up) return { level: "bad", text: queueHeadline(queue) };
  if (unready?.startsWith("standby")) return { level: "idle", text: "Standing by" };
  if (unready) return { level: "bad", text: "Not ready" };
  const backlog = backlogOf(status);
  if (backlog?.matters && backlog.taken === 0) return { level: "bad", text: "Nothing is taken" };
  if (backlog?.matters && backlog.trend >= 0) return { level: "warn", text: "Falling behind" };
  if (backlog?.matters) return { level: "warn", text: "Catching up" };
  if (isFull(status.series)) return { level: "bad", text: "Series limit reached" };
  if (now.processed + now.rejected > 0) return { level: "good", text: `Ingesting ${plural(Math.ceil(now.processed), "sample")}/s` };
  if (samples.processed + samples.rejected === 0) {
    return pushedElsewhere(queue) ? { level: "warn", text: "Pushes go to another key" } : { level: "idle", text: "Waiting for the first sample" };
  }
  return { level: "idle", text: `Idle for ${idleFor(status)}` };
}

/** What is wrong with the queue, in the words of the log: `Redis refuses the login`. */
function queueHeadline({ source, trouble }) {
  if (trouble) return trouble[0].toUpperCase() + trouble.slice(1);
  return source === "redis" ? "Redis has not answered yet" : "The queue can't be read";
}

const isFull = ({ total, limit, bytes: taken, bytes_limit: most }) => (limit > 0 && total >= limit) || (most > 0 && taken >= most);

/** Pushes to the embedded queue under another key than its own. */
const pushedElsewhere = ({ errors }) => errors?.wrong_key ?? 0;

function idleFor({ history }) {
  const taken = history.processed.map((processed, index) => processed + history.rejected[index]);
  const last = taken.findLastIndex((rate) => rate > 0);
  return last < 0 ? `${age(taken.length)} or longer` : age(taken.length - 1 - last);
}

function queueProblems(status) {
  const { queue, unready } = status;
  const problems = [];
  if (unready) {
    const stays = `What waits stays in ${queue.source === "redis" ? "Redis" : "the queue"}; this page shows what was taken before.`;
    problems.push(unready.startsWith("standby")
      ? { level: "idle", text: unready, more: "It has the totals; this one takes over when it is gone." }
      : { level: "bad", text: unready, more: stays });
  }
  const backlog = backlogOf(status);
  if (!unready && backlog?.matters) {
    const { pending, growth, trend, taken } = backlog;
    const lag = queue.lag_seconds > 1 ? `, the graphs are ${age(queue.lag_seconds)} behind` : "";
    const text = `${count(pending)} elements wait${lag}`;
    if (taken === 0) problems.push({ level: "bad", text, more: "and none is taken: see the gateway's log" });
    else if (trend > 0) problems.push({ level: "warn", text, more: `growing by ${perSecond(growth)}: producers push faster than the gateway takes` });
    else if (trend < 0) problems.push({ level: "warn", text, more: `gone in about ${age(pending / -growth)}` });
    else problems.push({ level: "warn", text, more: "and do not get fewer" });
  }
  problems.push(...otherKeyProblems(status));
  const delivery = status.settings.find(({ name }) => name === "Redis.Delivery")?.value;
  if (queue.consumers > 1 && delivery === "at-most-once") {
    problems.push({ level: "warn", text: `${count(queue.consumers)} gateways take from this queue`, more: "each gets a part of the samples: stop all but one" });
  }
  return problems;
}

/** What mends pushes to other keys; a gateway of an earlier version does not tell which they are. */
function otherKeyProblems({ queue, samples }) {
  const elsewhere = pushedElsewhere(queue);
  if (!elsewhere) return [];
  const others = queue.other_keys ?? [];
  if (others.length === 0) {
    const level = samples.processed ? "idle" : "warn";
    return [{ level, text: `${plural(elsewhere, "push", "pushes")} to another key refused`, more: `the queue's key is ${queue.key}: does a client library put a prefix before it?` }];
  }
  return others.slice(0, 3).map(({ key, database, pushes, last_seconds_ago: ago, advice }) => ({
    level: ago < OTHER_KEY_SECONDS || !samples.processed ? "warn" : "idle",
    text: `${plural(pushes, "push", "pushes")} to ${key} of database ${database} refused`,
    more: `the queue is ${queue.key}; ${advice}`,
  }));
}

function rejectProblems({ samples, rejects }) {
  const lately = rejects.filter((rejected) => rejected.last_minute > 0);
  if (lately.length === 0) return [];
  const sum = lately.reduce((total, rejected) => total + rejected.last_minute, 0);
  const most = lately.reduce((a, b) => (b.last_minute > a.last_minute ? b : a));
  const { processed, rejected } = samples.last_minute;
  const part = rejected / Math.max(processed + rejected, Number.MIN_VALUE);
  return [{
    level: "warn",
    text: `${plural(sum, "sample")} rejected in the last minute (${share(part)})`,
    more: lately.length > 1 ? `mostly ${most.reason}` : most.reason,
    where: "rejects",
  }];
}

function seriesProblems({ series, shards }) {
  const problems = [];
  if (series.limit > 0 && series.total > series.limit * NEAR_LIMIT) {
    problems.push({
      level: series.total >= series.limit ? "bad" : "warn",
      text: series.total >= series.limit ? "No room for new series" : `Room for ${count(series.limit - series.total)} more series only`,
      more: "see which label has ever new values, or raise Metrics.MaxSeries",
      where: "cardinality",
    });
  }
  if (series.bytes_limit > 0 && series.bytes > series.bytes_limit * NEAR_LIMIT) {
    problems.push({
      level: series.bytes >= series.bytes_limit ? "bad" : "warn",
      text: `Labels of series take ${bytes(series.bytes)} of ${bytes(series.bytes_limit)}`,
      more: "see which label has long or ever new values, or raise Metrics.MaxSeriesBytes",
      where: "cardinality",
    });
  }
  const busy = shards.findIndex((shard) => shard.busy > 0.9);
  if (busy >= 0) problems.push({ level: "warn", text: `Shard ${busy} is busy all the time`, more: "raise Shards.Count if there are CPUs for it", where: "series" });
  return problems;
}

/** Homes of a queue in partitions that do not take what is sent to them. */
function homeProblems({ partitions }) {
  const late = (partitions?.homes ?? []).map((home, partition) => ({ ...home, partition })).filter((home) => home.undelivered_seconds > UNDELIVERED_SECONDS);
  return late.map(({ partition, undelivered_seconds: seconds }) => ({
    level: "bad",
    text: `Samples have waited ${age(seconds)} for the home of partition ${partition}`,
    more: "it can't be delivered to: the gateway's log says why",
    where: "partitions",
  }));
}

function otherProblems({ unready, scrapes, checkpoints, uptime_seconds: uptime, settings, http_config_problem: config }) {
  const problems = [];
  if (config) problems.push({ level: "bad", text: "Http.ConfigFile is not in force as it stands", more: config });
  const silence = scrapes.last_seconds_ago ?? uptime;
  if (silence > 300) {
    const text = scrapes.total ? `No scrape for ${age(silence)}` : "Nothing has scraped /metrics yet";
    problems.push({ level: "warn", text, more: "is Prometheus up, and this its target?" });
  }
  if (checkpoints && !unready) {
    const kept = checkpoints.last_seconds_ago;
    const intervals = settings.filter(({ name }) => /^(Redis\.Checkpoint|Metrics\.StateFile)IntervalSeconds$/.test(name));
    if ((kept ?? uptime) > Math.max(180, ...intervals.map(({ value }) => 3 * Number(value)))) {
      problems.push({ level: "warn", text: kept === null ? "Totals were never kept safe" : `Totals were last kept safe ${age(kept)} ago`, more: "the gateway's log says why" });
    }
  }
  return problems;
}
