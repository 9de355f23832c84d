//! Exit statuses: one number for each thing that a script may want to act on.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

/// Why a command ended. The number is its exit status and does not change between releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked, or `sealward dev` was told to stop.
    Done = 0,
    /// None of the below.
    Failure = 1,
    /// The command line itself is wrong.
    Usage = 2,
    /// The endpoint refused the request, or the state of a key does not allow it.
    Refused = 3,
    /// The endpoint does not answer, or is not ready.
    Unavailable = 4,
    /// The input is damaged, cut short, extended, or the context is another one.
    NotAuthentic = 5,
    /// The output file exists and `--force` was not given.
    OutputExists = 6,
    /// A CMK YAML file is not valid.
    Manifest = 7,
    /// The port is taken by another process.
    PortInUse = 8,
    /// The data folder was written by another version, or is something else.
    OtherDataFormat = 9,
    /// The root key of the data folder is gone, damaged, or open to others.
    NoRootKey = 10,
    /// A file or folder may not be written (or read) by this user.
    NoPermission = 11,
    /// The disk or the quota is full.
    DiskFull = 12,
    /// Another process is using the data folder.
    DataInUse = 13,
    /// The token file is missing or holds no token.
    NoToken = 14,
    /// SIGINT: nothing was left behind.
    Interrupted = 130,
    /// The reader of standard output went away; no message is printed.
    OutputClosed = 141,
    /// SIGTERM: nothing was left behind.
    Terminated = 143,
}

impl Exit {
    /// Every status, in order of its number.
    pub const ALL: [Self; 18] = [
        Self::Done,
        Self::Failure,
        Self::Usage,
        Self::Refused,
        Self::Unavailable,
        Self::NotAuthentic,
        Self::OutputExists,
        Self::Manifest,
        Self::PortInUse,
        Self::OtherDataFormat,
        Self::NoRootKey,
        Self::NoPermission,
        Self::DiskFull,
        Self::DataInUse,
        Self::NoToken,
        Self::Interrupted,
        Self::OutputClosed,
        Self::Terminated,
    ];

    /// The number the process ends with.
    pub const fn status(self) -> u8 {
        self as u8
    }

    /// What the number means, for `--help`, the man page and `docs/`.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; `sealward dev`: stopped by SIGTERM or SIGINT",
            Self::Failure => "any other failure",
            Self::Usage => "the command line, or the data given to it, is not acceptable",
            Self::Refused => {
                "the endpoint refused the request, or the state of the key does not allow it"
            }
            Self::Unavailable => "the endpoint does not answer, or is not ready",
            Self::NotAuthentic => {
                "the input is damaged, cut short or extended, or the context is not the one it was encrypted with"
            }
            Self::OutputExists => "the output file exists, and --force was not given",
            Self::Manifest => "a CMK YAML file is not valid",
            Self::PortInUse => "the port is in use",
            Self::OtherDataFormat => {
                "the data folder was written by another version, or is no data folder"
            }
            Self::NoRootKey => "the root key of the data folder is missing, or cannot be used",
            Self::NoPermission => "no permission to read or write a file or folder",
            Self::DiskFull => "the disk or quota is full",
            Self::DataInUse => "another process is using the data folder",
            Self::NoToken => "the token file is missing or holds no token",
            Self::Interrupted => "stopped by SIGINT; no partial file is left",
            Self::OutputClosed => "the reader of standard output went away (no message)",
            Self::Terminated => "stopped by SIGTERM; no partial file is left",
        }
    }

    /// The status for a failed system call: full disk, missing permission, closed pipe, or the general one.
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NoPermission
            }
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Failure,
        }
    }

    /// The table of all statuses, one a line, as it stands in `sealward --help`.
    pub fn table() -> String {
        let mut table = String::from("Exit status:\n");
        for exit in Self::ALL {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "  {:>3}  {}", exit.status(), exit.meaning());
        }
        table
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_distinct_and_all_are_listed() {
        let numbers: Vec<u8> = Exit::ALL.iter().map(|exit| exit.status()).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(numbers, sorted);
        assert_eq!(Exit::table().lines().count(), Exit::ALL.len() + 1);
    }
}
