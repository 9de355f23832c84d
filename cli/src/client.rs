//! The HTTP side of the endpoint: one request, one answer, both with limits and deadlines.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::TokioIo;
use sealward_sidecar::wire::answer::Refusal;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::endpoint::{Endpoint, Token};

/// How long a loopback connect may take: it is immediate unless the listener's queue is full.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take. The endpoint's own deadlines are shorter.
const ANSWER: Duration = Duration::from_secs(30);
/// The largest answer taken, in bytes: a page of list-keys with 1000 keys is about 600 KB.
const MAX_ANSWER: u64 = 4 << 20;

/// Sends requests to one endpoint as one caller.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    token: Token,
    limit: Duration,
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens there.
    #[error(
        "no answer from {endpoint}; start it with `sealward dev`, or say where it is with --endpoint"
    )]
    Connect {
        /// Who was asked.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It accepted the connection and then took too long.
    #[error("{endpoint} did not answer {operation} within {limit:?}")]
    Deadline {
        /// Who was asked.
        endpoint: Endpoint,
        /// For what.
        operation: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// The connection broke.
    #[error("the connection to {endpoint} broke during {operation}")]
    Broken {
        /// Who was asked.
        endpoint: Endpoint,
        /// For what.
        operation: &'static str,
        /// Why.
        #[source]
        source: hyper::Error,
    },
    /// The endpoint said no, and why.
    #[error("{operation}: {code}: {message}{}", advice(code))]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The HTTP status.
        status: StatusCode,
        /// For instance `KMS.0209`.
        code: String,
        /// The endpoint's own words, on one line.
        message: String,
    },
    /// Whoever listens there is not a Sealward endpoint.
    #[error(
        "{endpoint} answered {operation} with something else than its API says ({what}); is it a Sealward endpoint?"
    )]
    Unreadable {
        /// Who was asked.
        endpoint: Endpoint,
        /// For what.
        operation: &'static str,
        /// What is wrong with the answer; never a part of it.
        what: &'static str,
    },
}

/// What to do about a refusal, where the endpoint's message does not say.
fn advice(code: &str) -> &'static str {
    match code {
        "KMS.0207" => "; `sealward keys` lists the keys",
        "KMS.0209" => "; set spec.enabled: true in its YAML to use it again",
        "KMS.0210" => "; `sealward restore NAME` brings it back until it is destroyed",
        "KMS.0301" | "KMS.0302" | "KMS.0303" => {
            "; give this endpoint's token file with --token-file or SEALWARD_TOKEN_FILE"
        }
        "KMS.2201" => {
            "; is the ciphertext whole, and are --context or --aad the ones it was encrypted with?"
        }
        _ => "",
    }
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(endpoint: Endpoint, token: Token) -> Self {
        Self {
            endpoint,
            token,
            limit: ANSWER,
        }
    }

    /// The endpoint it talks to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Posts a JSON body to an operation and returns the body of its success.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(crate) async fn call(
        &self,
        operation: &'static str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let exchange = self.exchange(operation, body);
        let (status, answer) =
            timeout(self.limit, exchange)
                .await
                .map_err(|_| CallError::Deadline {
                    endpoint: self.endpoint.clone(),
                    operation,
                    limit: self.limit,
                })??;
        if status == StatusCode::OK {
            return Ok(answer);
        }
        Err(self.refusal(operation, status, &answer))
    }

    async fn exchange(
        &self,
        operation: &'static str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), CallError> {
        let stream = self.connect().await?;
        let broken = |source| CallError::Broken {
            endpoint: self.endpoint.clone(),
            operation,
            source,
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let request = self.request(operation, body)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            // Dropped only now: without a sender the connection would end before the answer came.
            let read = self.read(operation, response).await;
            drop(sender);
            read
        };
        // The connection makes progress only while it is polled; its own error reaches the request too.
        let (answer, _) = tokio::join!(answer, connection);
        answer
    }

    async fn connect(&self) -> Result<TcpStream, CallError> {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in self.endpoint.addresses() {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(source)) => failure = source,
                Err(_) => failure = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
        Err(CallError::Connect {
            endpoint: self.endpoint.clone(),
            source: failure,
        })
    }

    fn request(
        &self,
        operation: &'static str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let build = || {
            Request::builder()
                .method(Method::POST)
                // The project id in the path is opaque to the endpoint.
                .uri(format!("/v1.0/sealward/kms/{operation}"))
                .header(HOST, self.endpoint.authority())
                .header(AUTHORIZATION, self.token.bearer()?)
                .header(CONTENT_TYPE, "application/json;charset=utf-8")
                .body(Full::new(Bytes::from_owner(body)))
                .ok()
        };
        build().ok_or_else(|| self.unreadable(operation, "no request can be made for it"))
    }

    async fn read(
        &self,
        operation: &'static str,
        response: Response<Incoming>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), CallError> {
        let status = response.status();
        let mut body = response.into_body();
        let hint = body.size_hint().lower().min(MAX_ANSWER);
        let mut answer = Zeroizing::new(Vec::with_capacity(usize::try_from(hint).unwrap_or(0)));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| CallError::Broken {
                endpoint: self.endpoint.clone(),
                operation,
                source,
            })?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if (answer.len() + data.len()) as u64 > MAX_ANSWER {
                return Err(self.unreadable(operation, "it is too long"));
            }
            answer.extend_from_slice(data);
        }
        Ok((status, answer))
    }

    fn refusal(&self, operation: &'static str, status: StatusCode, answer: &[u8]) -> CallError {
        match serde_json::from_slice(answer) {
            Ok(Refusal { error }) if status.is_client_error() || status.is_server_error() => {
                CallError::Refused {
                    operation,
                    status,
                    code: one_line(&error.error_code),
                    message: one_line(&error.error_msg),
                }
            }
            _ => self.unreadable(operation, "no success, and no error code"),
        }
    }

    pub(crate) fn unreadable(&self, operation: &'static str, what: &'static str) -> CallError {
        CallError::Unreadable {
            endpoint: self.endpoint.clone(),
            operation,
            what,
        }
    }
}

/// Text from elsewhere for one line of a terminal: control characters, escape sequences among them, become spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_endpoint_that_is_silent_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "abc").unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap());
        let mut client = Client::new(endpoint, Token::read(&path).unwrap());
        client.limit = Duration::from_millis(50);
        let answer = timeout(ANSWER / 2, client.list_keys()).await;
        let error = answer.expect("given up in time").unwrap_err();
        assert!(matches!(error, CallError::Deadline { .. }), "{error}");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_a_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc"), "a [2Jb c");
    }
}
