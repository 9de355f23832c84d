//! Whether a server can do its work, and what keeps it from doing so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// The state of one part that others wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Works.
    Ready,
    /// Works, but somebody should look at it; says at what.
    Degraded(String),
    /// Does not work; says why.
    NotReady(String),
}

/// What `/readyz` answers from: a set of named gates, all of which must be open.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Condition>>>);

impl Readiness {
    /// No gates: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a gate. It is closed ("starting") until it is told otherwise, so that
    /// a server is not ready before every part has said that it is.
    pub fn gate(&self, name: &'static str) -> Gate {
        let gate = Gate {
            readiness: self.clone(),
            name,
        };
        gate.set(Condition::NotReady("starting".to_owned()));
        gate
    }

    /// Whether no gate is closed.
    pub fn is_ready(&self) -> bool {
        self.with(|gates| {
            !gates
                .values()
                .any(|gate| matches!(gate, Condition::NotReady(_)))
        })
    }

    /// One line for each gate, as `/readyz` shows it.
    pub fn report(&self) -> String {
        self.with(|gates| {
            let mut text = String::new();
            for (name, condition) in gates.iter() {
                // Writing to a String cannot fail.
                let _ = match condition {
                    Condition::Ready => writeln!(text, "{name}: ready"),
                    Condition::Degraded(why) => writeln!(text, "{name}: degraded: {why}"),
                    Condition::NotReady(why) => writeln!(text, "{name}: not ready: {why}"),
                };
            }
            text
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<&'static str, Condition>) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The handle by which one part opens and closes its gate.
#[derive(Clone, Debug)]
pub struct Gate {
    readiness: Readiness,
    name: &'static str,
}

impl Gate {
    /// Sets the state and returns whether that changed anything, so that a
    /// change is logged once.
    pub fn set(&self, condition: Condition) -> bool {
        self.readiness.with(|gates| {
            let old = gates.insert(self.name, condition);
            old.as_ref() != gates.get(self.name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_closed_gate_is_enough_to_be_not_ready() {
        let readiness = Readiness::new();
        let (keys, lease) = (readiness.gate("keys"), readiness.gate("lease"));
        assert!(!readiness.is_ready());
        keys.set(Condition::Ready);
        assert!(!readiness.is_ready());
        lease.set(Condition::Ready);
        assert!(readiness.is_ready());
        keys.set(Condition::NotReady("gone".into()));
        assert!(!readiness.is_ready());
        assert_eq!(readiness.report(), "keys: not ready: gone\nlease: ready\n");
    }

    #[test]
    fn degraded_is_ready_and_says_why() {
        let readiness = Readiness::new();
        readiness
            .gate("keys")
            .set(Condition::Degraded("old".into()));
        assert!(readiness.is_ready());
        assert_eq!(readiness.report(), "keys: degraded: old\n");
    }

    #[test]
    fn tells_whether_the_state_changed() {
        let gate = Readiness::new().gate("keys");
        assert!(gate.set(Condition::Ready));
        assert!(!gate.set(Condition::Ready));
    }
}
