//! The file of a SQLite database: where it is, and who can read it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::report::Report;

const CHECK: &str = "sqlite-file";

/// File systems of other machines, where SQLite's locks do not hold.
const NETWORK: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.gcsfuse",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// File systems that go with the container, or with the machine's next start.
const PASSING: &[&str] = &["overlay", "tmpfs", "ramfs"];

/// Looks at the file of a `sqlite://` URL; whether it is there to be opened.
pub fn check(url: &str, dev: bool, report: &mut Report) -> bool {
    let Some(path) = url.strip_prefix("sqlite://").map(PathBuf::from) else { return false };
    let shown = path.display();
    let existing = path.ancestors().find(|part| part.exists() && !part.as_os_str().is_empty());
    let anchor = fs::canonicalize(existing.unwrap_or(Path::new("."))).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    judge_file_system(file_system_of(&anchor, &mounts).as_deref(), &path, dev, report);
    match fs::metadata(&path) {
        Ok(meta) if meta.is_file() => {
            let mode = meta.permissions().mode() & 0o777;
            judge_mode(&path, mode, report);
            true
        }
        Ok(_) => {
            report.problem(CHECK, format!("{shown} is no file"), "DATABASE_URL=sqlite:///var/lib/auth-sidecar/auth.db");
            false
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            report.ok(CHECK, format!("{shown} is not there yet; the first start makes it"));
            false
        }
        Err(error) => {
            report.problem(CHECK, format!("{shown} cannot be looked at: {error}"), format!("ls -ld {shown}"));
            false
        }
    }
}

fn judge_mode(path: &Path, mode: u32, report: &mut Report) {
    let shown = path.display();
    let whom = match (mode & 0o007, mode & 0o070) {
        (0, 0) => {
            report.ok(CHECK, format!("{shown} is its owner's alone"));
            return;
        }
        (0, _) => "its group",
        _ => "everybody on this machine",
    };
    let message = format!("{shown} (mode {mode:03o}) is open to {whom}: it holds password hashes and session tokens");
    let fix = format!("chmod 600 {shown}");
    if mode & 0o007 == 0 { report.warning(CHECK, message, fix) } else { report.problem(CHECK, message, fix) }
}

fn judge_file_system(kind: Option<&str>, path: &Path, dev: bool, report: &mut Report) {
    let Some(kind) = kind else { return };
    let shown = path.display();
    if NETWORK.contains(&kind) {
        report.problem(
            CHECK,
            format!("{shown} is on a network file system ({kind}), where SQLite's locks do not hold and files break"),
            "DATABASE_URL=postgres://auth:password@db.example.com/auth",
        );
    } else if PASSING.contains(&kind) && !dev {
        report.warning(
            CHECK,
            format!("{shown} is on {kind}: it is gone with the container or the next start; keep it on a volume"),
            "docker run -v auth-data:/data -e DATABASE_URL=sqlite:///data/auth.db …",
        );
    }
}

/// The kind of file system a path is on, by Linux's `/proc/self/mountinfo`.
fn file_system_of(path: &Path, mounts: &str) -> Option<String> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?.replace("\\040", " ");
        Some((PathBuf::from(point), after.split(' ').next()?.to_owned()))
    };
    let mounts = mounts.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    // Of two at one place the later one is seen.
    mounts.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::super::testing::{fixes, worst};
    use super::*;

    const MOUNTS: &str = "22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw\n\
        30 22 0:25 / /data rw shared:2 - ext4 /dev/sda1 rw\n\
        31 30 0:26 / /data/my\\040share rw - nfs4 server:/share rw\n\
        32 22 0:27 / /proc rw - proc proc rw\n";

    #[test]
    fn the_nearest_mount_tells_the_file_system() {
        for (path, kind) in
            [("/data/auth.db", "ext4"), ("/data/my share/auth.db", "nfs4"), ("/database/auth.db", "overlay")]
        {
            assert_eq!(file_system_of(Path::new(path), MOUNTS).as_deref(), Some(kind), "{path}");
        }
        assert_eq!(file_system_of(Path::new("/x"), ""), None);
    }

    #[test]
    fn network_and_passing_file_systems_are_told() {
        for (kind, dev, level) in [
            ("nfs4", true, Level::Problem),
            ("cifs", false, Level::Problem),
            ("overlay", false, Level::Warning),
            ("overlay", true, Level::Ok),
            ("ext4", false, Level::Ok),
        ] {
            let mut report = Report::default();
            judge_file_system(Some(kind), Path::new("/data/auth.db"), dev, &mut report);
            assert_eq!(worst(&report), level, "{kind}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_told_with_the_command() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("auth.db");
        let url = format!("sqlite://{}", path.display());
        let judged = || {
            let mut report = Report::default();
            let there = check(&url, true, &mut report);
            (there, worst(&report), fixes(&report).first().map(|&fix| fix.to_owned()))
        };
        assert_eq!(judged(), (false, Level::Ok, None));
        assert!(!path.exists(), "a look made the file");
        fs::write(&path, "").unwrap();
        let chmod = Some(format!("chmod 600 {}", path.display()));
        for (mode, level, fix) in
            [(0o600, Level::Ok, None), (0o660, Level::Warning, chmod.clone()), (0o644, Level::Problem, chmod)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(judged(), (true, level, fix), "{mode:o}");
        }
    }
}
