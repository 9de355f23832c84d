//! One request from its head to its answer.
//!
//! bytes → typed request → decision → effect, in this order: is it from beside us
//! ([guard](crate::guard)), may it come in ([auth](crate::auth)), what does it want
//! ([routes](crate::routes)), then the [operation](crate::operations). Nothing is
//! said about keys before the caller has shown the token.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use sealward_runtime::clock::Clock;

use crate::audit::{Audit, Use};
use crate::auth::{CallerToken, Credential, credential};
use crate::body::{Answer, BodyReader, Received};
use crate::erased::Erased;
use crate::error::{ApiError, Code};
use crate::guard;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::request_id::RequestIds;
use crate::routes::{self, Operation};
use crate::source::SourceKind;
use crate::wire::write::{Object, Text};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// What all requests share.
pub(crate) struct Endpoint {
    pub(crate) operations: Operations,
    pub(crate) kind: SourceKind,
    pub(crate) token: CallerToken,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bodies: BodyReader,
    pub(crate) request_ids: RequestIds,
    pub(crate) audit: Audit,
    pub(crate) metrics: Arc<Metrics>,
}

impl Endpoint {
    /// Answers a request. Counts it, and leaves its audit line, whatever comes of it.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let begun = Instant::now();
        let request_id = self.request_ids.next();
        let (parts, body) = request.into_parts();
        let mut operation = None;
        let mut used = Use::default();
        let result = self.decide(&parts, body, &mut operation, &mut used).await;

        let refused = result.as_ref().err().map(ApiError::code);
        let took = begun.elapsed();
        self.metrics.count(operation, refused, took.as_secs_f64());
        used.operation = operation.map(Operation::name);
        let code = refused.map_or("OK", Code::text);
        self.audit
            .record(&used, request_id, code, self.clock.now(), took);

        // The map of the request has its memory already.
        let mut headers = parts.headers;
        headers.clear();
        let id = HeaderValue::from_bytes(request_id.as_bytes());
        headers.insert(X_REQUEST_ID, id.expect("hexadecimal digits"));
        respond(result, operation, headers)
    }

    async fn decide(
        &self,
        parts: &Parts,
        body: Incoming,
        operation: &mut Option<Operation>,
        used: &mut Use,
    ) -> Result<Erased, ApiError> {
        guard::check(parts)?;
        let early = self.authenticate(parts, body).await?;
        let route = routes::route(parts.uri.path());
        if let routes::Route::Here(wanted) = route {
            *operation = Some(wanted);
        }
        let wanted = routes::decide(route, &parts.method, parts.uri.query(), self.kind)?;
        let mut received = match early {
            Body::Read(received) => received,
            Body::Unread(body) => self.bodies.read(body).await?,
        };
        self.operations.run(wanted, &mut received.bytes, used).await
    }

    /// Lets the caller in or not. A signature covers the body, which has to be read
    /// for it; with a wrong token nothing is read.
    async fn authenticate(&self, parts: &Parts, body: Incoming) -> Result<Body<'_>, ApiError> {
        match credential(&parts.headers)? {
            Credential::Token(shown) => {
                self.token.check(shown)?;
                Ok(Body::Unread(body))
            }
            Credential::Signature(signature) => {
                signature.check_scope(&parts.headers, self.clock.now())?;
                let received = self.bodies.read(body).await?;
                signature.check(parts, &received.bytes, &self.token)?;
                Ok(Body::Read(received))
            }
        }
    }
}

enum Body<'a> {
    Unread(Incoming),
    Read(Received<'a>),
}

fn respond(
    result: Result<Erased, ApiError>,
    operation: Option<Operation>,
    mut headers: HeaderMap,
) -> Response<Answer> {
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(CACHE_CONTROL, NO_STORE);
    let (status, body) = match result {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => {
            if error.code() == Code::Method {
                let method = operation.map_or(Method::POST, Operation::method);
                let method = HeaderValue::from_str(method.as_str()).unwrap_or(JSON);
                headers.insert(ALLOW, method);
            }
            if error.code() == Code::TooLong {
                // The rest of the body is not read.
                headers.insert(CONNECTION, CLOSE);
            }
            (error.code().row().0, refusal(&error))
        }
    };
    let mut response = Response::new(Answer::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The body of a refusal.
pub(crate) fn refusal(error: &ApiError) -> Erased {
    Object::with_capacity(64 + error.message().len())
        .with("error", |out| {
            Object::onto(out)
                .plain("error_code", error.code().text())
                .string("error_msg", Text::new(error.message()))
                .end()
        })
        .end()
}
