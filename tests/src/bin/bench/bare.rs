//! The server that ours is compared with: hyper, and nothing that Sealward does.
//!
//! It reads each request to its end and sends an answer that was made before. Runtime, hyper, their settings and the
//! profile of the build are those of the sidecar: see `main.rs` and `connection.rs` there.

use std::convert::Infallible;
use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// As the sidecar's.
const MAX_HEAD: usize = 16 * 1024;
/// As the sidecar's.
const MAX_HEADERS: usize = 64;

/// Serves on a free port until it is stopped. Prints the port. `answer` is a file with an answer of the sidecar as it
/// came from there.
pub(crate) fn serve(answer: &Path) -> Result<()> {
    let answer = fs::read(answer).with_context(|| format!("cannot read {}", answer.display()))?;
    let (headers, body) = parse(&answer)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?
        .block_on(accept(headers, body))
}

async fn accept(headers: HeaderMap, body: Bytes) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(
        std::io::stdout().lock(),
        "{}",
        listener.local_addr()?.port()
    )?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (headers, body) = (headers.clone(), body.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (headers, body) = (headers.clone(), body.clone());
            async move {
                // A request that breaks off is answered all the same: nobody hears it.
                drop(request.into_body().collect().await);
                let mut response = Response::new(Full::new(body));
                *response.headers_mut() = headers;
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service);
        // It ends with an error when a client goes away.
        tokio::spawn(async move { drop(connection.await) });
    }
}

/// Headers and body of an answer, without the headers that hyper writes itself.
fn parse(answer: &[u8]) -> Result<(HeaderMap, Bytes)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.context("the answer has no head")?);
    let mut headers = HeaderMap::new();
    for line in str::from_utf8(head)?.split("\r\n").skip(1) {
        let (name, value) = line.split_once(": ").context("a header without a value")?;
        let name: HeaderName = name.parse()?;
        if name != CONTENT_LENGTH && name != DATE {
            headers.insert(name, HeaderValue::from_str(value)?);
        }
    }
    Ok((headers, Bytes::copy_from_slice(&body[4..])))
}
