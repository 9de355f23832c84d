//! Stops requests that did not come from a process beside us of its own accord.
//!
//! A browser, a proxy or a server that was talked into fetching a URL reaches
//! loopback as well. Each of them gives itself away: by the name under which it
//! found us, or by headers that a client of ours never sends.

use std::net::Ipv4Addr;

use hyper::header::{FORWARDED, HOST, HeaderMap, ORIGIN, VIA};
use hyper::http::request::Parts;

use crate::error::{ApiError, Code};

/// Checks `Host` and the target, then the headers that betray a go-between.
///
/// # Errors
/// KMS.0307, saying which check failed.
pub(crate) fn check(parts: &Parts) -> Result<(), ApiError> {
    check_names(parts)?;
    check_forwarding(&parts.headers)
}

/// DNS rebinding makes a foreign name point here; the name stays in `Host`.
fn check_names(parts: &Parts) -> Result<(), ApiError> {
    let foreign = |what: &'static str| Err(ApiError::new(Code::Foreign, what));
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return foreign("exactly one Host header is needed");
    };
    if !is_loopback(host.as_bytes()) {
        return foreign(
            "Host must be localhost, an address in 127.0.0.0/8, or [::1]: this endpoint serves \
             only its own pod",
        );
    }
    // `GET http://name/ HTTP/1.1`: the target has a name of its own then.
    match parts.uri.authority() {
        Some(name) if !is_loopback(name.as_str().as_bytes()) => {
            foreign("the request target names another host")
        }
        _ => Ok(()),
    }
}

/// Whether this is a loopback name: `localhost`, an IPv4 address in 127.0.0.0/8 or
/// `[::1]`, each with or without a port.
fn is_loopback(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else {
        return false;
    };
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address, port),
            None => return false,
        },
        None => host
            .find(':')
            .map_or((host, ""), |colon| host.split_at(colon)),
    };
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| !digits.starts_with('+') && digits.parse::<u16>().is_ok());
    let is_name = if host.starts_with('[') {
        name == "::1"
    } else {
        name.eq_ignore_ascii_case("localhost")
            || name
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
    };
    is_name && is_port
}

fn check_forwarding(headers: &HeaderMap) -> Result<(), ApiError> {
    let found = if headers.contains_key(ORIGIN) {
        "Origin"
    } else if headers.contains_key(FORWARDED) {
        "Forwarded"
    } else if headers.contains_key(VIA) {
        "Via"
    } else if headers
        .keys()
        .any(|name| name.as_str().starts_with("x-forwarded-"))
    {
        "X-Forwarded-*"
    } else {
        return Ok(());
    };
    Err(ApiError::new(
        Code::Foreign,
        format!("{found} is set: requests of web pages and through proxies are refused"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn takes_loopback_names_only() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost:7325",
            "127.0.0.1",
            "127.0.0.1:7325",
            "127.255.0.9:1",
            "[::1]",
            "[::1]:7325",
        ] {
            assert!(is_loopback(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            "evil.test",
            "evil.test:7325",
            "localhost.evil.test",
            "localhost.",
            "evil-localhost",
            "127.0.0.1.evil.test",
            "127.1",
            "128.0.0.1",
            "10.0.0.1",
            "0.0.0.0",
            "0177.0.0.1",
            "::1",
            "[::1",
            "[::2]",
            "[::ffff:127.0.0.1]",
            "[::1]x",
            "localhost:",
            "localhost:port",
            "localhost:+1",
            "localhost:65536",
            "user@localhost",
            "localhost:80:80",
            "[localhost]",
            "127.0.0.1 ",
            "localhost/",
        ] {
            assert!(!is_loopback(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn refuses_another_name_in_host_or_target() {
        let refused = |target, headers: &[(&str, &str)]| {
            check(&parts(target, headers)).is_err_and(|error| error.code() == Code::Foreign)
        };
        assert!(check(&parts("/", &[("host", "localhost")])).is_ok());
        assert!(check(&parts("http://127.0.0.1:7325/", &[("host", "localhost")])).is_ok());
        assert!(refused("/", &[("host", "evil.test")]));
        assert!(refused("/", &[]));
        assert!(refused(
            "/",
            &[("host", "localhost"), ("host", "localhost")]
        ));
        assert!(refused("http://evil.test/", &[("host", "localhost")]));
        assert!(refused("http://user@localhost/", &[("host", "localhost")]));
    }

    #[test]
    fn refuses_what_came_through_somebody_else() {
        for name in [
            "origin",
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-anything",
        ] {
            let error = check(&parts("/", &[("host", "localhost"), (name, "")])).unwrap_err();
            assert_eq!(error.code(), Code::Foreign, "{name}");
        }
    }
}
