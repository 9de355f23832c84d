use sealward_runtime::clock::{Clock as _, ManualClock};

use super::*;
use crate::source::conformance;

struct Fake(FakeSource, ManualClock);

impl conformance::Fixture for Fake {
    fn source(&self) -> &dyn KeySource {
        &self.0
    }

    async fn create(&mut self, name: &KeyName) -> KeyId {
        self.0.create(name.clone())
    }

    async fn rotate(&mut self, id: KeyId) {
        self.0.rotate(id);
    }

    async fn set_state(&mut self, id: KeyId, state: CmkState) {
        self.0.set_state(id, state);
    }

    async fn confirm(&mut self) {
        self.1.advance(Duration::from_secs(1));
        self.0.confirm(self.1.monotonic());
    }
}

#[tokio::test]
async fn conforms() {
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    conformance::run(&mut Fake(FakeSource::new(SourceKind::Cluster), clock)).await;
}
