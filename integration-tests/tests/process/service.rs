//! The program as a child process, ended when its handle is dropped.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use schema::Backend;
use schema::test_support::TestDb;

use crate::http::{APP_ORIGIN, Browser, DEV_ORIGIN};

/// The key of cookies in all services under test.
pub const SECRET: &str = "process-test-q0Zr8Yf1Kx9cJm2TnVb7WdLpEs4HgUaR";
/// How long the program may take to listen: far more than it needs, for a busy machine.
const START: Duration = Duration::from_secs(30);

/// The program, `<target folder>/<profile>/auth-sidecar`; this test is in `deps` beside it.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("auth-sidecar");
    assert!(program.is_file(), "{} is missing: run `cargo build -p auth-sidecar` first", program.display());
    program
}

/// A free port below those the system hands out by itself: no outgoing connection of another test
/// can take it before the child does, or while a stopped database is away from it.
pub fn free_port() -> u16 {
    for _ in 0..100 {
        let random = RandomState::new().build_hasher().finish() % 12_000;
        let port = 20_000 + u16::try_from(random).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

/// Sends a signal, as `TERM`, through the shell's own `kill`, which every machine has.
pub fn signal(name: &str, pid: u32) {
    let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {name} {pid}: {status}");
}

/// Asks again until the answer is yes or the time is over; says which. The pause between two
/// questions spares the processor for whom is asked about.
pub fn eventually(limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let by = Instant::now() + limit;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() >= by {
            return false;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// A database without tables. Its own pool is not used here; the program makes its connections.
pub fn empty_database(backend: Backend) -> TestDb {
    runtime().block_on(TestDb::empty(backend))
}

/// For what is asynchronous in a test.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// How the program is to be started.
#[derive(Clone)]
pub struct Start {
    vars: BTreeMap<String, String>,
    folder: Option<PathBuf>,
    prelude: &'static str,
}

impl Start {
    /// Without any variable: dev mode. Give it a folder.
    pub fn bare() -> Self {
        Self { vars: BTreeMap::new(), folder: None, prelude: "" }
    }

    /// As in production, on the database with this URL.
    pub fn on(database_url: &str) -> Self {
        Self::bare()
            .set("BETTER_AUTH_URL", "http://localhost:4000")
            .set("BETTER_AUTH_SECRET", SECRET)
            .set("BETTER_AUTH_TRUSTED_ORIGINS", APP_ORIGIN)
            .set("DATABASE_URL", database_url)
            .set("HOST", "127.0.0.1")
            .set("AUTH_RATE_LIMIT", "false")
    }

    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.vars.insert(name.to_owned(), value.to_string());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.vars.remove(name);
        self
    }

    /// The folder to start in; the system's temporary one otherwise.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Shell commands to run before the program takes the shell's place.
    pub fn after(mut self, prelude: &'static str) -> Self {
        self.prelude = prelude;
        self
    }

    /// Runs a subcommand to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a subcommand to its end, with this on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self.begin(arguments, Stdio::piped());
        // It may end without having read.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// Starts a subcommand.
    pub fn begin(&self, arguments: &[&str], input: Stdio) -> Child {
        self.command(arguments).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts `serve` on a free port and waits until it listens.
    pub fn serve(&self) -> Service {
        self.try_serve().unwrap_or_else(|(status, log)| panic!("the service did not start: {status}\n{log}"))
    }

    /// Starts `serve` on a free port and waits until it is ready.
    pub fn ready(&self) -> Service {
        let service = self.serve();
        service.assert_ready_within(START);
        service
    }

    /// As [`Self::serve`], giving what a program that ended instead left behind.
    pub fn try_serve(&self) -> Result<Service, (ExitStatus, String)> {
        loop {
            let port = free_port();
            match self.clone().set("PORT", port).spawn(port) {
                // Another test was faster.
                Err((_, log)) if log.contains("cannot listen") => {}
                outcome => return outcome,
            }
        }
    }

    /// Starts `serve` on a free port and waits for nothing.
    pub fn launch(&self) -> Service {
        self.launch_on(free_port())
    }

    /// As [`Self::launch`], on this port.
    pub fn launch_on(&self, port: u16) -> Service {
        self.clone().set("PORT", port).child(port)
    }

    fn spawn(&self, port: u16) -> Result<Service, (ExitStatus, String)> {
        let mut service = self.child(port);
        let mut ended = None;
        let listens = eventually(START, || {
            ended = service.child.try_wait().unwrap();
            ended.is_some() || Browser::new(port).send("GET", "/health/live", None).is_ok_and(|r| r.status == 200)
        });
        if let Some(status) = ended {
            return Err((status, service.whole_log()));
        }
        assert!(listens, "the service does not listen");
        Ok(service)
    }

    fn child(&self, port: u16) -> Service {
        let mut child = self.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&log)),
            collect(child.stderr.take().unwrap(), Arc::clone(&log)),
        ];
        let origin = if self.vars.contains_key("BETTER_AUTH_TRUSTED_ORIGINS") { APP_ORIGIN } else { DEV_ORIGIN };
        Service { child, port, origin, log, readers }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        // `exec`: the child is the program itself, so that signals reach it.
        command.arg("-c").arg(format!("{}\nexec \"$0\" \"$@\"", self.prelude)).arg(program()).args(arguments);
        command.env_clear().envs(&self.vars).stdin(Stdio::null());
        command.current_dir(self.folder.clone().unwrap_or_else(std::env::temp_dir));
        command
    }
}

/// Appends the lines of a stream to the log until it ends.
fn collect(stream: impl Read + Send + 'static, log: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}

/// A running service.
pub struct Service {
    child: Child,
    pub port: u16,
    origin: &'static str,
    log: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Service {
    /// A browser without cookies, on a page that the service trusts.
    pub fn browser(&self) -> Browser {
        Browser::new(self.port).on_page(self.origin)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        signal(name, self.pid());
    }

    /// Standard output and standard error up to now.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Whether the log comes to hold this text.
    pub fn logs(&self, text: &str) -> bool {
        eventually(Duration::from_secs(10), || self.log().contains(text))
    }

    /// The status of the readiness endpoint.
    pub fn readiness(&self) -> u16 {
        self.browser().get("/health/ready").status
    }

    #[track_caller]
    pub fn assert_ready_within(&self, limit: Duration) {
        assert!(eventually(limit, || self.readiness() == 200), "not ready within {limit:?}");
    }

    /// The status with which it ends; a panic when it does not in time.
    #[track_caller]
    pub fn end_within(&mut self, limit: Duration) -> ExitStatus {
        let mut ended = None;
        eventually(limit, || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap_or_else(|| panic!("still running after {limit:?}"))
    }

    /// Ends it as a service manager does; it must do so in order.
    #[track_caller]
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.end_within(Duration::from_secs(15));
        assert_eq!(status.code(), Some(0), "{status}");
    }

    /// Ends it as the kernel does that is out of memory.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The log once the program has ended.
    pub fn whole_log(&mut self) -> String {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        self.log()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.whole_log();
            eprintln!("--- the service on port {} ---\n{log}", self.port);
        }
    }
}
