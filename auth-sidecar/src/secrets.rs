//! The secrets everything is signed and encrypted with (upstream: `context/secret-utils.mjs`, `SecretConfig`).

use std::fmt;

/// One secret as configured. It is never printed: `Debug` is redacted and there is no `Display`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps the configured text; its UTF-8 bytes are the key.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(redacted)")
    }
}

/// Why a list of secret versions was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// There is no version at all.
    #[error("at least one secret version is needed")]
    Empty,
    /// Two entries carry this version.
    #[error("secret version {0} is given twice")]
    DuplicateVersion(u32),
}

/// The current secret, the older versions, and the unversioned one from before rotation.
///
/// What is new is signed and encrypted with [`Secrets::current`]; what exists may be read with any of [`Secrets::all`].
#[derive(Clone, Debug)]
pub struct Secrets {
    current: Secret,
    current_version: Option<u32>,
    older: Vec<(u32, Secret)>,
    legacy: Option<Secret>,
}

impl Secrets {
    /// One unversioned secret, no rotation.
    pub fn single(secret: Secret) -> Self {
        Self { current: secret, current_version: None, older: Vec::new(), legacy: None }
    }

    /// Versioned secrets, the first being the current one; `legacy` reads what was written before versions were used.
    ///
    /// # Errors
    /// [`SecretsError`] when the list is empty or a version occurs twice.
    pub fn versions(versions: Vec<(u32, Secret)>, legacy: Option<Secret>) -> Result<Self, SecretsError> {
        let mut seen = std::collections::HashSet::new();
        if let Some((version, _)) = versions.iter().find(|(version, _)| !seen.insert(*version)) {
            return Err(SecretsError::DuplicateVersion(*version));
        }
        let mut versions = versions.into_iter();
        let (version, current) = versions.next().ok_or(SecretsError::Empty)?;
        Ok(Self { current, current_version: Some(version), older: versions.collect(), legacy })
    }

    /// The secret that signs and encrypts.
    pub fn current(&self) -> &Secret {
        &self.current
    }

    /// The version of the current secret; `None` without rotation.
    pub fn current_version(&self) -> Option<u32> {
        self.current_version
    }

    /// The secret of one version; `None` when it is not configured.
    pub fn version(&self, version: u32) -> Option<&Secret> {
        if self.current_version == Some(version) {
            return Some(&self.current);
        }
        self.older.iter().find(|(known, _)| *known == version).map(|(_, secret)| secret)
    }

    /// The secret of values without a version: the only one, or the legacy one under rotation (`None` if not configured).
    pub fn unversioned(&self) -> Option<&Secret> {
        match self.current_version {
            None => Some(&self.current),
            Some(_) => self.legacy.as_ref(),
        }
    }

    /// Every secret once: current, older versions as configured, legacy (upstream: `crypto/jwt.mjs`, `getAllSecrets`).
    pub fn all(&self) -> impl Iterator<Item = &Secret> {
        let versioned = || std::iter::once(&self.current).chain(self.older.iter().map(|(_, secret)| secret));
        let legacy =
            self.legacy.iter().filter(move |legacy| versioned().all(|secret| secret.expose() != legacy.expose()));
        versioned().chain(legacy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(secrets: &Secrets) -> Vec<&str> {
        secrets.all().map(Secret::expose).collect()
    }

    #[test]
    fn debug_output_never_shows_a_secret() {
        let secrets = Secrets::versions(
            vec![(2, Secret::new("hush-new")), (1, Secret::new("hush-old"))],
            Some(Secret::new("hush-legacy")),
        );
        assert!(!format!("{secrets:?}").contains("hush"));
    }

    #[test]
    fn the_first_version_is_current_and_all_are_listed_once() {
        let secrets =
            Secrets::versions(vec![(2, Secret::new("new")), (1, Secret::new("old"))], Some(Secret::new("legacy")))
                .unwrap();
        assert_eq!(secrets.current().expose(), "new");
        assert_eq!(secrets.current_version(), Some(2));
        assert_eq!(exposed(&secrets), ["new", "old", "legacy"]);
        assert_eq!(secrets.version(1).map(Secret::expose), Some("old"));
        assert_eq!(secrets.version(2).map(Secret::expose), Some("new"));
        assert!(secrets.version(3).is_none());
        assert_eq!(secrets.unversioned().map(Secret::expose), Some("legacy"));
    }

    #[test]
    fn a_legacy_secret_equal_to_a_version_is_not_listed_twice() {
        let secrets =
            Secrets::versions(vec![(2, Secret::new("new")), (1, Secret::new("old"))], Some(Secret::new("old")))
                .unwrap();
        assert_eq!(exposed(&secrets), ["new", "old"]);
    }

    #[test]
    fn a_single_secret_has_no_version_and_reads_unversioned_values() {
        let secrets = Secrets::single(Secret::new("only"));
        assert_eq!(exposed(&secrets), ["only"]);
        assert_eq!(secrets.current_version(), None);
        assert!(secrets.version(0).is_none());
        assert_eq!(secrets.unversioned().map(Secret::expose), Some("only"));
    }

    #[test]
    fn empty_and_repeated_versions_are_refused() {
        assert_eq!(Secrets::versions(Vec::new(), None).unwrap_err(), SecretsError::Empty);
        let repeated = vec![(1, Secret::new("a")), (2, Secret::new("b")), (1, Secret::new("c"))];
        assert_eq!(Secrets::versions(repeated, None).unwrap_err(), SecretsError::DuplicateVersion(1));
    }
}
