//! An HTTPS server whose private key is deployed as ciphertext only.
//!
//! On its disk are the certificate, which is public, and the private key encrypted under a customer
//! master key. At startup it asks Sealward on localhost to decrypt the key, hands the plaintext to
//! rustls, and serves. The plaintext is in the memory of this process and nowhere else.

mod sealward;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io};

use anyhow::{Context as _, Result, bail};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

const USAGE: &str = "usage: example-https-certificate CERTIFICATE.pem PRIVATE-KEY.sealed PORT";
const PAGE: &str = "Hello over HTTPS! My private key was deployed as ciphertext only.\n";

/// Bounds Sealward's answer, a TLS handshake and the time between two requests.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [certificate, sealed_key, port] = arguments.as_slice() else {
        bail!(USAGE)
    };
    let port: u16 = port
        .parse()
        .context("PORT is a number up to 65535; 0 takes any free one")?;
    let mut terminate = signal(SignalKind::terminate())?;

    // The whole of using Sealward: ciphertext from the disk, plaintext into memory.
    let ciphertext =
        fs::read_to_string(sealed_key).with_context(|| format!("cannot read {sealed_key}"))?;
    let private_key = timeout(PATIENCE, sealward::decrypt(ciphertext.trim()))
        .await
        .unwrap_or_else(|_| bail!("Sealward did not answer within {PATIENCE:?}"))
        .with_context(|| format!("cannot decrypt {sealed_key}"))?;
    let acceptor = TlsAcceptor::from(Arc::new(tls_config(certificate, &private_key)?));
    drop(private_key); // rustls now holds the key, for as long as the server runs

    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .with_context(|| format!("cannot listen on port {port}"))?;
    writeln!(
        io::stdout(),
        "https://localhost:{}/",
        listener.local_addr()?.port()
    )?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            connection = listener.accept() => match connection {
                Ok((stream, _)) => drop(tokio::spawn(serve(acceptor.clone(), stream))),
                Err(_) => sleep(Duration::from_millis(100)).await, // too many: let some end
            },
        }
    }
}

/// TLS as rustls does it by default: the certificate chain from a file, the key from memory.
fn tls_config(certificate: &str, private_key: &str) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate in {certificate}"))?;
    let key = PrivateKeyDer::from_pem_slice(private_key.as_bytes())
        .context("what Sealward decrypted is not a private key in PEM")?;
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .with_context(|| format!("the private key does not belong to {certificate}"))
}

/// Serves the page on one connection. One that breaks off, or speaks no TLS, just ends.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    drop(
        http.serve_connection(TokioIo::new(stream), service_fn(page))
            .await,
    );
}

async fn page(_: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Full::from(PAGE))?)
}
