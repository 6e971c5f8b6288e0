// Charts of the last minutes: one or two lines, the most at the top, a cursor by pointer
// and by arrow keys.

const WIDTH = 300;
const HEIGHT = 64;

class Chart {
  /** `lines` are names of lists in the status' history, the first one is filled. */
  constructor({ title, lines, format, names, tone }) {
    Object.assign(this, { title, lines, format, names, values: lines.map(() => []), cursor: null });
    this.now = make("p", { class: "now" });
    this.most = make("span");
    this.said = make("span", { class: "said" });
    this.length = make("span");
    this.dot = make("i", { class: "dot", hidden: "" });
    this.area = svgElement("path", { class: "area" });
    this.paths = lines.map((_, index) => svgElement("path", { class: `line line-${index}` }));
    this.mark = svgElement("path", { class: "mark" });
    const svg = svgElement("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(this.area, ...[...this.paths].reverse(), this.mark);
    this.plot = make("div", { class: "plot", tabindex: "0", role: "slider", "aria-label": title, "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0" }, svg, this.dot);
    this.node = make("article", { class: "card chart", "data-tone": tone },
      make("header", {}, make("h2", {}, title), this.now),
      make("p", { class: "axis" }, this.most, ...(names ?? []).slice(1).map((name) => make("span", { class: "key" }, name))),
      this.plot,
      make("p", { class: "axis" }, this.length, make("span", {}, "now"), this.said));
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.move(null));
    this.plot.addEventListener("focus", () => this.move(this.cursor ?? this.last()));
    this.plot.addEventListener("blur", () => this.move(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  last() {
    return this.values[0].length - 1;
  }

  show(history, now) {
    this.values = this.lines.map((name) => history[name]);
    say(this.now, now);
    const known = this.values.flat().filter((value) => value !== null);
    const most = Math.max(1, ...known);
    this.scale = (value) => HEIGHT - 2 - (value / most) * (HEIGHT - 6);
    this.step = WIDTH / Math.max(this.last(), 60);
    say(this.most, known.length ? `most ${this.format(Math.max(0, ...known))}` : "not known");
    say(this.length, `${age(Math.max(this.last(), 60))} ago`);
    this.paths.forEach((path, index) => path.setAttribute("d", this.line(this.values[index])));
    this.area.setAttribute("d", this.fill(this.values[0]));
    this.plot.setAttribute("aria-valuemax", Math.max(0, this.last()));
    if (this.cursor !== null) this.draw();
  }

  x(index) {
    return WIDTH - (this.last() - index) * this.step;
  }

  /** A line, broken where nothing is known. */
  line(values) {
    const command = (value, index) => {
      if (value === null) return "";
      const begins = index === 0 || values[index - 1] === null;
      return `${begins ? "M" : "L"}${this.x(index).toFixed(1)} ${this.scale(value).toFixed(1)}`;
    };
    return values.map(command).join("");
  }

  fill(values) {
    const parts = this.line(values).split("M").filter(Boolean);
    const closed = (part) => {
      const points = part.split("L");
      const end = (point) => point.split(" ")[0];
      return `M${part}L${end(points.at(-1))} ${HEIGHT}L${end(points[0])} ${HEIGHT}Z`;
    };
    return parts.map(closed).join("");
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    const fromEnd = ((box.right - event.clientX) / box.width) * WIDTH / this.step;
    this.move(Math.round(this.last() - fromEnd));
  }

  key(event) {
    const { last, steps } = { last: this.last(), steps: { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -30, PageUp: 30, Home: -Infinity, End: Infinity } };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.move(Math.min(last, Math.max(0, (this.cursor ?? last) + step)));
  }

  move(index) {
    const is = index !== null && this.last() >= 0;
    this.cursor = is ? Math.min(this.last(), Math.max(0, index)) : null;
    this.draw();
    if (is) this.plot.setAttribute("aria-valuenow", this.cursor);
    this.plot.setAttribute("aria-valuetext", this.said.textContent || this.now.textContent);
  }

  draw() {
    const index = this.cursor;
    const value = index === null ? null : this.values[0][index];
    this.dot.hidden = value === null;
    this.mark.setAttribute("d", index === null ? "" : `M${this.x(index)} 0V${HEIGHT}`);
    if (index === null) return say(this.said, "");
    if (value !== null) {
      this.dot.style.left = `${(this.x(index) / WIDTH) * 100}%`;
      this.dot.style.top = `${(this.scale(value) / HEIGHT) * 100}%`;
    }
    const ago = this.last() - index;
    const each = this.values.map((values, line) => {
      const text = values[index] === null ? "not known" : this.format(values[index]);
      return this.names ? `${this.names[line]} ${text}` : text;
    });
    say(this.said, `${ago ? `${age(ago)} ago` : "now"}: ${each.join(", ")}`);
  }
}

const charts = {
  rate: new Chart({ title: "In", lines: ["received", "processed"], names: ["in", "taken"], format: (n) => `${compact(n)}/s`, tone: "in" }),
  backlog: new Chart({ title: "Backlog", lines: ["pending"], format: compact, tone: "backlog" }),
  rejected: new Chart({ title: "Rejected", lines: ["rejected"], format: (n) => `${compact(n)}/s`, tone: "rejected" }),
  series: new Chart({ title: "Series", lines: ["series"], format: compact, tone: "series" }),
};
at("charts").append(...Object.values(charts).map((chart) => chart.node));

function showCharts({ history, samples, queue, series }) {
  charts.rate.show(history, perSecond(samples.last_10_seconds.received));
  charts.backlog.show(history, queue.pending === null ? "not known" : count(queue.pending));
  charts.rejected.show(history, perSecond(samples.last_10_seconds.rejected));
  charts.series.show(history, count(series.total));
}
