//! The Markdown table of a run, from what criterion has written to its
//! directory: it hands no figures out.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

/// What is known of a bench.
#[derive(Debug, Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Throughput {
    elements: f64,
}

/// What was measured, in ns per iteration.
#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    point_estimate: f64,
    confidence_interval: Interval,
}

#[derive(Debug, Deserialize)]
struct Interval {
    lower_bound: f64,
    upper_bound: f64,
}

/// Prints a line for each bench that was measured since `started`; nothing
/// where none was, as when the benches run as tests.
pub fn print(criterion_home: &Path, started: SystemTime) -> Result<(), Box<dyn Error>> {
    let mut lines = Vec::new();
    for estimates in written_since(criterion_home, started)? {
        lines.push(line(&estimates)?);
    }
    if lines.is_empty() {
        return Ok(());
    }
    lines.sort();
    println!("\n| step | of | ns per sample or series, median | 95 % confidence |");
    println!("| --- | --- | ---: | ---: |");
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn line(estimates: &Path) -> Result<String, Box<dyn Error>> {
    let benchmark: Benchmark =
        serde_json::from_slice(&fs::read(estimates.with_file_name("benchmark.json"))?)?;
    let Estimates { median } = serde_json::from_slice(&fs::read(estimates)?)?;
    let elements = benchmark.throughput.map_or(1.0, |throughput| throughput.elements);
    let of: Vec<String> = benchmark.function_id.into_iter().chain(benchmark.value_str).collect();
    let Interval { lower_bound, upper_bound } = median.confidence_interval;
    let [middle, lower, upper] =
        [median.point_estimate, lower_bound, upper_bound].map(|time| time / elements);
    let (step, of) = (benchmark.group_id, of.join(", "));
    Ok(format!("| {step} | {of} | {middle:.1} | {lower:.1}–{upper:.1} |"))
}

/// The estimates of all benches that were written since `started`.
fn written_since(home: &Path, started: SystemTime) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        let estimates = folder.join("new/estimates.json");
        if estimates.exists() && fs::metadata(&estimates)?.modified()? >= started {
            found.push(estimates);
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let inside = entries.flatten().map(|entry| entry.path());
        folders.extend(inside.filter(|path| path.is_dir() && !path.ends_with("new")));
    }
    Ok(found)
}
