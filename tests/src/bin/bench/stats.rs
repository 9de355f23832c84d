//! Numbers out of many measurements.

use std::fmt;

/// The least, the middle and the greatest of some measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one measurement; of none, all zero.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self {
            min: values.first().copied().unwrap_or_default(),
            median: quantile(&values, 0.5),
            max: values.last().copied().unwrap_or_default(),
        }
    }

    /// Of the quotients of measurements that were made side by side.
    pub(crate) fn of_ratios(ours: &[f64], other: &[f64]) -> Self {
        Self::of(ours.iter().zip(other).map(|(ours, other)| ours / other))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}–{:.2}–{:.2}", self.min, self.median, self.max)
    }
}

/// The smallest of `sorted` that at least the share `q` of them does not exceed (nearest rank).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^52, and q is between 0 and 1"
)]
pub(crate) fn quantile<T: Copy + Default>(sorted: &[T], q: f64) -> T {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&hundred, 0.5), 50);
        assert_eq!(quantile(&hundred, 0.99), 99);
        assert_eq!(quantile(&hundred, 1.0), 100);
        assert_eq!(quantile(&[7_u32], 0.5), 7);
        assert_eq!(quantile::<u32>(&[], 0.5), 0);
    }

    #[test]
    fn spreads_of_ratios_go_pair_by_pair() {
        let spread = Spread::of_ratios(&[1.0, 4.0, 9.0], &[1.0, 2.0, 3.0]);
        assert_eq!(spread.to_string(), "1.00–2.00–3.00");
    }
}
