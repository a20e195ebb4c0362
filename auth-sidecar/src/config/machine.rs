//! What loading the settings may ask of the machine besides the environment; tests give an
//! answer of their own.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// The machine the program runs on.
pub trait Machine {
    /// The text of a file named by a `*_FILE` setting.
    ///
    /// # Errors
    /// If it cannot be read or is not UTF-8.
    fn read_file(&self, path: &Path) -> io::Result<String>;

    /// The names of what is in a folder.
    ///
    /// # Errors
    /// If it cannot be read.
    fn list_folder(&self, path: &Path) -> io::Result<Vec<String>>;

    /// The secret kept in `folder` for dev mode; made on the first call.
    ///
    /// # Errors
    /// If the folder cannot be made, or the secret neither read nor written.
    fn dev_secret(&self, folder: &Path) -> io::Result<String>;

    /// Number of processors, at least 1.
    fn cores(&self) -> u32;
}

/// The real machine.
#[derive(Clone, Copy, Debug)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn read_file(&self, path: &Path) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn list_folder(&self, path: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn dev_secret(&self, folder: &Path) -> io::Result<String> {
        make_private_folder(folder)?;
        let path = folder.join("secret");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(mut file) => {
                let secret = new_secret()?;
                file.write_all(secret.as_bytes())?;
                file.sync_all()?;
                Ok(secret)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(fs::read_to_string(&path)?.trim().to_owned())
            }
            Err(error) => Err(error),
        }
    }

    fn cores(&self) -> u32 {
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
    }
}

/// The real machine for commands that must leave nothing behind.
#[derive(Clone, Copy, Debug)]
pub struct OnlyLooking;

impl Machine for OnlyLooking {
    fn read_file(&self, path: &Path) -> io::Result<String> {
        ThisMachine.read_file(path)
    }

    fn list_folder(&self, path: &Path) -> io::Result<Vec<String>> {
        ThisMachine.list_folder(path)
    }

    /// The secret that is kept, or a new one that is not.
    fn dev_secret(&self, folder: &Path) -> io::Result<String> {
        match fs::read_to_string(folder.join("secret")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => new_secret(),
            kept => Ok(kept?.trim().to_owned()),
        }
    }

    fn cores(&self) -> u32 {
        ThisMachine.cores()
    }
}

fn new_secret() -> io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

/// Only its owner may look into a folder we make; one that exists keeps its mode.
fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn dev_secret_is_made_once_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        let secret = ThisMachine.dev_secret(&folder).unwrap();
        assert_eq!(secret.len(), 64);
        assert_eq!(ThisMachine.dev_secret(&folder).unwrap(), secret);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("secret")), 0o600);
        assert_eq!(OnlyLooking.dev_secret(&folder).unwrap(), secret);
        let other = tempfile::tempdir().unwrap();
        assert_eq!(OnlyLooking.dev_secret(other.path()).unwrap().len(), 64);
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0, "looking leaves nothing behind");
        assert_ne!(ThisMachine.dev_secret(other.path()).unwrap(), secret);
    }
}
