//! TLS to PostgreSQL, with certificates of a throw-away authority.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::command_line::number;
use crate::service::{Service, Start};

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output();
    let output = output.expect("these tests need the openssl program");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server that speaks TLS alone, with a certificate for 127.0.0.1, and the authority's own.
fn cluster() -> (Cluster, PathBuf) {
    let cluster = Cluster::new();
    let folder = cluster.folder();
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=throw-away-authority \
         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign",
    );
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=database.internal");
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1,DNS:database.internal").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
    for file in ["server.key", "server.crt"] {
        cluster.own(&folder.join(file));
    }
    let place = folder.display();
    cluster
        .configure(&format!("ssl = on\nssl_cert_file = '{place}/server.crt'\nssl_key_file = '{place}/server.key'\n"));
    let rules = cluster.data().join("pg_hba.conf");
    std::fs::write(&rules, "hostssl all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    cluster.start();
    let authority = folder.join("ca.crt");
    (cluster, authority)
}

const ENCRYPTED: &str = "SELECT count(*) AS n FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                         WHERE application_name = 'auth-sidecar' AND ssl";

#[track_caller]
fn assert_works_encrypted(cluster: &Cluster, start: &Start) {
    let service = start.ready();
    let mut ada = service.browser();
    let name = format!("user-{}", service.port);
    ada.sign_up(&name);
    ada.assert_signed_in(&name);
    assert!(number(&cluster.url_with("?sslmode=require"), ENCRYPTED) >= 1);
    service.stop();
}

#[track_caller]
fn assert_refused(start: &Start, why: &str) -> Service {
    let service = start.serve();
    assert!(service.logs(why), "{why:?} is not in the log");
    assert_eq!(service.readiness(), 503);
    assert_eq!(service.browser().get("/api/auth/ok").status, 200);
    service.browser().sign_in("ada").assert_unavailable(Duration::from_millis(3500));
    assert!(!service.log().contains("cluster-password"));
    service
}

#[test]
fn a_connection_that_must_be_encrypted_is() {
    let (cluster, _) = cluster();
    assert_works_encrypted(&cluster, &Start::on(&cluster.url_with("?sslmode=require")));
    // The same by libpq's own default, which tries TLS first.
    assert_works_encrypted(&cluster, &Start::on(&cluster.url()));
    // And without TLS this server takes nobody.
    assert_refused(&Start::on(&cluster.url_with("?sslmode=disable")), "no pg_hba.conf entry");
}

#[test]
fn the_server_s_certificate_is_checked_against_the_named_authority() {
    let (cluster, authority) = cluster();
    let named = format!("&sslrootcert={}", authority.display());
    for mode in ["verify-ca", "verify-full"] {
        assert_works_encrypted(&cluster, &Start::on(&cluster.url_with(&format!("?sslmode={mode}{named}"))));
    }
    // The certificate is not for this name, which only one of the two modes looks at.
    let elsewhere = cluster.url_with(&format!("?sslmode=verify-full{named}")).replace("127.0.0.1", "localhost");
    assert_refused(&Start::on(&elsewhere), "does not match host name");
}

#[test]
fn without_a_named_authority_those_of_the_system_count() {
    let (cluster, authority) = cluster();
    let start = Start::on(&cluster.url_with("?sslmode=verify-full"));
    let service = assert_refused(&start, "certificate verify failed");
    // Not for the lack of any authorities.
    assert!(!service.log().contains("does not exist"), "{}", service.log());
    // SSL_CERT_FILE is how a system says where its authorities are.
    let trusting = start.set("SSL_CERT_FILE", authority.display());
    assert_works_encrypted(&cluster, &trusting);
    let url = cluster.url_with("?sslrootcert=system");
    assert_works_encrypted(&cluster, &trusting.set("DATABASE_URL", url));
}
