//! What local mode says of a CMK.

use jiff::Timestamp;
use sealward_operator::customer_master_key::CmkReport;
use serde::Serialize;

/// A CMK in the output of `sealward dev`, `delete` and `restore`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyLine {
    /// NAMESPACE/NAME.
    pub(crate) name: String,
    /// Absent where its record cannot be believed.
    pub(crate) key_id: Option<String>,
    /// Whether it may be used and everything is there.
    pub(crate) ready: bool,
    /// Why, in a word: `Ready`, `Disabled`, `PendingDeletion` and so on.
    pub(crate) reason: &'static str,
    /// Why, in a sentence that says what to do.
    pub(crate) message: String,
    /// The version that seals.
    pub(crate) primary_version: Option<u32>,
    /// When it is destroyed.
    pub(crate) destroy_at: Option<Timestamp>,
}

impl From<&CmkReport> for KeyLine {
    fn from(report: &CmkReport) -> Self {
        Self {
            name: report.key.to_string(),
            key_id: report.key_id.map(|id| id.to_string()),
            ready: report.ready,
            reason: report.reason,
            message: report.message.clone(),
            primary_version: report.primary_version.map(sealward_core::KeyVersion::get),
            destroy_at: report.destroy_at,
        }
    }
}

impl KeyLine {
    /// As a line for people: the message only where something is the matter.
    pub(crate) fn text(&self) -> String {
        let id = self.key_id.as_deref().unwrap_or("-");
        let version = self
            .primary_version
            .map_or_else(String::new, |version| format!(" v{version}"));
        let mut line = format!("{} {id}{version} {}", self.name, self.reason);
        if !self.ready {
            line.push_str(": ");
            line.push_str(&self.message);
        }
        line
    }
}
