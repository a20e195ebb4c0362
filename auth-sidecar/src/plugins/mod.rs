//! Better Auth's plugins: endpoints that exist only while `AUTH_PLUGINS` names them.
//!
//! - [`magic_link`]: sign-in by a mailed link
//! - [`email_otp`]: sign-in, proof of an address and password reset by a mailed code
//! - [`jwt`]: tokens that other services verify without asking
//! - [`bearer`]: sessions in the `Authorization` header
//! - [`one_time_token`]: a session handed from one site to another
//! - [`mailbox`]: who proved a mailbox is signed in

use actix_web::http::Method;

use crate::config::PluginSettings;
use crate::routes::{self, Route};

pub mod bearer;
pub mod email_otp;
pub mod jwt;
pub mod magic_link;
pub mod mailbox;
pub mod one_time_token;

/// The route of an enabled plugin for a method and a path, as [`routes::find`].
#[must_use]
pub fn find(settings: &PluginSettings, method: &Method, path: &str) -> Option<(&'static Route, String)> {
    let magic_link = settings.magic_link.as_ref().map(|_| magic_link::ROUTES);
    let email_otp = settings.email_otp.as_ref().map(|_| email_otp::ROUTES);
    let jwt = settings.jwt.as_ref().map(|_| jwt::ROUTES);
    let one_time_token = settings.one_time_token.as_ref().map(|_| one_time_token::ROUTES);
    [jwt, magic_link, email_otp, one_time_token]
        .into_iter()
        .flatten()
        .find_map(|table| routes::find(table, method, path))
}
