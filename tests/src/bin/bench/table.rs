//! The table that is printed at the end.

use std::fmt;

use crate::say;
use crate::stats::Spread;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was measured, and in which unit.
    pub(crate) what: String,
    pub(crate) ours: String,
    /// What ours is compared with; empty where there is nothing.
    pub(crate) other: String,
    pub(crate) ratio: Option<Spread>,
    pub(crate) verdict: Verdict,
}

/// Whether a figure is what it should be.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Nothing was demanded.
    Information,
    Met(String),
    Missed(String),
    /// Could not be measured, for this reason.
    LeftOut(String),
}

impl Verdict {
    /// Met if `measured` is at least `demanded`.
    pub(crate) fn at_least(demanded: f64, unit: &str, measured: f64) -> Self {
        Self::new(measured >= demanded, format!("≥ {demanded}{unit}"))
    }

    /// Met if `measured` is at most `demanded`.
    pub(crate) fn at_most(demanded: f64, unit: &str, measured: f64) -> Self {
        Self::new(measured <= demanded, format!("≤ {demanded}{unit}"))
    }

    /// Met if `measured` is below `demanded`.
    pub(crate) fn below(demanded: f64, unit: &str, measured: f64) -> Self {
        Self::new(measured < demanded, format!("< {demanded}{unit}"))
    }

    fn new(met: bool, demanded: String) -> Self {
        if met {
            Self::Met(demanded)
        } else {
            Self::Missed(demanded)
        }
    }

    fn cells(&self) -> [&str; 2] {
        match self {
            Self::Information => ["", ""],
            Self::Met(demanded) => [demanded, "met"],
            Self::Missed(demanded) => [demanded, "MISSED"],
            Self::LeftOut(_) => ["", "LEFT OUT"],
        }
    }
}

/// All rows, and what a reader should know besides.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a row, and shows it at once: a run takes minutes.
    pub(crate) fn add(&mut self, row: Row) {
        let ratio = row.ratio.map(|ratio| ratio.to_string()).unwrap_or_default();
        let [demanded, verdict] = row.verdict.cells();
        say(format_args!(
            "{}: {} {} {ratio} {demanded} {verdict}",
            row.what, row.ours, row.other
        ));
        self.rows.push(row);
    }

    /// Adds a row for what could not be measured.
    pub(crate) fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.add(Row {
            what: what.into(),
            ours: String::new(),
            other: String::new(),
            ratio: None,
            verdict: Verdict::LeftOut(why.into()),
        });
    }

    /// Adds a line below the table.
    pub(crate) fn note(&mut self, note: String) {
        say(format_args!("{note}"));
        self.notes.push(note);
    }

    fn count(&self, verdict: &str) -> usize {
        let verdicts = self.rows.iter().map(|row| row.verdict.cells()[1]);
        verdicts.filter(|is| *is == verdict).count()
    }
}

const TITLES: [&str; 6] = [
    "what",
    "ours",
    "other",
    "ratio min–median–max",
    "demanded",
    "",
];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![TITLES.map(str::to_owned)];
        for row in &self.rows {
            let [demanded, verdict] = row.verdict.cells();
            let ratio = row.ratio.map(|ratio| ratio.to_string()).unwrap_or_default();
            let cells = [&row.what, &row.ours, &row.other, &ratio, demanded, verdict];
            lines.push(cells.map(str::to_owned));
        }
        let widths: [usize; 6] = std::array::from_fn(|column| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or_default()
        });
        for line in &lines {
            let cells = line.iter().zip(widths);
            let padded: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            writeln!(f, "{}", padded.join("  ").trim_end())?;
        }
        writeln!(f)?;
        for row in &self.rows {
            if let Verdict::LeftOut(why) = &row.verdict {
                writeln!(f, "LEFT OUT: {}: {why}", row.what)?;
            }
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        writeln!(
            f,
            "{} met, {} MISSED, {} left out",
            self.count("met"),
            self.count("MISSED"),
            self.count("LEFT OUT")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_loudly_what_is_missed_or_left_out() {
        let mut table = Table::default();
        for (bound, ours) in [(1.0, "fast"), (3.0, "slow")] {
            table.add(Row {
                what: "speed".to_owned(),
                ours: ours.to_owned(),
                other: String::new(),
                ratio: Some(Spread::of([2.0])),
                verdict: Verdict::at_least(bound, " ×", 2.0),
            });
        }
        table.leave_out("age", "not installed");
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("≥ 1 ×     met"), "{text}");
        assert!(lines[2].ends_with("≥ 3 ×     MISSED"), "{text}");
        assert!(text.contains("LEFT OUT: age: not installed"), "{text}");
        assert!(text.ends_with("1 met, 1 MISSED, 1 left out\n"), "{text}");
    }
}
