//! `sealward keys`: what the endpoint knows.

use std::fmt::Write as _;

use serde::Serialize;

use crate::api::Key;
use crate::args::KeysArgs;
use crate::data::client;
use crate::error::Error;
use crate::output::Output;

/// Lists the CMKs, as a table or as `{"keys": […]}`.
///
/// # Errors
/// Whatever [`Error`] says.
pub async fn keys(arguments: KeysArgs, output: Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Json<'a> {
        keys: &'a [Key],
    }
    let keys = client(&arguments.connection)?.list_keys().await?;
    output.result(&table(&keys), &Json { keys: &keys })?;
    Ok(())
}

/// The headings of the table.
const HEADINGS: [&str; 5] = ["NAME", "KEY-ID", "STATE", "PRIMARY", "CREATED"];

fn table(keys: &[Key]) -> String {
    let rows: Vec<[String; 5]> = keys.iter().map(row).collect();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([HEADINGS[column].len()])
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in std::iter::once(HEADINGS.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a String cannot fail.
            let _ = write!(line, "{cell:<width$}   ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn row(key: &Key) -> [String; 5] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let state = match key.destroy_at {
        Some(at) => format!("{} (destroyed at {})", key.state, at.strftime("%F")),
        None => key.state.clone(),
    };
    [
        crate::client::one_line(&key.name),
        crate::client::one_line(&key.key_id),
        crate::client::one_line(&state),
        or_dash(key.primary_version.map(|version| version.to_string())),
        or_dash(key.created_at.map(|at| at.strftime("%FT%TZ").to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let key = |name: &str, state: &str| Key {
            name: name.to_owned(),
            key_id: "6fb156d6-d350-4c92-96f1-337bceea4310".to_owned(),
            state: state.to_owned(),
            primary_version: Some(2),
            created_at: Some("2026-11-24T01:02:03.5Z".parse().unwrap()),
            destroy_at: None,
        };
        assert_eq!(
            table(&[key("web-tls", "Enabled"), key("shop/a", "Disabled")]),
            "NAME      KEY-ID                                 STATE      PRIMARY   CREATED\n\
             web-tls   6fb156d6-d350-4c92-96f1-337bceea4310   Enabled    2         2026-11-24T01:02:03Z\n\
             shop/a    6fb156d6-d350-4c92-96f1-337bceea4310   Disabled   2         2026-11-24T01:02:03Z\n"
        );
    }
}
