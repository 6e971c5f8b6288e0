//! Programs that push by HTTP, as they stand on a page: what they count is shown.

use std::process::Command;

use psg_testkit::Rig;
use psg_testkit::pages::Block;
use psg_testkit::programs::{is_there, stdout};

/// Programs in Python that count 120 `rows_total`.
pub fn programs_push(blocks: &[Block]) {
    let python = std::env::var("PSG_PYTHON").unwrap_or_else(|_| "python3".into());
    let probe = ["-c", "import prometheus_client"];
    if !is_there(Command::new(&python).args(probe), "python3 with prometheus_client") {
        return;
    }
    for block in blocks {
        assert_eq!(block.language, "python", "{}", block.place);
        let rig = Rig::with(&[("Push__Enabled", "true")]);
        let address = format!("127.0.0.1:{}", rig.gateway.port());
        let program = block.text.replace("localhost:9091", &address);
        assert_eq!(stdout(Command::new(&python).args(["-c", &program])), "", "{}", block.place);
        rig.gateway.scrape_until("the rows", |seen| {
            let labels = [("job", "import"), ("table", "orders")];
            seen.value("rows_total", &labels) == Some(120.0)
        });
    }
}
