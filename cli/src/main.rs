//! The program `sealward`, and `kubectl-sealward` where it is called so.

use std::process::ExitCode;

fn main() -> ExitCode {
    sealward::run(std::env::args_os().collect()).into()
}
