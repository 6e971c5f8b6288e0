//! Names of any script before Prometheus, of either generation: it keeps what they
//! are escaped to, even of labels that become nothing but underscores.

use super::{FORMATS, scraping_in_both_formats};
use psg_testkit::Rig;
use psg_testkit::prometheus::Edition;

#[test]
fn names_of_any_script_are_scraped_escaped() {
    Edition::each(|edition| {
        let mut rig = Rig::with(&[("Metrics__Names", "utf8")]);
        let seen = rig.send(&[
            r#"{"name":"my.jobs_total","value":2,"labels":{"job.id":"7","地域":"東京","a:b":"1"}}"#,
            r#"{"type":"gauge","name":"温度","value":21.5}"#,
            r#"{"type":"histogram","name":"größe/kB","value":3,"buckets":[1,4],"labels":{"é":"1"}}"#,
        ]);
        assert_eq!(seen.totals(), (3, 0));
        let prometheus = scraping_in_both_formats(edition, rig.gateway.port());
        prometheus.wait_for_scrape();
        for job in FORMATS {
            for (series, value) in [
                (r#"my_jobs_total{job_id="7",__="東京",a_b="1""#, 2.0),
                (r#"{__name__="__""#, 21.5),
                (r#"gr__e_kB_bucket{_="1",le=~"4|4.0""#, 1.0),
                (r#"gr__e_kB_sum{_="1""#, 3.0),
            ] {
                let query = format!(r#"{series},job="{job}"}}"#);
                assert_eq!(prometheus.value(&query), Some(value), "{query}");
            }
        }
        assert_eq!(prometheus.log(), [""; 0], "it finds nothing to warn of");
    });
}
