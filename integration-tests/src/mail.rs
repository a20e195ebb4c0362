//! A mailbox: the webhook that the service under test sends its mail to.

use std::collections::VecDeque;
use std::ops::Index;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::BASE_URL;

/// How long a mail may take to arrive, in seconds, before a test fails.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Catches mail on a port of its own.
pub struct Mailbox {
    /// The value of `AUTH_MAIL` that leads here.
    pub setting: String,
    mails: UnboundedReceiver<Mail>,
    /// Those that [`Mailbox::of`] passed over.
    kept: VecDeque<Mail>,
}

/// A mail as the webhook gets it.
#[derive(Debug)]
pub struct Mail(pub Value);

impl Mailbox {
    /// Opens the port.
    ///
    /// # Panics
    /// When there is no free port.
    #[must_use]
    pub fn open() -> Self {
        let (sender, mails) = unbounded_channel();
        let sender = web::Data::new(sender);
        let app = move || App::new().app_data(sender.clone()).default_service(web::post().to(deliver));
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let setting = format!("webhook+http://{}/", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        Self { setting, mails, kept: VecDeque::new() }
    }

    /// The next mail.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&mut self) -> Mail {
        match self.kept.pop_front() {
            Some(mail) => mail,
            None => self.arriving().await,
        }
    }

    /// The next mail with this `type`; others stay. Mails that were made together come in any order.
    ///
    /// # Panics
    /// When none comes.
    pub async fn of(&mut self, kind: &str) -> Mail {
        if let Some(at) = self.kept.iter().position(|mail| mail.text("type") == kind) {
            return self.kept.remove(at).unwrap();
        }
        loop {
            let mail = self.arriving().await;
            if mail.text("type") == kind {
                return mail;
            }
            self.kept.push_back(mail);
        }
    }

    async fn arriving(&mut self) -> Mail {
        tokio::time::timeout(PATIENCE, self.mails.recv()).await.expect("a mail comes in time").unwrap()
    }

    /// Whether no mail waits. One may still be on its way: [`crate::TestApp::mails`] knows of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mails.is_empty() && self.kept.is_empty()
    }
}

async fn deliver(mail: web::Json<Value>, mails: web::Data<UnboundedSender<Mail>>) -> HttpResponse {
    mails.send(Mail(mail.into_inner())).map_or_else(|_| HttpResponse::Gone(), |()| HttpResponse::NoContent()).finish()
}

impl Mail {
    /// A member's text; empty when absent.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    /// The link without the origin, as a request takes it.
    ///
    /// # Panics
    /// When it does not lead to the service.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text("url").strip_prefix(BASE_URL).expect("the link leads to the service")
    }
}

impl Index<&str> for Mail {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.0[key]
    }
}
