//! `auth-sidecar secret`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::CliError;

/// Prints 32 random bytes as 43 characters.
pub fn secret() -> Result<(), CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| CliError::Failed(format!("no random bytes: {error}")))?;
    println!("{}", URL_SAFE_NO_PAD.encode(bytes));
    Ok(())
}
