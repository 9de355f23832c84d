//! `sealward delete` and `sealward restore`: the deletion of CMKs in local mode.

use jiff::Timestamp;
use sealward_operator::customer_master_key::CmkReport;
use sealward_operator::local::LocalMode;
use sealward_protocol::names::{KeyName, NameError};
use sealward_runtime::clock::SystemClock;

use crate::args::{DeleteArgs, RestoreArgs};
use crate::error::Error;
use crate::output::Output;
use crate::report::KeyLine;

/// The namespace of a CMK whose YAML names none.
const DEFAULT_NAMESPACE: &str = sealward_crds::manifest::DEFAULT_NAMESPACE;

/// Schedules the deletion of a CMK; a running `sealward dev` refuses its use within a second.
///
/// # Errors
/// Whatever [`Error`] says.
pub fn delete(arguments: &DeleteArgs, output: Output) -> Result<(), Error> {
    let key = key_name(&arguments.name)?;
    let report = folder(&arguments.data)?.delete(&key, arguments.pending_days)?;
    let at = report.destroy_at.unwrap_or(Timestamp::MAX);
    let text = format!(
        "{key} is deleted: its use is refused within a second, and its key material is destroyed at {}.\n\
         Until then `sealward restore {}` brings it back.\n",
        at.strftime("%FT%TZ"),
        arguments.name
    );
    print(&report, &text, output)
}

/// Brings back a CMK whose deletion is scheduled.
///
/// # Errors
/// Whatever [`Error`] says.
pub fn restore(arguments: &RestoreArgs, output: Output) -> Result<(), Error> {
    let key = key_name(&arguments.name)?;
    let report = folder(&arguments.data)?.restore(&key)?;
    print(&report, &format!("{key} is back.\n"), output)
}

fn print(report: &CmkReport, text: &str, output: Output) -> Result<(), Error> {
    output.result(text, &KeyLine::from(report))?;
    Ok(())
}

fn folder(data: &std::path::Path) -> Result<LocalMode<SystemClock, getrandom::SysRng>, Error> {
    Ok(LocalMode::open(data, &[], SystemClock, getrandom::SysRng)?)
}

fn key_name(text: &str) -> Result<KeyName, NameError> {
    match text.split_once('/') {
        Some((namespace, name)) => KeyName::new(namespace, name),
        None => KeyName::new(DEFAULT_NAMESPACE, text),
    }
}
