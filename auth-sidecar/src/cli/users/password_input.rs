//! A password from a file or from standard input: never from the command line, which other users of the machine can
//! read.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::cli::CliError;
use crate::config::Config;
use crate::password::{self, HashPolicy};

/// More than any password that could be allowed.
const MAX_BYTES: u64 = 64 * 1024;

/// Where the password comes from.
#[derive(clap::Args)]
pub struct PasswordInput {
    /// Read the password from standard input
    #[arg(long, group = "password")]
    password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE", group = "password")]
    password_file: Option<PathBuf>,
}

impl PasswordInput {
    /// The hash of the password, `None` when none was asked for.
    pub fn hash(&self, config: &Config, policy: &HashPolicy) -> Result<Option<String>, CliError> {
        let password = match &self.password_file {
            Some(path) => File::open(path)
                .and_then(read)
                .map_err(|error| CliError::Failed(format!("{}: {error}", path.display())))?,
            None if self.password_stdin => read(io::stdin().lock())
                .map_err(|error| CliError::Failed(format!("the password on standard input: {error}")))?,
            None => return Ok(None),
        };
        let (min, max) = (config.email_password.min_password_length, config.email_password.max_password_length);
        let length = password.encode_utf16().count();
        if length < min || length > max {
            return Err(CliError::Failed(format!("the password has to have {min} to {max} characters")));
        }
        let hash = password::hash(policy, &password);
        hash.map(Some).map_err(|error| CliError::Failed(error.to_string()))
    }
}

/// The text without the line end after it. A second line would be a mistake that nobody could sign in with.
fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(MAX_BYTES).read_to_string(&mut text)?;
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.contains(['\n', '\r']) {
        return Err(io::Error::other("it has more than one line"));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_not_part_of_the_password() {
        for (text, password) in [("a b", "a b"), ("a b\n", "a b"), ("a b\r\n", "a b"), (" ü ", " ü "), ("", "")] {
            assert_eq!(read(text.as_bytes()).unwrap(), password);
        }
        for text in ["a\nb", "a\n\n", "a\rb"] {
            assert!(read(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(read(&b"\xff"[..]).is_err());
    }
}
