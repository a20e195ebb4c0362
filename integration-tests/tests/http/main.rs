//! The service over HTTP, on both databases.

mod sign_up;
