//! An endpoint on a free port with the fake source, and a client that says byte
//! for byte what it is told.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealward_core::{KeyId, SecretBytes};
use sealward_runtime::clock::ManualClock;
use sealward_runtime::shutdown::Shutdown;
use sealward_sidecar::app::{self, Parts};
use sealward_sidecar::auth::CallerToken;
use sealward_sidecar::config::Config;
use sealward_sidecar::source::SourceKind;
use sealward_sidecar::source::fake::FakeSource;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub(crate) const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
pub(crate) const NOW: &str = "2026-11-24T01:14:05Z";

/// Lines that can be read while they are written.
#[derive(Clone, Default)]
pub(crate) struct Shelf {
    bytes: Arc<Mutex<Vec<u8>>>,
    slow: Arc<AtomicBool>,
}

impl Shelf {
    /// Takes half a second for each write from now on.
    pub(crate) fn slow_down(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }

    pub(crate) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }
}

impl Write for Shelf {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.slow.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(500));
        }
        let mut all = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A running endpoint.
pub(crate) struct Bed {
    pub(crate) address: SocketAddr,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    pub(crate) source: FakeSource,
    pub(crate) clock: ManualClock,
    pub(crate) audit: Shelf,
    /// `shop/web`, of one version.
    pub(crate) key: KeyId,
    pub(crate) shutdown: Shutdown,
    running: JoinHandle<()>,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::with(SourceKind::Folder, |_| {}).await
    }

    pub(crate) async fn with(kind: SourceKind, change: impl FnOnce(&mut Config)) -> Self {
        let source = FakeSource::new(kind);
        let key = source.create("shop/web".parse().unwrap());
        let clock = ManualClock::new(NOW.parse().unwrap());
        let audit = Shelf::default();
        let mut config = Config::new("shop");
        config.admin_address = Some(([127, 0, 0, 1], 0).into());
        config.subject.pod = "web-0".into();
        config.subject.service_account = "web".into();
        change(&mut config);
        let app = app::build(Parts {
            config,
            token: CallerToken::new(SecretBytes::from_slice(TOKEN.as_bytes())),
            token_file: None,
            source: Arc::new(source.clone()),
            audit: Box::new(audit.clone()),
            clock: Arc::new(clock.clone()),
            registry: prometheus_client::registry::Registry::default(),
        })
        .await
        .unwrap();
        let addresses = app.api_addresses().to_vec();
        let (admin, shutdown) = (app.admin_address().unwrap(), Shutdown::new());
        let running = tokio::spawn(app.run(shutdown.clone()));
        let address = addresses[0];
        Self {
            address,
            addresses,
            admin,
            source,
            clock,
            audit,
            key,
            shutdown,
            running,
        }
    }

    /// Sends a request with the token on a connection of its own.
    pub(crate) async fn call(&self, operation: &str, body: &Value) -> Reply {
        self.post(operation, body.to_string().as_bytes()).await
    }

    pub(crate) async fn post(&self, operation: &str, body: &[u8]) -> Reply {
        self.send(&request(operation, &[("x-auth-token", TOKEN)], body))
            .await
    }

    /// Sends these bytes and reads one answer.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        Reply::read(&mut stream).await
    }

    pub(crate) async fn encrypt(&self, text: &str) -> String {
        let reply = self
            .call(
                "encrypt-data",
                &json!({"key_id": self.key, "plain_text": text}),
            )
            .await;
        reply.text("cipher_text")
    }

    /// Lets the endpoint see a change of the source.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Ends it and returns all audit lines.
    pub(crate) async fn stop(self) -> Vec<Value> {
        self.shutdown.trigger();
        self.running.await.unwrap();
        self.audit
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A POST request, with `Host` and `Content-Length`.
pub(crate) fn request(operation: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut all = vec![("host", "127.0.0.1:7325")];
    all.extend(headers);
    raw(
        "POST",
        &format!("/v1.0/project/kms/{operation}"),
        &all,
        body,
    )
}

/// A request with these headers and `Content-Length`.
pub(crate) fn raw(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "{method} {target} HTTP/1.1\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// An answer.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        Self::try_read(stream).await.expect("an answer")
    }

    /// `None` where the connection ends before an answer.
    pub(crate) async fn try_read(stream: &mut TcpStream) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut reply = Self {
            status,
            headers,
            body: Vec::new(),
        };
        let length = reply
            .header("content-length")
            .map_or(0, |text| text.parse().unwrap());
        reply.body.resize(length, 0);
        stream.read_exact(&mut reply.body).await.ok()?;
        Some(reply)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(one, _)| one == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A field of a successful answer.
    pub(crate) fn text(&self, field: &str) -> String {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()[field]
            .as_str()
            .unwrap_or_else(|| panic!("{field} in {}", self.json()))
            .to_owned()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["error_code"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["error_msg"]
            .as_str()
            .unwrap_or("none")
            .to_owned()
    }

    /// Checks that this is the refusal that was expected.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> &Self {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        assert!(self.header("x-request-id").is_some());
        self
    }

    /// The same, with something that the message must hold.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.message().contains(text),
            "{text:?} in {:?}",
            self.message()
        );
        self
    }
}
