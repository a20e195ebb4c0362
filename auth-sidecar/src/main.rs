//! The `auth-sidecar` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_sidecar::cli::run()
}
