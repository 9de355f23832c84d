//! The command line: what it accepts, and what `--help` and the man pages say.

mod help;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use sealward_core::ContextError;

use crate::context::Context;
use crate::exit::Exit;

/// The port of the localhost endpoint, as in a pod.
pub const DEFAULT_PORT: u16 = 7325;
/// The port of health and metrics, as in a pod.
pub const DEFAULT_ADMIN_PORT: u16 = 7326;
/// Where `sealward dev` keeps keys unless told otherwise.
pub const DEFAULT_DATA: &str = "./sealward-data";

/// A parsed command line.
#[derive(Debug, Parser)]
#[command(
    name = "sealward",
    version = crate::version(),
    about = "Encrypt small data and files under customer master keys (CMKs)",
    long_about = help::SEALWARD,
    after_long_help = Exit::table(),
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
pub struct Cli {
    /// How results and errors are printed
    #[arg(short = 'o', long = "output", global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How results (standard output) and errors (standard error) are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve CMKs from YAML files on this machine, without a cluster
    #[command(long_about = help::DEV)]
    Dev(DevArgs),
    /// List the CMKs that the endpoint knows
    Keys(KeysArgs),
    /// Encrypt up to 4096 bytes of text
    #[command(long_about = help::ENCRYPT)]
    Encrypt(EncryptArgs),
    /// Decrypt what `sealward encrypt` made
    #[command(long_about = help::DECRYPT)]
    Decrypt(DecryptArgs),
    /// Encrypt and decrypt files of any size
    #[command(subcommand)]
    File(FileCommand),
    /// Schedule the deletion of a CMK of local mode
    #[command(long_about = help::DELETE)]
    Delete(DeleteArgs),
    /// Bring back a CMK whose deletion is scheduled
    Restore(RestoreArgs),
    /// Print a shell completion script
    #[command(long_about = help::COMPLETIONS)]
    Completions {
        /// The shell to complete for.
        shell: Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// An existing folder; a page per command is written, replacing older ones.
        dir: PathBuf,
    },
}

/// `sealward dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// CMK YAML files
    #[arg(required = true, value_name = "CMK.yaml")]
    pub manifests: Vec<PathBuf>,
    /// The data folder, made if it does not exist
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Port of the endpoint on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = DEFAULT_PORT)]
    pub port: u16,
    /// Port of health and metrics on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "N", default_value_t = DEFAULT_ADMIN_PORT)]
    pub admin_port: u16,
}

impl DevArgs {
    /// The address the endpoint binds: never anything but loopback.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port)
    }

    /// The address health and metrics bind: loopback too, since this is a person's machine.
    pub fn admin_address(&self) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.admin_port)
    }
}

