use std::sync::mpsc;

use sealward_core::{KeyId, KeyVersion};

use super::*;
use crate::request_id::RequestIds;

/// A sink that tests can read, and that blocks while it is told to.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<u8>>>);

impl Write for Shelf {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shelf {
    fn lines(&self) -> Vec<serde_json::Value> {
        let bytes = self.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn subject() -> Subject {
    Subject {
        pod: "web-0".into(),
        namespace: "shop".into(),
        service_account: "we\"b".into(),
    }
}

fn record(audit: &Audit, ids: &RequestIds, used: &Use, code: &str) {
    let now = "2026-11-24T01:14:05.000042Z".parse().unwrap();
    audit.record(used, ids.next(), code, now, Duration::from_micros(128));
}

#[test]
fn a_line_says_who_used_which_key_how() {
    let shelf = Shelf::default();
    let audit = Audit::start(Box::new(shelf.clone()), &subject(), Counter::default()).unwrap();
    let key = |byte, version| KeyUse {
        id: KeyId::from_bytes([byte; 16]),
        version: KeyVersion::new(version),
    };
    let used = Use {
        operation: Some("re-encrypt"),
        key: Some(key(0xab, 12)),
        source: Some(key(1, 0)),
        context_hash: Some([0xcd; 32]),
    };
    let ids = RequestIds::new();
    record(&audit, &ids, &used, "KMS.2201");
    record(&audit, &ids, &Use::default(), "OK");
    audit.close(Duration::from_secs(5));

    let lines = shelf.lines();
    assert_eq!(lines.len(), 2);
    let id = lines[0]["requestId"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 32);
    assert_eq!(
        lines[0],
        serde_json::json!({
            "time": "2026-11-24T01:14:05.000042Z",
            "requestId": id,
            "operation": "re-encrypt",
            "keyId": "abababab-abab-abab-abab-abababababab",
            "keyVersion": 12,
            "sourceKeyId": "01010101-0101-0101-0101-010101010101",
            "pod": "web-0",
            "namespace": "shop",
            "serviceAccount": "we\"b",
            "contextHash": "cd".repeat(32),
            "result": "KMS.2201",
            "durationMicros": 128,
        })
    );
    assert!(lines[1].get("keyId").is_none() && lines[1].get("contextHash").is_none());
}

/// A sink that takes a write only when the test lets it.
struct Gate(mpsc::Receiver<()>, Shelf);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The end of the channel opens the gate for good.
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_blocks_costs_lines_and_no_answers() {
    let shelf = Shelf::default();
    let (open, gate) = mpsc::channel();
    let dropped = Counter::default();
    let audit = Audit::start(
        Box::new(Gate(gate, shelf.clone())),
        &subject(),
        dropped.clone(),
    )
    .unwrap();
    let ids = RequestIds::new();
    let begun = Instant::now();
    for _ in 0..10_000 {
        record(&audit, &ids, &Use::default(), "OK");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "recording waited for the sink"
    );
    assert!(
        audit.shared.lock().lines.capacity() <= 2 * BUFFER,
        "the buffer is bounded"
    );
    assert!(dropped.get() > 0);

    drop(open);
    audit.close(Duration::from_secs(5));
    let lines = shelf.lines();
    let told: u64 = lines.iter().filter_map(|line| line["lines"].as_u64()).sum();
    let written = lines
        .iter()
        .filter(|line| line.get("requestId").is_some())
        .count();
    assert_eq!(
        written as u64 + told,
        10_000,
        "every line is written or told to be missing"
    );
    assert_eq!(told, dropped.get());
}

#[test]
fn closing_gives_up_on_a_sink_that_blocks_for_ever() {
    let (open, gate) = mpsc::channel();
    let sink = Gate(gate, Shelf::default());
    let audit = Audit::start(Box::new(sink), &subject(), Counter::default()).unwrap();
    record(&audit, &RequestIds::new(), &Use::default(), "OK");
    let begun = Instant::now();
    audit.close(Duration::from_millis(100));
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(open);
}

#[test]
fn a_sink_that_fails_is_counted() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dropped = Counter::default();
    let audit = Audit::start(Box::new(Full), &subject(), dropped.clone()).unwrap();
    let ids = RequestIds::new();
    record(&audit, &ids, &Use::default(), "OK");
    record(&audit, &ids, &Use::default(), "OK");
    audit.close(Duration::from_secs(5));
    assert_eq!(dropped.get(), 2);
}
