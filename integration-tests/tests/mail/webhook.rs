//! Mail by webhook: the signature, and answers that are not 2xx.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac::{Hmac, KeyInit as _, Mac as _};
use schema::Backend;
use schema::test_support::TestDb;
use sha2::Sha256;

use crate::support::*;

const KEY: &str = "webhook-secret-0123456789-abcdefgh";

/// What came, and what is answered.
struct Receiver {
    status: Mutex<u16>,
    calls: Mutex<Vec<Call>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Call {
    id: String,
    timestamp: String,
    signature: Option<String>,
    body: String,
}

async fn receive(request: HttpRequest, body: String, receiver: web::Data<Receiver>) -> HttpResponse {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    receiver.calls.lock().unwrap().push(Call {
        id: header("x-auth-sidecar-mail-id").unwrap(),
        timestamp: header("x-auth-sidecar-timestamp").unwrap(),
        signature: header("x-auth-sidecar-signature"),
        body,
    });
    let status = StatusCode::from_u16(*receiver.status.lock().unwrap()).unwrap();
    HttpResponse::build(status).insert_header(("location", "/elsewhere")).body("t0kenT0ken was no good")
}

/// The receiver and the value of `AUTH_MAIL` that leads to it.
fn receiver() -> (Arc<Receiver>, String) {
    let receiver = web::Data::new(Receiver { status: Mutex::new(204), calls: Mutex::default() });
    let data = receiver.clone();
    let app = move || App::new().app_data(data.clone()).default_service(web::to(receive));
    let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let setting = format!("webhook+http://{}/mail", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    (receiver.into_inner(), setting)
}

async fn outbox(settings: &[(&str, &str)]) -> (Arc<Receiver>, Outbox) {
    let (receiver, setting) = receiver();
    let settings: Vec<_> = settings.iter().copied().chain([("AUTH_MAIL", setting.as_str())]).collect();
    (receiver, Outbox::new(TestDb::new(Backend::Sqlite).await, &settings))
}

#[actix_web::test]
async fn a_mail_is_posted_as_json_with_time_id_and_signature() {
    let (receiver, outbox) = outbox(&[("AUTH_MAIL_WEBHOOK_SECRET", KEY)]).await;
    outbox.put(&reset("ada@example.com")).await;
    outbox.clock.advance(7);
    outbox.work().await;
    let call = receiver.calls.lock().unwrap().remove(0);
    let url = "http://localhost:4000/api/auth/reset-password/t0kenT0ken?callbackURL=%2Fa&x=1";
    let body = format!(r#"{{"type":"reset-password","to":"ada@example.com","url":"{url}","token":"t0kenT0ken"}}"#);
    assert_eq!((call.body.as_str(), call.timestamp.as_str()), (body.as_str(), "1893456007"));
    assert_eq!(call.id, outbox.row().await.id);
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(format!("1893456007.{body}").as_bytes());
    assert_eq!(call.signature, Some(format!("sha256={}", hex::encode(mac.finalize().into_bytes()))));
    assert_eq!(outbox.standing().await.0, "sent");
}

#[actix_web::test]
async fn without_a_key_there_is_no_signature() {
    let (receiver, outbox) = outbox(&[]).await;
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    assert_eq!(receiver.calls.lock().unwrap()[0].signature, None);
}

#[actix_web::test]
async fn answers_decide_whether_a_mail_is_tried_again() {
    let again = [302, 408, 429, 500, 503].map(|status| (status, "pending"));
    for (status, state) in again.into_iter().chain([(400, "failed"), (404, "failed"), (422, "failed")]) {
        let (receiver, outbox) = outbox(&[]).await;
        *receiver.status.lock().unwrap() = status;
        outbox.put(&reset("ada@example.com")).await;
        outbox.work().await;
        let reason = format!("the webhook answered {status}");
        assert_eq!(outbox.standing().await, (state.to_owned(), 1, reason));
        // In particular, no redirect was followed.
        assert_eq!(receiver.calls.lock().unwrap().len(), 1);
    }
}

#[actix_web::test]
async fn every_attempt_has_the_same_id_and_body_and_its_own_time() {
    let (receiver, outbox) = outbox(&[]).await;
    *receiver.status.lock().unwrap() = 500;
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    *receiver.status.lock().unwrap() = 200;
    outbox.clock.advance(5);
    outbox.work().await;
    let calls = receiver.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    assert_eq!((&calls[0].id, &calls[0].body), (&calls[1].id, &calls[1].body));
    assert_eq!((calls[0].timestamp.as_str(), calls[1].timestamp.as_str()), ("1893456000", "1893456005"));
}

#[actix_web::test]
async fn a_reason_names_no_address_of_the_webhook() {
    let setting = "webhook+http://user:hunter2@127.0.0.1:1/key-hunter3?token=hunter4";
    let outbox = Outbox::new(TestDb::new(Backend::Sqlite).await, &[("AUTH_MAIL", setting)]);
    outbox.put(&reset("ada@example.com")).await;
    outbox.work().await;
    let (state, _, reason) = outbox.standing().await;
    assert!(state == "pending" && reason.contains("refused") && !reason.contains("hunter"), "{state} {reason}");
}
