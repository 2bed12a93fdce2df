//! Certificates for a cluster that speaks TLS alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fluvio::config::TlsPaths;
use zhenping::broker::FluvioTls;

/// The domain in the servers' certificate; servers are asked for by names below it.
const DOMAIN: &str = "fluvio.test";

/// Files of an authority, and of a server and a client that it vouches for.
#[derive(Clone)]
pub struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    /// Makes them in a directory.
    pub fn make(dir: &Path) -> Self {
        let made = Self { dir: dir.to_owned() };
        let key = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        openssl(dir, &format!("{key} -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.crt"));
        fs::write(dir.join("server.ext"), format!("subjectAltName=DNS:{DOMAIN},DNS:*.{DOMAIN}\n"))
            .expect("a file");
        fs::write(dir.join("client.ext"), "subjectAltName=DNS:client.test\n").expect("a file");
        for name in ["server", "client"] {
            openssl(dir, &format!("{key} -subj /CN={name} -keyout {name}.key -out {name}.csr"));
            openssl(
                dir,
                &format!(
                    "x509 -req -days 2 -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile {name}.ext \
                     -out {name}.crt"
                ),
            );
        }
        made
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Arguments that have a server speak TLS at its public address, and in the clear at another.
    pub fn arguments(&self, in_the_clear: &str) -> Vec<String> {
        let path = |name| self.file(name).display().to_string();
        [
            ["--tls", "--enable-client-cert"].map(str::to_owned).to_vec(),
            vec![
                "--server-cert".to_owned(),
                path("server.crt"),
                "--server-key".to_owned(),
                path("server.key"),
            ],
            vec![
                "--ca-cert".to_owned(),
                path("ca.crt"),
                "--bind-non-tls-public".to_owned(),
                in_the_clear.to_owned(),
            ],
        ]
        .concat()
    }

    /// What the client library takes.
    pub fn paths(&self) -> TlsPaths {
        TlsPaths {
            domain: DOMAIN.to_owned(),
            key: self.file("client.key"),
            cert: self.file("client.crt"),
            ca_cert: self.file("ca.crt"),
        }
    }

    /// What a broker takes.
    pub fn options(&self) -> FluvioTls {
        let TlsPaths { domain, key, cert, ca_cert } = self.paths();
        FluvioTls { domain, ca_file: ca_cert, cert_file: cert, key_file: key }
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let made = Command::new("openssl").args(arguments.split_whitespace()).current_dir(dir).output();
    let made = made.expect("openssl is on PATH");
    assert!(made.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&made.stderr));
}
