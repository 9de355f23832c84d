//! The admin server: `/livez`, `/readyz` and `/metrics`. Nothing secret is here,
//! so it listens where kubelet and Prometheus reach it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::readiness::Readiness;
use crate::shutdown::Shutdown;

/// Kubelet and Prometheus hold one or two connections each; more than this
/// many is somebody else.
const MAX_CONNECTIONS: usize = 32;

/// Probes send their few header lines at once.
const HEADER_DEADLINE: Duration = Duration::from_secs(5);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The admin address is taken or cannot be had.
#[derive(Debug, Error)]
#[error("cannot listen on {address} for health and metrics; is another process using the port?")]
pub struct BindError {
    /// What was asked for.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

/// The admin server, bound and not yet serving.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    readiness: Readiness,
    registry: Arc<Registry>,
}

impl AdminServer {
    /// Binds `address`; port 0 takes any free port.
    ///
    /// # Errors
    /// [`BindError`], naming the address.
    pub async fn bind(
        address: SocketAddr,
        readiness: Readiness,
        registry: Arc<Registry>,
    ) -> Result<Self, BindError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| BindError { address, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| BindError { address, source })?;
        Ok(Self {
            listener,
            address,
            readiness,
            registry,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`. Liveness goes on being served while the rest of
    /// the process drains: the caller decides when to stop polling this.
    pub async fn run(self, shutdown: Shutdown) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = shutdown.requested() => return,
                accepted = self.listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors or memory: it passes, or the probes fail.
                    tracing::warn!(%error, "admin server cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                continue;
            };
            let (readiness, registry) = (self.readiness.clone(), Arc::clone(&self.registry));
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&request, &readiness, &registry);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_DEADLINE)
                    .max_buf_size(8192)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    _ = connection => {}
                    () = shutdown.requested() => {}
                }
                drop(slot);
            });
        }
    }
}

fn answer(
    request: &Request<Incoming>,
    readiness: &Readiness,
    registry: &Registry,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        refused
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri().path() {
        // That it answers is the whole of what liveness means: a restart does
        // not bring an unreachable source of keys back.
        "/livez" => text(StatusCode::OK, "alive\n"),
        "/readyz" => {
            let status = if readiness.is_ready() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            text(status, readiness.report())
        }
        "/metrics" => {
            let mut body = String::with_capacity(8192);
            // Writing to a String cannot fail.
            let _ = prometheus_client::encoding::text::encode(&mut body, registry);
            let mut response = text(StatusCode::OK, body);
            response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
            response
        }
        _ => text(StatusCode::NOT_FOUND, "try /livez, /readyz or /metrics\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::readiness::Condition;

    async fn get(address: SocketAddr, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn start(readiness: &Readiness) -> (SocketAddr, Shutdown, tokio::task::JoinHandle<()>) {
        let mut registry = Registry::default();
        crate::build_info::register(&mut registry, "test");
        let server = AdminServer::bind(
            ([127, 0, 0, 1], 0).into(),
            readiness.clone(),
            Arc::new(registry),
        )
        .await
        .unwrap();
        let (address, shutdown) = (server.address(), Shutdown::new());
        let running = tokio::spawn(server.run(shutdown.clone()));
        (address, shutdown, running)
    }

    #[tokio::test]
    async fn answers_probes_and_metrics_and_stops() {
        let readiness = Readiness::new();
        let gate = readiness.gate("keys");
        let (address, shutdown, running) = start(&readiness).await;

        assert!(
            get(address, "GET", "/livez")
                .await
                .starts_with("HTTP/1.1 200")
        );
        let answer = get(address, "GET", "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.ends_with("keys: not ready: starting\n"), "{answer}");
        gate.set(Condition::Ready);
        assert!(
            get(address, "GET", "/readyz")
                .await
                .starts_with("HTTP/1.1 200")
        );
        let answer = get(address, "GET", "/metrics").await;
        assert!(answer.contains("sealward_build"), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
        assert!(get(address, "GET", "/").await.starts_with("HTTP/1.1 404"));
        assert!(
            get(address, "POST", "/metrics")
                .await
                .starts_with("HTTP/1.1 405")
        );

        shutdown.trigger();
        running.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn names_the_address_that_is_in_use() {
        let readiness = Readiness::new();
        let (address, _shutdown, _running) = start(&readiness).await;
        let error = AdminServer::bind(address, readiness, Arc::new(Registry::default()))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
