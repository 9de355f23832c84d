use jiff::Timestamp;
use sealward_core::KeyVersion;
use sealward_runtime::clock::ManualClock;
use sealward_runtime::readiness::Readiness;

use super::*;
use crate::source::fake::{FakeSource, Faults};
use crate::source::{CmkState, SourceKind};

const HOUR: Duration = Duration::from_hours(1);

struct Bench {
    source: FakeSource,
    clock: ManualClock,
    ring: Arc<Keyring>,
    count: Gauge,
}

fn bench() -> Bench {
    let source = FakeSource::new(SourceKind::Cluster);
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let bounds = Bounds {
        keys: 2,
        staleness: HOUR,
        load_deadline: Duration::from_secs(5),
    };
    let count = Gauge::default();
    let ring = Keyring::new(
        Arc::new(source.clone()),
        Arc::new(clock.clone()),
        bounds,
        count.clone(),
    );
    Bench {
        source,
        clock,
        ring: Arc::new(ring),
        count,
    }
}

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_key_is_fetched_once_and_found_by_id_and_name() {
    let Bench {
        source,
        ring,
        count,
        ..
    } = bench();
    let id = source.create(name("shop/web"));
    for _ in 0..3 {
        assert_eq!(
            ring.find(&Wanted::Name(name("shop/web"))).await.unwrap().id,
            id
        );
        assert_eq!(ring.find(&Wanted::Id(id)).await.unwrap().id, id);
    }
    assert_eq!(source.loads(), 1);
    assert_eq!(count.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_who_want_the_same_key_wait_for_one_load() {
    let Bench { source, ring, .. } = bench();
    let id = source.create(name("shop/web"));
    source.set_faults(Faults {
        delay: Duration::from_secs(1),
        ..Faults::default()
    });
    let finds: Vec<_> = (0..50)
        .map(|_| {
            let ring = Arc::clone(&ring);
            tokio::spawn(async move { ring.find(&Wanted::Id(id)).await.map(|cmk| cmk.id) })
        })
        .collect();
    for find in finds {
        assert_eq!(find.await.unwrap(), Ok(id));
    }
    assert_eq!(source.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_the_caller_who_began_it_goes_away() {
    let Bench { source, ring, .. } = bench();
    let id = source.create(name("shop/web"));
    source.set_faults(Faults {
        delay: Duration::from_secs(1),
        ..Faults::default()
    });
    let find = |ring: &Arc<Keyring>| {
        let ring = Arc::clone(ring);
        tokio::spawn(async move { ring.find(&Wanted::Id(id)).await.is_ok() })
    };
    let (first, second) = (find(&ring), find(&ring));
    tokio::time::sleep(Duration::from_millis(500)).await;
    first.abort();
    assert!(second.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_is_given_up() {
    let Bench { source, ring, .. } = bench();
    let id = source.create(name("shop/web"));
    source.set_faults(Faults {
        delay: HOUR,
        ..Faults::default()
    });
    let error = ring.find(&Wanted::Id(id)).await.unwrap_err();
    assert_eq!(error.to_string(), "the source of keys does not answer");
    assert!(
        ring.lock().loads.is_empty(),
        "a load that was given up leaves nothing behind"
    );
}

#[tokio::test]
async fn unknown_is_remembered_briefly() {
    let Bench {
        source,
        clock,
        ring,
        ..
    } = bench();
    let wanted = Wanted::Id(KeyId::from_bytes([1; 16]));
    for _ in 0..10 {
        assert_eq!(ring.find(&wanted).await.unwrap_err(), FindError::Unknown);
    }
    assert_eq!(source.loads(), 1);
    clock.advance(NEGATIVE);
    assert_eq!(ring.find(&wanted).await.unwrap_err(), FindError::Unknown);
    assert_eq!(source.loads(), 2);
}

#[tokio::test]
async fn many_unknown_keys_take_bounded_memory() {
    let Bench { ring, .. } = bench();
    for number in 0..1000_u128 {
        let wanted = Wanted::Id(KeyId::from_bytes(number.to_be_bytes()));
        assert_eq!(ring.find(&wanted).await.unwrap_err(), FindError::Unknown);
    }
    assert!(ring.lock().unknown.len() <= NEGATIVES);
    assert!(ring.lock().loads.is_empty());
}

#[tokio::test]
async fn the_key_not_used_for_longest_makes_room() {
    let Bench {
        source,
        ring,
        count,
        ..
    } = bench();
    let ids = ["a/a", "a/b", "a/c"].map(|text| source.create(name(text)));
    for id in [ids[0], ids[1], ids[0], ids[2]] {
        ring.find(&Wanted::Id(id)).await.unwrap();
    }
    assert_eq!((source.loads(), count.get()), (3, 2));
    ring.find(&Wanted::Id(ids[0])).await.unwrap();
    assert_eq!(source.loads(), 3, "still there");
    ring.find(&Wanted::Id(ids[1])).await.unwrap();
    assert_eq!(source.loads(), 4, "had made room");
}

#[tokio::test]
async fn a_key_that_nobody_confirms_is_refused_until_somebody_does() {
    let Bench {
        source,
        clock,
        ring,
        ..
    } = bench();
    let wanted = Wanted::Id(source.create(name("shop/web")));
    ring.find(&wanted).await.unwrap();
    clock.advance(HOUR);
    ring.find(&wanted).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(matches!(
        ring.find(&wanted).await,
        Err(FindError::Unavailable(_))
    ));
    source.confirm(clock.monotonic());
    ring.find(&wanted).await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_last_seen_long_ago_is_stale_though_its_source_is_not() {
    let Bench {
        source,
        clock,
        ring,
        ..
    } = bench();
    let id = source.create(name("shop/web"));
    source.update(id, |cmk| cmk.last_seen = Some(Duration::ZERO));
    clock.advance(HOUR * 2);
    source.confirm(clock.monotonic());
    assert!(matches!(
        ring.find(&Wanted::Id(id)).await,
        Err(FindError::Unavailable(_))
    ));
}

/// Lets `follow` see what changed.
async fn followed(ring: &Arc<Keyring>, change: impl FnOnce()) -> Readiness {
    let (readiness, shutdown) = (Readiness::new(), Shutdown::new());
    let gate = readiness.gate("keys");
    let following = tokio::spawn({
        let (ring, shutdown) = (Arc::clone(ring), shutdown.clone());
        async move { ring.follow(&gate, shutdown).await }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    change();
    tokio::time::sleep(Duration::from_millis(1)).await;
    shutdown.trigger();
    following.await.unwrap();
    readiness
}

#[tokio::test(start_paused = true)]
async fn changes_reach_the_keys_that_are_held() {
    let Bench { source, ring, .. } = bench();
    let id = source.create(name("shop/web"));
    let wanted = Wanted::Id(id);
    ring.find(&wanted).await.unwrap();
    let readiness = followed(&ring, || {
        source.rotate(id);
        source.set_state(id, CmkState::Disabled);
    })
    .await;
    let cmk = ring.find(&wanted).await.unwrap();
    assert_eq!(
        (cmk.state, cmk.primary),
        (CmkState::Disabled, KeyVersion::new(2))
    );
    assert!(readiness.is_ready());

    followed(&ring, || source.forget(id)).await;
    assert_eq!(ring.find(&wanted).await.unwrap_err(), FindError::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_source_in_trouble_changes_nothing_of_what_is_held() {
    let Bench { source, ring, .. } = bench();
    let id = source.create(name("shop/web"));
    let before = ring.find(&Wanted::Id(id)).await.unwrap();
    for faults in [
        Faults {
            unavailable: true,
            ..Faults::default()
        },
        Faults {
            wrong_bytes: true,
            ..Faults::default()
        },
        Faults {
            lost_versions: true,
            ..Faults::default()
        },
    ] {
        followed(&ring, || source.set_faults(faults.clone())).await;
        let after = ring.find(&Wanted::Id(id)).await.unwrap();
        assert!(
            Arc::ptr_eq(before.primary().unwrap(), after.primary().unwrap()),
            "{faults:?}"
        );
        assert!(after.unusable.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn readiness_says_when_keys_are_stale() {
    let Bench { clock, ring, .. } = bench();
    clock.advance(HOUR * 2);
    let readiness = followed(&ring, || {}).await;
    assert_eq!(
        readiness.report(),
        "keys: not ready: keys are older than 3600 s: no word from their source\n"
    );
}
