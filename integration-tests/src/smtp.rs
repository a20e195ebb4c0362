//! A mail server for tests: real sockets, real TLS, and every way to be a bad one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a mail may take to arrive before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server does with mail; it may be changed at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    Accept,
    /// Greets and then says nothing any more.
    Hang,
    /// Answers `AUTH` with this line.
    RefuseAuth(&'static str),
    /// Answers `RCPT` with this line.
    RefuseRecipient(&'static str),
    /// Answers the end of the mail with this line.
    RefuseData(&'static str),
}

/// How the server encrypts.
#[derive(Clone)]
pub enum Encryption {
    /// Not at all.
    None,
    /// By STARTTLS.
    StartTls(TlsAcceptor),
    /// From the first byte.
    Implicit(TlsAcceptor),
}

/// A mail the server took.
#[derive(Debug)]
pub struct Received {
    /// Who the client says it is.
    pub hello: String,
    /// Parameter of `AUTH PLAIN`, base64.
    pub auth: Option<String>,
    /// Whether it came encrypted.
    pub encrypted: bool,
    /// Recipients of the envelope.
    pub to: Vec<String>,
    /// Headers and body.
    pub data: String,
}

impl Received {
    /// The value of a header; empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let prefix = format!("{name}: ");
        self.data.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default()
    }
}

/// A running mail server.
pub struct SmtpServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    commands: Arc<Mutex<Vec<String>>>,
    mails: UnboundedReceiver<Received>,
}

#[derive(Clone)]
struct Shared {
    mood: Arc<Mutex<Mood>>,
    commands: Arc<Mutex<Vec<String>>>,
    mails: UnboundedSender<Received>,
}

impl SmtpServer {
    /// Listens on a port of its own, or on this one.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn start(port: u16, encryption: Encryption, mood: Mood) -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", port)).await.unwrap(), encryption, mood)
    }

    /// Serves who connects to `listener`.
    ///
    /// # Panics
    /// When it has no address.
    #[must_use]
    pub fn on(listener: TcpListener, encryption: Encryption, mood: Mood) -> Self {
        let port = listener.local_addr().unwrap().port();
        let (sender, mails) = unbounded_channel();
        let (mood, commands) = (Arc::new(Mutex::new(mood)), Arc::default());
        let shared = Shared { mood: Arc::clone(&mood), commands: Arc::clone(&commands), mails: sender };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, encryption.clone(), shared.clone()));
            }
        });
        Self { port, mood, commands, mails }
    }

    /// Changes what it does with mail from now on.
    ///
    /// # Panics
    /// When a connection panicked.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The first words of all commands up to now.
    ///
    /// # Panics
    /// When a connection panicked.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        self.commands.lock().unwrap().clone()
    }

    /// The next mail.
    ///
    /// # Panics
    /// When none comes.
    pub async fn next(&mut self) -> Received {
        tokio::time::timeout(PATIENCE, self.mails.recv()).await.expect("a mail comes in time").unwrap()
    }

    /// Mails that came already.
    pub fn waiting(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.mails.try_recv().ok()).collect()
    }
}

async fn connection(stream: TcpStream, encryption: Encryption, shared: Shared) {
    // A client that goes away in the middle ends its session, nothing else.
    let _ = match encryption {
        Encryption::None => Session::new(stream, shared, false).run(false).await.map(|_| ()),
        Encryption::Implicit(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => Session::new(stream, shared, true).run(false).await.map(|_| ()),
            Err(error) => Err(error),
        },
        Encryption::StartTls(acceptor) => match Session::new(stream, shared.clone(), false).run(true).await {
            Ok(Some(stream)) => match acceptor.accept(stream).await {
                Ok(stream) => Session::new(stream, shared, true).commands(false).await.map(|_| ()),
                Err(error) => Err(error),
            },
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        },
    };
}

struct Session<S> {
    stream: BufReader<S>,
    shared: Shared,
    mail: Received,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S, shared: Shared, encrypted: bool) -> Self {
        let mail = Received { hello: String::new(), auth: None, encrypted, to: Vec::new(), data: String::new() };
        Self { stream: BufReader::new(stream), shared, mail }
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn run(mut self, offers_tls: bool) -> std::io::Result<Option<S>> {
        self.say("220 mail.test ESMTP").await?;
        self.commands(offers_tls).await
    }

    /// Gives the stream back when it is to be encrypted.
    async fn commands(mut self, offers_tls: bool) -> std::io::Result<Option<S>> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let (command, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
            let (command, rest) = (command.to_uppercase(), rest.to_owned());
            self.shared.commands.lock().unwrap().push(command.clone());
            let mood = *self.shared.mood.lock().unwrap();
            let answer = match (command.as_str(), mood) {
                (_, Mood::Hang) => {
                    // Until the client gives up.
                    let _ = self.stream.read_to_end(&mut Vec::new()).await;
                    return Ok(None);
                }
                ("EHLO", _) => {
                    self.mail.hello = rest;
                    if offers_tls { "250-mail.test\r\n250 STARTTLS" } else { "250-mail.test\r\n250 AUTH PLAIN" }
                }
                ("STARTTLS", _) if offers_tls => {
                    self.say("220 go on").await?;
                    return Ok(Some(self.stream.into_inner()));
                }
                ("AUTH", Mood::RefuseAuth(line)) => line,
                ("AUTH", _) => {
                    self.mail.auth = rest.strip_prefix("PLAIN ").map(str::to_owned);
                    "235 welcome"
                }
                ("RCPT", Mood::RefuseRecipient(line)) => line,
                ("RCPT", _) => {
                    self.mail.to.push(rest.trim_start_matches("TO:<").trim_end_matches('>').to_owned());
                    "250 ok"
                }
                ("DATA", _) => {
                    self.say("354 go on").await?;
                    self.mail.data = self.read_data().await?;
                    match mood {
                        Mood::RefuseData(line) => line,
                        _ => {
                            let next = Received {
                                hello: self.mail.hello.clone(),
                                auth: self.mail.auth.clone(),
                                encrypted: self.mail.encrypted,
                                to: Vec::new(),
                                data: String::new(),
                            };
                            // Nobody may be listening any more.
                            let _ = self.shared.mails.send(std::mem::replace(&mut self.mail, next));
                            "250 taken"
                        }
                    }
                }
                ("QUIT", _) => {
                    self.say("221 bye").await?;
                    return Ok(None);
                }
                ("MAIL" | "NOOP" | "RSET", _) => "250 ok",
                _ => "502 what?",
            };
            self.say(answer).await?;
        }
    }

    async fn read_data(&mut self) -> std::io::Result<String> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 || line == ".\r\n" {
                return Ok(data);
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
    }
}

/// A certificate for 127.0.0.1 by a throw-away authority.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// Makes both with the `openssl` program.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        openssl(
            place,
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=throw-away-authority \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign",
        );
        openssl(place, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=mail.test");
        std::fs::write(place.join("names"), "subjectAltName=IP:127.0.0.1").unwrap();
        openssl(
            place,
            "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
        );
        Self { folder }
    }

    /// File of the authority's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// The server's side of TLS.
    ///
    /// # Panics
    /// When the files are not what openssl makes.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_file(self.folder.path().join("server.crt")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.folder.path().join("server.key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output();
    let output = output.expect("these tests need the openssl program");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
