//! What `sealward dev` says on standard output.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use crate::endpoint::Endpoint;
use crate::output::{Output, OutputError};
use crate::report::KeyLine;

/// What a caller needs to know; said once the endpoint answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ready {
    pub(crate) event: &'static str,
    pub(crate) endpoint: String,
    pub(crate) token_file: PathBuf,
    pub(crate) health: String,
    pub(crate) data: PathBuf,
    pub(crate) warning: String,
    pub(crate) keys: Vec<KeyLine>,
}

/// What became another way.
#[derive(Debug, Serialize)]
struct Changed<'a> {
    event: &'static str,
    keys: &'a [KeyLine],
}

impl Ready {
    pub(crate) fn new(
        endpoint: &Endpoint,
        health: &Endpoint,
        data: PathBuf,
        token_file: PathBuf,
        root_key: &std::path::Path,
        keys: Vec<KeyLine>,
    ) -> Self {
        Self {
            event: "ready",
            endpoint: endpoint.to_string(),
            token_file,
            health: format!("{health}/readyz"),
            warning: format!(
                "The root key lies beside the data, in {}: whoever can read that folder can decrypt everything.",
                root_key.display()
            ),
            data,
            keys,
        }
    }

    pub(crate) fn print(&self, output: Output) -> Result<(), OutputError> {
        let mut text = format!(
            "Endpoint    {}\nToken file  {}\nHealth      {}\n",
            self.endpoint,
            self.token_file.display(),
            self.health
        );
        for key in &self.keys {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "Key         {}", key.text());
        }
        let _ = writeln!(text, "{}", self.warning);
        output.result(&text, self)
    }
}

/// Says what a change of the YAML, or `sealward delete` and `restore`, did.
pub(crate) fn changed(keys: &[KeyLine], output: Output) -> Result<(), OutputError> {
    let mut text = String::new();
    for key in keys {
        let _ = writeln!(text, "Changed     {}", key.text());
    }
    if keys.is_empty() {
        text.push_str("The YAML was read again; nothing is to be changed.\n");
    }
    let event = "changed";
    output.result(&text, &Changed { event, keys })
}
