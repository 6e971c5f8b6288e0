// The page: asks how the gateway does each two seconds while somebody looks, and says so
// where no answer comes.

const PERIOD_MS = 2000;
/** Looks between two at what changes seldom, or at the series of the chosen metric. */
const LOOKS = 5;

const seen = { status: null, at: 0, report: { rejects: [], layout_mismatches: [], unknown_fields: [] }, rejected: -1, looks: 0, error: null };
let timer;
let isTurning = false;

function showVerdict({ level, text, problems }) {
  at("verdict").dataset.level = level;
  say(at("headline"), text);
  document.title = `${text} · prom-stream-gateway`;
  const key = ({ level: of, where }, index) => `${of} ${where} ${index}`;
  const create = ({ where }) => make("li", {}, make("strong"), make("span"), ...(where ? [make("a", { href: `#${where}` }, "look")] : []));
  const numbered = problems.map((problem, index) => ({ ...problem, index }));
  fill(at("problems"), numbered, (problem) => key(problem, problem.index), create, (node, problem) => {
    node.dataset.level = problem.level;
    say(node.children[0], plain(problem.text));
    say(node.children[1], plain(problem.more ?? ""));
  });
}

/** How to push a first sample, where none has come. */
function showFirst({ samples, queue, unready }) {
  at("first").hidden = samples.processed + samples.rejected > 0 || unready !== null;
  const [host, port] = queue.address.startsWith("/") ? [] : [queue.address.replace(/:\d+$/, ""), queue.address.match(/:(\d+)$/)?.[1]];
  const where = host && !queue.address.includes(",") ? `-h ${host} -p ${port ?? 6379} ` : "";
  say(at("push"), plain(`redis-cli ${where}LPUSH ${queue.key} '{"type":"counter","name":"hello_total","value":1}'`));
}

function show(status) {
  showVerdict(verdictOf(status));
  showFirst(status);
  say(at("about"), plain(`${status.version} · up ${age(status.uptime_seconds)} · ${location.host}`));
  showCharts(status);
  showFacts(status);
  showRejects(status, seen.report);
  showSeries(status);
  showTop(status);
  showSettings(status);
  showEndpoints(status);
}

/** The figures stay, and it is plain that they are old. */
function showSilence(error) {
  const problem = { level: "bad", text: error.message };
  problem.more = seen.status ? "All figures below are from before." : "It is asked again every two seconds.";
  showVerdict({ level: "bad", text: "No answer from the gateway", problems: [problem] });
  at("first").hidden = true;
}

async function lookAtAll() {
  const status = await ask("api/v1/status");
  if (status.samples.rejected !== seen.rejected || seen.looks % LOOKS === 0) {
    seen.report = await ask("api/v1/rejects");
    seen.rejected = status.samples.rejected;
  }
  Object.assign(seen, { status, at: Date.now(), error: null, looks: seen.looks + 1 });
}

async function turn() {
  // The page may be hidden and shown again before an answer has come.
  if (isTurning) return;
  isTurning = true;
  try {
    await lookAtAll();
    show(seen.status);
    if (seen.looks % LOOKS === 0) look();
  } catch (error) {
    seen.error = error;
    showSilence(error);
  }
  document.body.classList.toggle("stale", seen.error !== null);
  showPulse();
  isTurning = false;
  if (!document.hidden) timer = setTimeout(turn, PERIOD_MS);
}

function showPulse() {
  const old = Math.round((Date.now() - seen.at) / 1000);
  at("pulse").dataset.level = seen.error ? "bad" : "good";
  say(at("pulse"), seen.error ? "no answer" : "live");
  at("since").hidden = seen.error === null || seen.status === null;
  say(at("since"), `The last answer came ${age(old)} ago, at ${clock.format(seen.at)}.`);
}

// Nobody is served by looks that nobody sees.
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) turn();
});
document.addEventListener("keydown", (event) => {
  const types = event.target.matches("input, textarea, select");
  if (event.key !== "/" || types || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  at("name").focus();
});
/** Copies the command where the browser lets it, which takes a secure context; else selects it. */
at("copy").addEventListener("click", async () => {
  const command = at("push");
  try {
    await navigator.clipboard.writeText(command.textContent);
    say(at("copied"), "Copied.");
  } catch {
    getSelection().selectAllChildren(command);
    say(at("copied"), "Selected: copy it with Ctrl+C or ⌘C.");
  }
});
at("defaults").addEventListener("change", () => seen.status && showSettings(seen.status));
setInterval(() => seen.error && showPulse(), 1000);
turn();
