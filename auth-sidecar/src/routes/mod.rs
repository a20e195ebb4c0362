//! The route table: one line per endpoint, in upstream's order (`api/index`, `getEndpoints`).

use actix_web::http::Method;
use actix_web::http::StatusCode;
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::ApiError;
use crate::extract::body::MediaTypes;

pub mod account;
pub mod change_email;
pub mod change_password;
pub mod delete_user;
pub mod email_verification;
pub mod error_page;
pub mod ok;
pub mod profile_api;
pub mod reset_password;
pub mod session;
pub mod sign_in;
pub mod sign_out;
pub mod sign_up;
pub mod update_session;
pub mod update_user;
pub mod verify;
pub mod verify_password;

/// What a handler answers when it does not fail.
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body and its type.
    pub body: AnswerBody,
}

/// The body of an [`Answer`].
pub enum AnswerBody {
    /// `content-type: application/json`.
    Json(Value),
    /// Nothing.
    Empty,
    /// `content-type: text/html`.
    Html(String),
    /// A 302 to this address, without a body.
    Redirect {
        /// The `location`.
        to: String,
        /// Whether the answer carries `content-type: application/json`, as most of upstream's do.
        json_type: bool,
    },
}

impl Answer {
    /// 200 with JSON.
    pub fn json(body: impl Into<Value>) -> Self {
        Self { status: StatusCode::OK, body: AnswerBody::Json(body.into()) }
    }

    /// 200 `{"status":true}`.
    #[must_use]
    pub fn status_true() -> Self {
        Self::json(json!({ "status": true }))
    }

    /// 302 to `to`, as upstream's `ctx.redirect`.
    #[must_use]
    pub fn redirect(to: String) -> Self {
        Self { status: StatusCode::FOUND, body: AnswerBody::Redirect { to, json_type: true } }
    }
}

/// Runs an endpoint.
pub type Handler = for<'a> fn(&'a mut Context) -> LocalBoxFuture<'a, Result<Answer, ApiError>>;

/// One line of the table.
pub struct Route {
    /// The method it answers; any other is 404.
    pub method: Method,
    /// The path below the base path; a segment `:name` takes any one segment.
    pub path: &'static str,
    /// The media types its body may have.
    pub media: MediaTypes,
    /// The handler.
    pub run: Handler,
}

macro_rules! routes {
    ($($method:ident $path:literal $media:ident $handler:path;)*) => {
        &[$($crate::routes::Route {
            method: actix_web::http::Method::$method,
            path: $path,
            media: $crate::extract::body::MediaTypes::$media,
            run: |cx| Box::pin($handler(cx)),
        }),*]
    };
}
pub(crate) use routes;

/// Better Auth's endpoints, below the base path.
pub const ROUTES: &[Route] = routes! {
    POST "/sign-in/social" Json account::sign_in_social;
    GET "/get-session" Ignored session::get_session;
    POST "/get-session" Ignored session::get_session;
    POST "/sign-out" Json sign_out::sign_out;
    POST "/sign-up/email" FormOrJson sign_up::sign_up_email;
    POST "/sign-in/email" FormOrJson sign_in::sign_in_email;
    POST "/reset-password" Json reset_password::reset_password;
    POST "/verify-password" Json verify_password::verify_password;
    GET "/verify-email" Json email_verification::verify_email;
    POST "/send-verification-email" Json email_verification::send_verification_email;
    POST "/change-email" Json change_email::change_email;
    POST "/change-password" Json change_password::change_password;
    POST "/update-session" Json update_session::update_session;
    POST "/update-user" Json update_user::update_user;
    POST "/delete-user" Json delete_user::delete_user;
    POST "/request-password-reset" Json reset_password::request_password_reset;
    GET "/reset-password/:token" Json reset_password::reset_password_callback;
    GET "/list-sessions" Json session::list_sessions;
    POST "/revoke-session" Json session::revoke_session;
    POST "/revoke-sessions" Json session::revoke_sessions;
    POST "/revoke-other-sessions" Json session::revoke_other_sessions;
    POST "/link-social" Json account::link_social;
    GET "/list-accounts" Json account::list_accounts;
    GET "/delete-user/callback" Json delete_user::delete_user_callback;
    POST "/unlink-account" Json account::unlink_account;
    POST "/refresh-token" Json account::refresh_token;
    POST "/get-access-token" Json account::get_access_token;
    GET "/account-info" Json account::account_info;
    GET "/ok" Json ok::ok;
    GET "/error" Json error_page::error;
};

/// The plain REST face, below its own prefix.
pub const PROFILE_ROUTES: &[Route] = routes! {
    POST "/register" FormOrJson profile_api::register;
    POST "/login" FormOrJson profile_api::login;
    GET "/token" Json profile_api::token;
    POST "/token" FormOrJson profile_api::password_token;
    GET "/me" Json profile_api::me;
    GET "/verify" Ignored verify::verify;
    PUT "/profile" FormOrJson profile_api::update_profile;
};

/// The route for a method and a path, with the value of its parameter. A trailing or doubled slash
/// never matches.
#[must_use]
pub fn find(routes: &'static [Route], method: &Method, path: &str) -> Option<(&'static Route, String)> {
    routes.iter().filter(|route| route.method == method).find_map(|route| match route.path.split_once(':') {
        None => (route.path == path).then(|| (route, String::new())),
        Some((before, _)) => {
            let value = path.strip_prefix(before)?;
            (!value.is_empty() && !value.contains('/')).then(|| (route, value.to_owned()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_path_and_method_match() {
        assert!(find(ROUTES, &Method::GET, "/ok").is_some());
        for (method, path) in [
            (Method::POST, "/ok"),
            (Method::HEAD, "/ok"),
            (Method::GET, "/ok/"),
            (Method::GET, "//ok"),
            (Method::GET, "/OK"),
            (Method::GET, ""),
            (Method::GET, "/"),
        ] {
            assert!(find(ROUTES, &method, path).is_none(), "{method} {path}");
        }
    }
}
