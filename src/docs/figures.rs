//! Figures that the pages quote from the tables in BENCHMARKS.md, which
//! `benches/run` writes: they stand there, and are made from there.

use psg_testkit::sections::check_section;

use super::read;

/// BENCHMARKS.md, to be asked for cells.
struct Tables {
    text: String,
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

impl Tables {
    fn read() -> Self {
        Self { text: read("BENCHMARKS.md") }
    }

    /// The cell of the row that begins with `row`, in that column of a table below
    /// that heading.
    fn cell(&self, heading: &str, row: &str, column: &str) -> &str {
        let begins = format!("### {heading}\n");
        let (_, section) = self.text.split_once(&begins).unwrap_or_else(|| panic!("no {begins}"));
        let section = section.split("\n#").next().expect("a split has a first part");
        let mut place = None;
        for line in section.lines() {
            let cells = cells(line);
            if !line.starts_with('|') {
                place = None;
            } else if place.is_none() {
                place = Some(cells.iter().position(|cell| *cell == column));
            } else if let Some(Some(at)) = place
                && cells[0] == row
            {
                return cells[at];
            }
        }
        panic!("BENCHMARKS.md has no {column} of {row} under {heading}")
    }

    /// Its first number, rounded to so many digits behind the point.
    fn number(&self, heading: &str, row: &str, column: &str, digits: usize) -> String {
        let cell = self.cell(heading, row, column);
        let number: f64 = cell.split(' ').next().and_then(|word| word.parse().ok()).expect(cell);
        format!("{number:.digits$}")
    }

    fn drained(&self, corpus: &str) -> [String; 3] {
        let columns = [("gateway M/s", 1), ("ratio (min–max)", 2), ("CPU µs/sample", 2)];
        columns.map(|(column, digits)| self.number("Drain", corpus, column, digits))
    }

    fn series(&self, row: &str, column: &str, digits: usize) -> String {
        self.number("Memory, scrapes, a drain while scraped", row, column, digits)
    }

    fn fresh(&self, row: &str, digits: usize) -> String {
        self.number("Freshness and idling", row, "value", digits)
    }

    /// Of one way of a producer.
    fn paid(&self, way: &str, column: &str) -> String {
        self.cell("What a producer pays", way, column).to_owned()
    }

    /// CPU time in units of one LPUSH.
    fn paid_ratio(&self, way: &str) -> String {
        self.paid(way, "CPU, one LPUSH = 1")
    }

    /// A time, from microseconds to milliseconds.
    fn paid_ms(&self, way: &str, column: &str, digits: usize) -> String {
        let cell = self.paid(way, column);
        let time: f64 = cell.parse().expect("a number");
        format!("{:.digits$}", time / 1e3)
    }

