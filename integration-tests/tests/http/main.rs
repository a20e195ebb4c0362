//! The service over HTTP, on both databases.

mod accounts;
mod change_email;
mod change_password;
mod cookie_cache;
mod cookie_modes;
mod cors;
mod delete_user;
mod email_verification;
mod error_page;
mod fields;
mod get_session;
mod profile_api;
mod rate_limit;
mod reset_password;
mod routing;
mod security;
mod sessions;
mod sign_in;
mod sign_out;
mod sign_up;
mod support;
mod update_session;
mod update_user;
mod verify_password;
