//! The data layer: one text of every query for SQLite and PostgreSQL.
//!
//! - [`db`]: the pool with its two doors, [`Db::read`] and [`Db::write`], and [`DbError`];
//! - [`migrations`]: the embedded migrations of both databases;
//! - [`fields`]: the configurable constraints of the personalization columns;
//! - [`adoption`]: tables that another program made;
//! - [`inspect`]: what a database says of itself;
//! - [`tables`]: diesel's `table!`s;
//! - [`users`], [`sessions`], [`accounts`], [`verifications`], [`mails`], [`jwks`]: the rows and the queries on each table.
//!
//! Queries are synchronous functions over `&mut AnyConnection`, to be called inside a door. Ids and
//! times are made by the caller: times are UTC and cut to milliseconds.

pub mod adoption;
pub mod db;
pub mod fields;
pub mod inspect;
pub mod migrations;
mod models;
#[path = "schema.rs"]
pub mod tables;
#[cfg(feature = "test-support")]
pub mod test_support;

pub use adoption::{Adoption, IdKind};
pub use db::{AnyConnection, Backend, Db, DbConfig, DbError, DbUrlError};
pub use fields::{ColumnRule, FieldsError};
pub use migrations::MigrateError;
pub use models::accounts::{self, Account};
pub use models::jwks::{self, Jwk};
pub use models::mails::{self, MailRow, MailState};
pub use models::sessions::{self, Session, SessionChanges};
pub use models::users::{self, User, UserChanges};
pub use models::verifications::{self, Verification};

// Linked, never called: their features compile the database clients and TLS into the program.
use libsqlite3_sys as _;
use openssl_sys as _;
use pq_sys as _;
