//! What every source must do. Run against each of them in its tests.

use std::sync::Arc;
use std::time::Duration;

use sealward_core::{EncryptionContext, KeyId, KeyVersion, Purpose, open, seal};
use sealward_protocol::names::KeyName;

use super::{Cmk, CmkState, KeySource, SourceError, Wanted};

/// A source, and the hand on the other side: whoever decides about its keys.
pub trait Fixture {
    /// The source under test.
    fn source(&self) -> &dyn KeySource;

    /// Makes a CMK with one version; returns when the source has had the chance
    /// to see it. The same holds for what follows.
    fn create(&mut self, name: &KeyName) -> impl Future<Output = KeyId>;

    /// Adds a version.
    fn rotate(&mut self, id: KeyId) -> impl Future<Output = ()>;

    /// Sets the state of a CMK.
    fn set_state(&mut self, id: KeyId, state: CmkState) -> impl Future<Output = ()>;

    /// Lets time pass in which the source hears from whoever decides.
    fn confirm(&mut self) -> impl Future<Output = ()>;
}

/// Runs the suite.
///
/// # Panics
/// Where the source does not conform, saying in what.
pub async fn run(fixture: &mut impl Fixture) {
    let web: KeyName = "shop/web-tls".parse().expect("a name");
    let other: KeyName = "shop/other".parse().expect("a name");

    let unknown = Wanted::Id(KeyId::from_bytes([9; 16]));
    assert_eq!(
        load(fixture, &unknown).await.err(),
        Some(SourceError::Unknown)
    );
    assert_eq!(
        load(fixture, &Wanted::Name(web.clone())).await.err(),
        Some(SourceError::Unknown),
        "a name that nobody has"
    );

    let id = fixture.create(&web).await;
    let cmk = loaded(fixture, id).await;
    assert_eq!(
        (cmk.id, &cmk.name, cmk.state),
        (id, &web, CmkState::Enabled)
    );
    assert_eq!(
        cmk.primary,
        Some(KeyVersion::FIRST),
        "the first version seals"
    );
    let by_name = load(fixture, &Wanted::Name(web.clone()))
        .await
        .expect("is there by name");
    assert_eq!(by_name.id, id, "id and name lead to the same CMK");
    let sealed = seal_with(&cmk);

    rotation_adds_a_version(fixture, id, &sealed).await;
    states_are_told(fixture, id).await;

    let second = fixture.create(&other).await;
    let listed: Vec<_> = fixture
        .source()
        .list()
        .await
        .expect("lists")
        .iter()
        .map(|cmk| cmk.id)
        .collect();
    let mut expected = vec![id, second];
    expected.sort();
    assert_eq!(listed, expected, "lists all CMKs in the order of their ids");

    freshness_is_told(fixture).await;
}

async fn rotation_adds_a_version(fixture: &mut impl Fixture, id: KeyId, sealed: &[u8]) {
    let before = fixture.source().status().borrow().generation;
    fixture.rotate(id).await;
    let after = fixture.source().status().borrow().generation;
    assert!(after > before, "a change must show in the status");
    let cmk = loaded(fixture, id).await;
    assert_eq!(cmk.primary, KeyVersion::new(2), "the newest version seals");
    assert_eq!(cmk.versions.len(), 2, "the old one is kept");
    opens(&cmk, KeyVersion::FIRST, sealed);
}

async fn states_are_told(fixture: &mut impl Fixture, id: KeyId) {
    let destroy_at = "2030-01-01T00:00:00Z".parse().expect("a time");
    for state in [
        CmkState::Disabled,
        CmkState::PendingDeletion { destroy_at },
        CmkState::Enabled,
    ] {
        fixture.set_state(id, state).await;
        let cmk = loaded(fixture, id).await;
        assert_eq!(cmk.state, state);
        assert_eq!(cmk.versions.len(), 2, "{state:?} loses no version");
    }
}

async fn freshness_is_told(fixture: &mut impl Fixture) {
    let before = fixture.source().status().borrow().confirmed_at;
    fixture.confirm().await;
    let after = fixture.source().status().borrow().confirmed_at;
    assert!(after > before, "{after:?} must be later than {before:?}");
    assert!(after.saturating_sub(before) < Duration::from_hours(1));
}

async fn loaded(fixture: &impl Fixture, id: KeyId) -> Arc<Cmk> {
    load(fixture, &Wanted::Id(id)).await.expect("is there")
}

async fn load(fixture: &impl Fixture, wanted: &Wanted) -> Result<Arc<Cmk>, SourceError> {
    fixture.source().load(wanted).await
}

fn seal_with(cmk: &Cmk) -> Vec<u8> {
    let key = cmk.primary().expect("has a primary version");
    seal(
        key,
        Purpose::Data,
        &EncryptionContext::none(),
        b"x",
        &mut getrandom::SysRng,
    )
    .expect("seals")
}

fn opens(cmk: &Cmk, version: KeyVersion, sealed: &[u8]) {
    let key = cmk.version(version).expect("the version is there");
    let opened = open(key, Purpose::Data, &EncryptionContext::none(), sealed).expect("opens");
    assert_eq!(opened.expose(), b"x", "a version keeps its bytes");
}
