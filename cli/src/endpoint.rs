//! Where the endpoint is, and the token that proves a caller may use it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::HeaderValue;
use http::uri::{Scheme, Uri};
use zeroize::Zeroizing;

use crate::args::{ConnectionArgs, DEFAULT_DATA, DEFAULT_PORT};

/// A loopback address and port, spoken to in plain HTTP.
///
/// Nothing else can be expressed: the token is sent with every request and must not leave this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    addresses: Vec<SocketAddr>,
    authority: String,
}

impl Endpoint {
    /// The addresses to try, in order.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What goes into the `Host` header: host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self {
            addresses: vec![address],
            authority: address.to_string(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        if uri.scheme() != Some(&Scheme::HTTP) {
            return Err(malformed());
        }
        // A path would be dropped without a word, and user information would be a secret in a flag.
        let authority = uri.authority().ok_or_else(malformed)?;
        if !matches!(uri.path(), "" | "/")
            || uri.query().is_some()
            || authority.as_str().contains('@')
        {
            return Err(malformed());
        }
        let host = authority.host();
        let port = if authority.as_str() == host {
            DEFAULT_PORT
        } else {
            let given = authority.port_u16().filter(|port| *port != 0);
            given.ok_or_else(malformed)?
        };
        let addresses = loopback_addresses(host)
            .ok_or_else(|| EndpointError::NotLoopback(host.to_owned()))?
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect();
        Ok(Self {
            addresses,
            authority: format!("{host}:{port}"),
        })
    }
}

/// The addresses behind a loopback host. `localhost` is not looked up: a resolver could say anything.
fn loopback_addresses(host: &str) -> Option<Vec<IpAddr>> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: IpAddr = bare.parse().ok()?;
    address.is_loopback().then(|| vec![address])
}

/// Why an endpoint or its token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Not `http://HOST:PORT`.
    #[error("endpoint {0:?} is not of the form http://127.0.0.1:PORT")]
    Malformed(String),
    /// Not a loopback host.
    #[error(
        "endpoint host {0:?} is not a loopback address; the token must not leave this host: use 127.0.0.1, [::1] or localhost"
    )]
    NotLoopback(String),
    /// No flag, no variable, and no data folder here.
    #[error(
        "no token file: give --token-file or set SEALWARD_TOKEN_FILE (`sealward dev` prints which), or run in the folder where {} is",
        .0.display()
    )]
    NoTokenFile(PathBuf),
    /// The token file cannot be read.
    #[error("cannot read the token file {}", path.display())]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The token file holds something else.
    #[error("{} does not hold a token: one line of 1 to {MAX_TOKEN} visible ASCII characters", .0.display())]
    NotAToken(PathBuf),
}

/// The longest token taken, in bytes: far above what is issued, far below what a header may hold.
const MAX_TOKEN: usize = 4096;

/// The caller's token. Not shown by `Debug`; erased when dropped.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Reads the token from its file, without the newline at the end.
    ///
    /// # Errors
    /// The file cannot be read, or holds something that is not a token.
    pub fn read(path: &Path) -> Result<Self, EndpointError> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN + 2));
        File::open(path)
            // One byte more than the longest token and its newline tells whether the file is longer.
            .and_then(|file| file.take(MAX_TOKEN as u64 + 2).read_to_string(&mut text))
            .map_err(|source| EndpointError::TokenFile {
                path: path.to_owned(),
                source,
            })?;
        let token = Zeroizing::new(text.trim_end_matches(['\n', '\r']).to_owned());
        let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.is_empty() || token.len() > MAX_TOKEN || !visible {
            return Err(EndpointError::NotAToken(path.to_owned()));
        }
        Ok(Self(token))
    }

    /// The `Authorization` header.
    pub(crate) fn bearer(&self) -> Option<HeaderValue> {
        let text = Zeroizing::new(format!("Bearer {}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The endpoint and token that the flags, the environment, or a data folder in this directory give.
///
/// # Errors
/// See [`EndpointError`].
pub fn connect_to(arguments: &ConnectionArgs) -> Result<(Endpoint, Token), EndpointError> {
    let endpoint = arguments.endpoint.parse()?;
    if let Some(path) = &arguments.token_file {
        return Ok((endpoint, Token::read(path)?));
    }
    let path = Path::new(DEFAULT_DATA).join("token");
    if !path.exists() {
        return Err(EndpointError::NoTokenFile(path));
    }
    Ok((endpoint, Token::read(&path)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_loopback_endpoints() {
        for (text, shown, addresses) in [
            ("http://127.0.0.1:7325", "http://127.0.0.1:7325", 1),
            ("http://127.0.0.1", "http://127.0.0.1:7325", 1),
            ("http://127.9.9.9:1/", "http://127.9.9.9:1", 1),
            ("http://[::1]:80", "http://[::1]:80", 1),
            ("http://localhost:99", "http://localhost:99", 2),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(endpoint.addresses().len(), addresses, "{text}");
            assert!(endpoint.addresses().iter().all(|a| a.ip().is_loopback()));
        }
    }

    #[test]
    fn refuses_endpoints_that_would_carry_the_token_away() {
        for text in [
            "http://10.0.0.1:7325",
            "http://0.0.0.0:7325",
            "http://evil.test:7325",
            "http://localhost.evil.test:7325",
            "http://[::]:7325",
            "http://[::ffff:10.0.0.1]:7325",
            "http://2130706433:7325",
        ] {
            assert!(
                matches!(text.parse::<Endpoint>(), Err(EndpointError::NotLoopback(_))),
                "{text}"
            );
        }
        for text in [
            "",
            "127.0.0.1:7325",
            "https://127.0.0.1:7325",
            "http://127.0.0.1:7325/kms",
            "http://127.0.0.1:7325?x",
            "http://127.0.0.1@evil.test:7325",
            "http://127.0.0.1:0",
            "http://127.0.0.1:99999",
            "http://",
        ] {
            assert!(
                matches!(text.parse::<Endpoint>(), Err(EndpointError::Malformed(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn reads_a_token_with_or_without_newline_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for good in ["abc", "abc\n", "abc\r\n"] {
            std::fs::write(&path, good).unwrap();
            assert_eq!(Token::read(&path).unwrap().bearer().unwrap(), "Bearer abc");
        }
        for bad in [
            "",
            "\n",
            "a b",
            "a\nb",
            "\u{7f}",
            &"x".repeat(MAX_TOKEN + 1),
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(
                matches!(Token::read(&path), Err(EndpointError::NotAToken(_))),
                "{bad:?}"
            );
        }
    }
}
