//! Durations as strings, such as `24h` or `1h30m`.
//!
//! The notation is Kubernetes' own for API fields (GEP-2257): one to four parts, each a whole number
//! of up to five digits and a unit of `h`, `m`, `s` or `ms`. Fractions, signs and other units are
//! refused, so that one text has one meaning everywhere.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// `spec.maxStaleness`: for how long a sidecar may use a CMK without hearing from the operator;
/// 5 minutes to 720 hours. Keeps the text it was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MaxStaleness {
    text: String,
    duration: Duration,
}

impl MaxStaleness {
    /// The shortest allowed: a sidecar hears from the operator about once a minute.
    pub const MIN: Duration = Duration::from_mins(5);
    /// The longest allowed: 30 days.
    pub const MAX: Duration = Duration::from_hours(720);

    /// The same limits in CEL, for the API server.
    pub(crate) const RULE: &str = "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') \
        && duration(self) >= duration('5m') && duration(self) <= duration('720h')";
    /// What the API server and this crate say where they are not kept.
    pub(crate) const MESSAGE: &str = "must be a duration from 5m to 720h, such as 24h or 1h30m";

    /// The duration.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Default for MaxStaleness {
    /// 24 hours.
    fn default() -> Self {
        Self {
            text: "24h".to_owned(),
            duration: Duration::from_hours(24),
        }
    }
}

impl FromStr for MaxStaleness {
    type Err = MaxStalenessError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for MaxStaleness {
    type Error = MaxStalenessError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match parse(&text) {
            Some(duration) if (Self::MIN..=Self::MAX).contains(&duration) => {
                Ok(Self { text, duration })
            }
            _ => Err(MaxStalenessError { text }),
        }
    }
}

impl From<MaxStaleness> for String {
    fn from(value: MaxStaleness) -> Self {
        value.text
    }
}

impl fmt::Display for MaxStaleness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl JsonSchema for MaxStaleness {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MaxStaleness".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Four parts of five digits and two letters are 28 characters; the limit bounds the cost of
        // the rule, which an API server demands.
        json_schema!({ "type": "string", "maxLength": 32 })
    }
}

/// The text is no duration, or one out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {}", MaxStaleness::MESSAGE)]
pub struct MaxStalenessError {
    text: String,
}

/// Reads a duration in the notation of this module. `None` where it is not in it.
///
/// Cannot overflow: four parts of at most 99,999 hours are below 2^64 milliseconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    const MAX_PARTS: usize = 4;
    const MAX_DIGITS: usize = 5;

    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..MAX_PARTS {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 || digits > MAX_DIGITS {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let (milliseconds, after) = unit(after)?;
        total += Duration::from_millis(number * milliseconds);
        rest = after;
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

/// The unit at the start of `text`, in milliseconds, and what comes after it.
fn unit(text: &str) -> Option<(u64, &str)> {
    // "ms" before "m": the longer unit wins.
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    UNITS.iter().find_map(|(name, milliseconds)| {
        text.strip_prefix(name).map(|after| (*milliseconds, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations() {
        for (text, seconds) in [
            ("5m", 300),
            ("24h", 86_400),
            ("1h30m", 5_400),
            ("300000ms", u64::MAX), // six digits
            ("99999ms", 99),
            ("0s", 0),
            ("1h1h1h1h", 14_400),
            ("10m5ms", 600),
        ] {
            let expected = (seconds != u64::MAX).then_some(seconds);
            assert_eq!(parse(text).map(|d| d.as_secs()), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for text in [
            "",
            "h",
            "24",
            "24 h",
            " 24h",
            "24h ",
            "1.5h",
            "-5m",
            "+5m",
            "1d",
            "24H",
            "1h1h1h1h1h",
            "100000s",
            "5µs",
            "٢٤h",
            "1e3s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn keeps_its_range_and_its_text() {
        for text in ["5m", "720h", "300s", "1440m"] {
            let read: MaxStaleness = text.parse().unwrap();
            assert_eq!(read.as_str(), text);
        }
        for text in ["299s", "4m59s999ms", "720h1ms", "0s", "99999h"] {
            assert!(text.parse::<MaxStaleness>().is_err(), "{text}");
        }
        let default = MaxStaleness::default();
        assert_eq!(default.as_str().parse(), Ok(default));
    }
}
