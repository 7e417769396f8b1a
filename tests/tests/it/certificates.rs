//! Authorities and certificates of one test's own, made with `openssl`, as PEM files in a folder.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use userflow_tests::process::must;

fn openssl(folder: &Path, arguments: &str) -> Result<()> {
    let arguments = arguments.split(' ');
    must(Command::new("openssl").args(arguments).current_dir(folder)).map(drop)
}

/// An authority: `NAME.pem` and `NAME.key`.
pub(crate) fn authority(folder: &Path, name: &str) -> Result<()> {
    openssl(
        folder,
        &format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        ),
    )
}

/// A server's certificate for 127.0.0.1 and for no other name, signed by an authority: `server.pem` and `server.key`.
pub(crate) fn server_certificate(folder: &Path, authority: &str) -> Result<()> {
    openssl(
        folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr",
    )?;
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n")?;
    openssl(
        folder,
        &format!(
            "x509 -req -in server.csr -CA {authority}.pem -CAkey {authority}.key -CAcreateserial -days 2 -extfile names -out server.pem"
        ),
    )
}