/// `sealward keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Where to ask.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `sealward encrypt`.
#[derive(Debug, Args)]
pub struct EncryptArgs {
    /// The text; visible to other users in `ps`. Default: standard input
    #[arg(value_name = "DATA", conflicts_with = "input")]
    pub data: Option<String>,
    /// Read the text from this file, or `-` for standard input
    #[arg(long = "in", value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Which CMK.
    #[command(flatten)]
    pub key: KeyArgs,
    /// What to bind to the ciphertext.
    #[command(flatten)]
    pub context: ContextArgs,
    /// Where to ask.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `sealward decrypt`.
#[derive(Debug, Args)]
pub struct DecryptArgs {
    /// The ciphertext in base64. Default: standard input
    #[arg(value_name = "CIPHERTEXT", conflicts_with = "input")]
    pub data: Option<String>,
    /// Read the ciphertext from this file, or `-` for standard input
    #[arg(long = "in", value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// What the ciphertext was bound to.
    #[command(flatten)]
    pub context: ContextArgs,
    /// Where to ask.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `sealward file …`.
#[derive(Debug, Subcommand)]
pub enum FileCommand {
    /// Encrypt a file of any size under a fresh data encryption key
    #[command(long_about = help::FILE_ENCRYPT)]
    Encrypt(FileEncryptArgs),
    /// Decrypt an enveloped file
    #[command(long_about = help::FILE_DECRYPT)]
    Decrypt(FileDecryptArgs),
}

/// `sealward file encrypt`.
#[derive(Debug, Args)]
pub struct FileEncryptArgs {
    /// Input and output.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Which CMK.
    #[command(flatten)]
    pub key: KeyArgs,
    /// What to bind to the file.
    #[command(flatten)]
    pub context: ContextArgs,
    /// Where to ask.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// `sealward file decrypt`.
#[derive(Debug, Args)]
pub struct FileDecryptArgs {
    /// Input and output.
    #[command(flatten)]
    pub paths: PathArgs,
    /// What the file was bound to.
    #[command(flatten)]
    pub context: ContextArgs,
    /// Where to ask.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// The input and the output of a file command.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Input file, or `-` for standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Output file, or `-` for standard output
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Replace OUT if it exists, in one step once the new file is complete
    #[arg(long)]
    pub force: bool,
}

/// `sealward delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The CMK: NAME or NAMESPACE/NAME
    pub name: String,
    /// Days until the key material is destroyed [default: spec.pendingDeletionDays]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(7..=1096))]
    pub pending_days: Option<u16>,
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

/// `sealward restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The CMK: NAME or NAMESPACE/NAME
    pub name: String,
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

/// Where the endpoint is and what proves that this process may use it.
#[derive(Debug, Args)]
pub struct ConnectionArgs {
    /// The endpoint: http:// and a loopback address, since the token must not leave this host
    #[arg(
        long,
        value_name = "URL",
        env = "SEALWARD_ENDPOINT",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7325"
    )]
    pub endpoint: String,
    /// The file that holds the caller's token [default: ./sealward-data/token]
    #[arg(
        long,
        value_name = "FILE",
        env = "SEALWARD_TOKEN_FILE",
        hide_env_values = true
    )]
    pub token_file: Option<PathBuf>,
}

/// Which CMK to use.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Key id, NAME, NAMESPACE/NAME or alias/NAME. Default: the only key, where there is one
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
}

/// The encryption context: not secret, bound to the ciphertext, needed again to decrypt.
#[derive(Debug, Args)]
pub struct ContextArgs {
    /// A name and value bound to the ciphertext; the same are needed to decrypt. May be repeated
    #[arg(long = "context", value_name = "NAME=VALUE", value_parser = parse_pair, conflicts_with = "aad")]
    pub pairs: Vec<(String, String)>,
    /// A text bound to the ciphertext instead, as the API's `additional_authenticated_data`; at most 128 bytes
    #[arg(long, value_name = "TEXT", value_parser = parse_aad)]
    pub aad: Option<String>,
}

impl ContextArgs {
    /// The context that the flags say.
    ///
    /// # Errors
    /// The same name given twice, or far too much.
    pub fn parse(&self) -> Result<Context, ContextError> {
        match &self.aad {
            Some(text) => Context::text(text),
            None => Context::pairs(self.pairs.iter().cloned()),
        }
    }
}

/// The longest `additional_authenticated_data` that the API takes, in bytes.
const MAX_AAD: usize = 128;

fn parse_aad(text: &str) -> Result<String, String> {
    if text.len() > MAX_AAD {
        return Err(format!(
            "{} bytes, and at most {MAX_AAD} are taken",
            text.len()
        ));
    }
    Ok(text.to_owned())
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, for instance tenant=a".to_owned()),
    }
}

/// The clap command under the name it was started by: `kubectl` runs `kubectl-sealward` for `kubectl sealward`.
pub fn command(program: Option<&str>) -> clap::Command {
    let command = Cli::command();
    match program {
        Some("kubectl-sealward") => command
            .name("kubectl-sealward")
            .bin_name("kubectl sealward"),
        _ => command,
    }
}

/// Parses a whole command line, the program's name first.
///
/// # Errors
/// clap's error, which is also how `--help` and `--version` come back.
pub fn parse(arguments: Vec<std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let program = arguments
        .first()
        .map(PathBuf::from)
        .and_then(|path| path.file_name()?.to_str().map(str::to_owned));
    let matches = command(program.as_deref()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
