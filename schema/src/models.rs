//! The rows and queries, one module per table.

pub mod accounts;
pub mod jwks;
pub mod mails;
pub mod sessions;
pub mod users;
pub mod verifications;
