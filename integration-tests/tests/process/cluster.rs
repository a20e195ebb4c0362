//! A private PostgreSQL that a test may stop, crash and freeze. Needs the server's programs, as
//! `scripts/postgres` does; started by root it runs as the user `postgres`.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use diesel::Connection as _;
use diesel::pg::PgConnection;
use tempfile::TempDir;

use crate::service::{eventually, free_port, signal};

const PASSWORD: &str = "cluster-password";

pub struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    pub port: u16,
    frozen: RefCell<Vec<u32>>,
}

impl Cluster {
    /// Makes its files and starts nothing.
    pub fn new() -> Self {
        let cluster = Self {
            folder: tempfile::tempdir().unwrap(),
            binaries: binaries(),
            port: free_port(),
            frozen: RefCell::default(),
        };
        cluster.write("password", PASSWORD);
        let data = cluster.data();
        let pwfile = cluster.folder.path().join("password");
        cluster.run(
            Command::new(cluster.binaries.join("initdb"))
                .arg("--pgdata")
                .arg(&data)
                .arg("--pwfile")
                .arg(pwfile)
                .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]),
        );
        // Crashes here are of processes, never of the machine: what was written stays.
        cluster.configure(&format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nfsync = off\n\
             max_connections = 60\nshared_buffers = 16MB\n",
            cluster.port
        ));
        cluster
    }

    /// A running one.
    pub fn started() -> Self {
        let cluster = Self::new();
        cluster.start();
        cluster
    }

    /// Adds lines to `postgresql.conf`.
    pub fn configure(&self, lines: &str) {
        let path = self.data().join("postgresql.conf");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}{lines}")).unwrap();
    }

    /// Writes a file that only the server's user can read, and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        self.own(&path);
        path
    }

    /// Makes the server's user the owner of the folder and of a file in it.
    pub fn own(&self, path: &Path) {
        let status = Command::new("chmod").arg("0600").arg(path).status().unwrap();
        assert!(status.success());
        if is_root() {
            let status = Command::new("chown").arg("postgres:").arg(self.folder.path()).arg(path).status().unwrap();
            assert!(status.success(), "there is no user postgres to run as");
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn url(&self) -> String {
        self.url_with("")
    }

    /// The administrator's URL with libpq's options, as `?sslmode=require`.
    pub fn url_with(&self, options: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres{options}", self.port)
    }

    pub fn connect(&self) -> PgConnection {
        PgConnection::establish(&self.url()).unwrap()
    }

    pub fn start(&self) {
        let log = self.folder.path().join("server.log");
        self.control(&["start", "--wait", "--timeout=60", "--log", log.to_str().unwrap()]);
    }

    /// Ends all connections and then the server, in order.
    pub fn stop(&self) {
        self.control(&["stop", "--mode=fast", "--wait", "--timeout=60"]);
    }

    /// Ends the server without a word to its clients.
    pub fn crash(&self) {
        self.control(&["stop", "--mode=immediate", "--wait", "--timeout=60"]);
    }

    /// Stops every process of the server where it stands; the kernel goes on accepting connections.
    pub fn freeze(&self) {
        let server = self.server_pid();
        // First who starts the others, then them: nobody new comes in between.
        signal("STOP", server);
        self.frozen.borrow_mut().push(server);
        assert!(eventually(Duration::from_secs(5), || state(server) == Some('T')));
        for pid in children(server) {
            signal("STOP", pid);
            self.frozen.borrow_mut().push(pid);
        }
    }

    pub fn thaw(&self) {
        // As they were frozen, the other way round.
        while let Some(pid) = self.frozen.borrow_mut().pop() {
            signal("CONT", pid);
        }
    }

    fn server_pid(&self) -> u32 {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().trim().parse().unwrap()
    }

    fn control(&self, arguments: &[&str]) {
        self.run(Command::new(self.binaries.join("pg_ctl")).arg("--pgdata").arg(self.data()).args(arguments));
    }

    /// Runs a program of the server as a user it accepts.
    fn run(&self, command: &Command) {
        let mut all: Vec<_> = vec![command.get_program()];
        all.extend(command.get_args());
        if is_root() {
            all.splice(0..0, ["runuser", "-u", "postgres", "--"].map(AsRef::as_ref));
        }
        let output = self.folder.path().join("output");
        let file = fs::File::create(&output).unwrap();
        // A file and no pipe: the server inherits it, and its end would never come.
        let status = Command::new(all[0])
            .args(&all[1..])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status()
            .unwrap();
        let log = || fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        assert!(status.success(), "{all:?}: {status}\n{}\n{}", fs::read_to_string(output).unwrap(), log());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            self.thaw();
            self.crash();
        }
    }
}

/// The newest server from version 15 on: Debian keeps them out of the PATH.
fn binaries() -> PathBuf {
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = debian.chain(std::env::split_paths(&path)).filter(|folder| folder.join("initdb").is_file());
    let version = |folder: &PathBuf| -> Option<u32> {
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
    };
    let newest = candidates.filter_map(|folder| Some((version(&folder)?, folder))).max();
    let (version, folder) =
        newest.expect("no PostgreSQL server on this machine; on Debian: apt-get install postgresql");
    assert!(version >= 15, "PostgreSQL {version} is too old; 15 is needed");
    folder
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

/// State and parent of a process, from `/proc/PID/stat`; its name may hold anything but the last `)`.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    let mut parts = rest.split(' ');
    Some((parts.next()?.chars().next()?, parts.next()?.parse().ok()?))
}

fn state(pid: u32) -> Option<char> {
    stat(pid).map(|(state, _)| state)
}

fn children(parent: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, of)| of == parent)).collect()
}
