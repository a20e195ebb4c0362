//! From raw bytes to checked input: reading a body and validating its members.

pub mod body;
pub mod check;

pub use check::Check;