    /// Seconds that a million counters take.
    fn scrape(&self) -> String {
        let each = self.series("1000000", "gateway, ns per series", 0);
        format!("{:.1}", each.parse::<f64>().expect("a number") / 1e3)
    }
}

fn in_the_readme(of: &Tables) -> String {
    let [rate, ratio, cost] = of.drained("mix");
    let [shuffled, ..] = of.drained("shuffled");
    let [new, ..] = of.drained("newlabel");
    let bytes = |kind| of.series(kind, "bytes per series", 0);
    format!(
        "On two cores shared with Redis it takes {rate} million samples a second of a mix of all \
         types ({ratio} of what that Redis can hand out), for {cost} µs of CPU each; {shuffled} \
         million where eight programs write each metric, each in a spelling of its own, {new} million where each sample makes a new \
         series. A counter with three labels takes {} bytes of memory, a histogram with ten \
         buckets {}. A scrape of a million counters takes {} s. A push is on `/metrics` after {} \
         ms (median).\n",
        bytes("counter"),
        bytes("histogram"),
        of.scrape(),
        of.fresh("LPUSH to visible, p50, ms", 1),
    )
}

fn in_tuning(of: &Tables) -> String {
    let mut text = String::from("| | |\n| --- | --- |\n");
    let mut row = |what: &str, figure: String| text.push_str(&format!("| {what} | {figure} |\n"));
    let drained = |corpus| {
        let [rate, ratio, cost] = of.drained(corpus);
        format!("{rate} million, {ratio} of what that Redis can hand out; {cost} µs of CPU each")
    };
    row("samples a second, a mix of all types", drained("mix"));
    row("where a tenth of them is rejected", drained("bad10"));
    row(
        "where eight programs write each metric, each in a spelling of its own",
        drained("shuffled"),
    );
    row("where each sample makes a new series", drained("newlabel"));
    let bytes = |kind| format!("{} bytes", of.series(kind, "bytes per series", 0));
    row("memory for a counter with three labels", bytes("counter"));
    row("for a gauge", bytes("gauge"));
    row("for a histogram of ten buckets", bytes("histogram"));
    row("for a summary", bytes("summary"));
    let total = of.series("counters", "bytes each", 0);
    row("for the total of an expired counter", format!("{total} bytes"));
    let (size, more) =
        (of.series("1000000", "MiB", 0), of.series("1000000", "RSS grown, bytes per series", 0));
    let scrape = of.scrape();
    row(
        "a scrape of a million counters",
        format!("{scrape} s, {size} MiB before compression, {more} bytes of memory each meanwhile"),
    );
    let (half, most) =
        (of.fresh("LPUSH to visible, p50, ms", 1), of.fresh("LPUSH to visible, p99, ms", 1));
    row(
        "from `LPUSH` to `/metrics`",
        format!("{half} ms in the median, {most} ms in the 99th percentile"),
    );
    let (start, idle) = (of.fresh("start to ready, median, ms", 0), of.fresh("idle RSS, MiB", 0));
    row("an idle gateway", format!("{idle} MiB; ready {start} ms after its start"));
    text
}

const PHP_POST: &str = "PHP: the same, and POST to a Pushgateway";
const PHP_PUSH: &str = "PHP: php-redis, one LPUSH";

/// What pushing spares, of the chart above it.
fn paid_in_the_readme(of: &Tables) -> String {
    let wall = |way| of.paid_ms(way, "Wall µs, median", 1);
    let (python_post, python_push) =
        ("Python: the same, and POST to a Pushgateway", "Python: redis-py, one LPUSH");
    format!(
        "Aggregating 20 samples, rendering them and POSTing them to a Pushgateway costs a PHP \
         program {} times the CPU of one `LPUSH`, and takes {} ms instead of {}; a Python program \
         {} times, and {} ms instead of {}.\n",
        of.paid_ratio(PHP_POST),
        wall(PHP_POST),
        wall(PHP_PUSH),
        of.paid_ratio(python_post),
        wall(python_post),
        wall(python_push),
    )
}

fn paid_in_producing(of: &Tables) -> String {
    let cpu = |way| of.paid_ms(way, "CPU µs, median", 2);
    format!(
        "In PHP, one `LPUSH` of 20 samples costs {} ms of CPU on a new connection and {} ms on a \
         kept one. Sending them one by one costs {} times as much, aggregating and rendering them \
         with PromPHP {} times, and {} times with a POST to a Pushgateway.\n",
        cpu(PHP_PUSH),
        cpu("PHP: the same, its connection kept"),
        of.paid_ratio("PHP: php-redis, 20 LPUSH"),
        of.paid_ratio("PHP: PromPHP in memory, rendered"),
        of.paid_ratio(PHP_POST),
    )
}

/// What a package costs.
fn paid_for_packages(of: &Tables) -> String {
    let each = |column, digits| {
        ["Go", "Python", "Node.js", "PHP"]
            .map(|client| of.number("What a client package costs", client, column, digits))
    };
    let [go, python, node, php] = each("raw = 1", 2);
    let mut increments = each("µs for each of 1000 increments", 1);
    increments.sort();
    let [least, .., most] = increments;
    format!(
        "20 samples take {go} times the CPU of raw `LPUSH` in Go, {python} times in Python, \
         {node} times in Node.js and {php} times in PHP. An increment in a loop takes {least} to \
         {most} µs.\n"
    )
}

#[test]
fn figures() {
    let tables = Tables::read();
    check_section("README.md", "invocation", &paid_in_the_readme(&tables));
    check_section("docs/produce.md", "invocation", &paid_in_producing(&tables));
    check_section("docs/produce.md", "packages", &paid_for_packages(&tables));
    check_section("README.md", "figures", &in_the_readme(&tables));
    check_section("docs/tune.md", "figures", &in_tuning(&tables));
}

#[test]
fn a_cell_is_found_by_heading_row_and_column() {
    let text = "### One\n\n| a | b |\n| --- | ---: |\n| x | 1.26 (1–2) |\n\n| a | c |\n| - | - |\n\
                | x | 3 |\n\n### Two\n\n| a | b |\n| - | - |\n| x | 4 |\n";
    let tables = Tables { text: text.to_owned() };
    assert_eq!(tables.number("One", "x", "b", 1), "1.3");
    assert_eq!(tables.cell("One", "x", "c"), "3");
    assert_eq!(tables.cell("Two", "x", "b"), "4");
}

#[test]
#[should_panic(expected = "BENCHMARKS.md has no b of y under One")]
fn a_cell_that_is_not_there_is_an_error() {
    Tables { text: "### One\n| a | b |\n| - | - |\n| x | 1 |\n".to_owned() }.cell("One", "y", "b");
}
