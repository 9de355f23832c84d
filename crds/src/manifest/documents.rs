//! The documents of a YAML stream, each read for itself.

use serde_json::Value;

use super::{ManifestError, Place, Problem};

/// One document: the text between two `---` lines.
pub(super) struct Document<'a> {
    text: &'a str,
    /// The line in the file that `text` starts in, from 1.
    line: usize,
}

/// Splits at the lines that separate documents (`---`, `...`), which YAML knows by their first column
/// alone (YAML 1.2, 9.1.2): no text or quoting can contain them.
pub(super) fn split(yaml: &str) -> impl Iterator<Item = Document<'_>> {
    let yaml = yaml.strip_prefix('\u{feff}').unwrap_or(yaml);
    let mut rest = Some((yaml, 1));
    std::iter::from_fn(move || {
        let (text, line) = rest?;
        let (document, next) = split_first(text);
        rest = next.map(|next| (next, line + document.matches('\n').count()));
        Some(Document {
            text: document,
            line,
        })
    })
}

/// The first document, and what follows its separator if there is one.
fn split_first(text: &str) -> (&str, Option<&str>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if let Some(marker) = ["---", "..."]
            .into_iter()
            .find(|marker| line.starts_with(marker))
        {
            let after = &line[marker.len()..];
            if after.is_empty() || after.starts_with([' ', '\t', '\r', '\n']) {
                return (&text[..start], Some(&text[start + marker.len()..]));
            }
        }
        start += line.len();
    }
    (text, None)
}

impl Document<'_> {
    /// Reads the document. `None` where it is empty.
    pub(super) fn read(&self) -> Result<Option<Value>, Problem> {
        if self.text.lines().all(is_blank) {
            return Ok(None);
        }
        match serde_saphyr::from_str_with_options(self.text, options()) {
            Ok(Value::Null) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.syntax(&error)),
        }
    }

    /// An error at this document, the `number`-th of `file`.
    pub(super) fn error(&self, file: &str, number: usize, problem: Problem) -> ManifestError {
        let start = self.text.lines().take_while(|line| is_blank(line)).count();
        let line = match problem {
            Problem::Syntax { line, .. } => line,
            _ => self.line + start,
        };
        ManifestError {
            file: file.to_owned(),
            place: Some(Place {
                document: number,
                line,
            }),
            problem,
        }
    }

    fn syntax(&self, error: &serde_saphyr::Error) -> Problem {
        let error = error.without_snippet();
        let within = error.location().map_or(1, |location| location.line());
        Problem::Syntax {
            line: self.line + usize::try_from(within.saturating_sub(1)).unwrap_or(0),
            message: one_line(&error.to_string()),
        }
    }
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Reads as API servers do (YAML 1.1: `yes` is true, `010` is 8), with limits that no honest manifest meets: they stop
/// input that grows when it is read.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        legacy_octal_numbers: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: 100_000,
            max_depth: 64,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
        },
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
