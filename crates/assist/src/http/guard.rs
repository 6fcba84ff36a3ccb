//! Who may ask: no page of another site, nobody through a name that was bent to this address,
//! and beyond this machine only who knows the token.

use super::answer::Failure;
use super::places::Connection;
use crate::state::State;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rand::Rng;
use std::net::IpAddr;
use std::sync::Arc;

const COOKIE: &str = "tenfold_token";

/// Text as an address and a cookie can have it.
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// A token that nobody guesses: 160 random bits.
pub fn drawn_token() -> String {
    let mut random = rand::rng();
    (0..5).map(|_| format!("{:08x}", random.next_u32())).collect()
}

/// Lets a request through, or says why not.
pub async fn check(
    axum::extract::State(state): axum::extract::State<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let (token, hosts) = (state.settings.token.as_deref(), &state.settings.hosts[..]);
    let checked = host(request.headers(), hosts)
        .and_then(|()| origin(request.method(), request.headers()))
        .and_then(|()| token.map_or(Ok(Known::Yes), |token| known(&request, token)));
    let connection = request.extensions().get::<Arc<Connection>>();
    if let (Some(connection), Ok(_), Some(_)) = (connection, &checked, token) {
        connection.know();
    }
    let full = connection.is_some_and(|own| own.is_kept())
        && token.is_none()
        && request.uri().path() != "/v1/health";
    match (checked, token) {
        (Ok(Known::ByAddress), Some(token)) => welcome(request.uri(), token),
        (Ok(_), _) if !full => next.run(request).await,
        (Ok(_), _) => {
            let why = "every place of a connection is taken: ask again later".into();
            let failure = Failure(StatusCode::SERVICE_UNAVAILABLE, why).into_response();
            ([(header::CONNECTION, "close")], failure).into_response()
        }
        (Err(failure), _) => failure.into_response(),
    }
}

/// How a request knows the token.
enum Known {
    /// By a header or a cookie; or none is asked for.
    Yes,
    /// By the address that was printed: it is answered with the cookie, so that the token does
    /// not stay in the address.
    ByAddress,
}

fn refused(why: &str) -> Failure {
    Failure(StatusCode::FORBIDDEN, why.into())
}

/// The name by which the server was asked is an address, `localhost`, or one that was allowed:
/// any other may have been bent to this address (DNS rebinding).
fn host(headers: &HeaderMap, allowed: &[String]) -> Result<(), Failure> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| refused("a request without a Host"))?;
    let name = without_port(host);
    let plain = name.trim_start_matches('[').trim_end_matches(']');
    let known = plain.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|own| own.eq_ignore_ascii_case(name));
    match known {
        true => Ok(()),
        false => Err(refused("asked by an unknown name: allow it with --host NAME")),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// What changes something comes from a page of this server, or from no page at all; what a
/// page of another site asks for is refused whatever it is.
fn origin(method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let foreign = "asked by a page of another site";
    if text("sec-fetch-site").is_some_and(|site| matches!(site, "cross-site" | "same-site")) {
        // A link from elsewhere may open the page itself.
        if !(method == Method::GET && text("sec-fetch-mode") == Some("navigate")) {
            return Err(refused(foreign));
        }
    }
    if method == Method::GET || method == Method::HEAD {
        return Ok(());
    }
    match (headers.get(header::ORIGIN), text("host")) {
        (None, _) => Ok(()),
        (Some(origin), Some(host)) => {
            let origin = origin.to_str().unwrap_or("");
            let own = ["http://", "https://"].iter().filter_map(|s| origin.strip_prefix(s)).next();
            match own {
                Some(own) if own.eq_ignore_ascii_case(host) => Ok(()),
                _ => Err(refused(foreign)),
            }
        }
        (Some(_), None) => Err(refused(foreign)),
    }
}

/// The token is in a header, in the cookie that [`welcome`] set, or in the address.
fn known(request: &Request, token: &str) -> Result<Known, Failure> {
    let headers = request.headers();
    let bearer = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let bearer = bearer.and_then(|value| value.strip_prefix(b"Bearer "));
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
        pair.trim().split_once('=').filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
    });
    let cookie = encoded(token);
    if bearer.is_some_and(|own| same(own, token))
        || cookies.any(|own| same(own.as_bytes(), &cookie))
    {
        return Ok(Known::Yes);
    }
    let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
    let mut given = query.map_or_else(|_| Vec::new(), |query| query.0).into_iter();
    let given = given.any(|(name, own)| name == "token" && same(own.as_bytes(), token));
    match request.method() == Method::GET && given {
        true => Ok(Known::ByAddress),
        false => Err(Failure(
            StatusCode::UNAUTHORIZED,
            "expected the token that the server printed at its start".into(),
        )),
    }
}

/// Compares without telling by the time how much was right.
fn same(own: &[u8], token: &str) -> bool {
    own.len() == token.len()
        && own.iter().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn welcome(uri: &Uri, token: &str) -> Response {
    let token = encoded(token);
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000");
    let Ok(cookie) = HeaderValue::from_str(&cookie) else {
        return refused("a token that no cookie can hold").into_response();
    };
    // Two slashes would lead to another host.
    let path = format!("/{}", uri.path().trim_start_matches(['/', '\\']));
    let path = HeaderValue::from_str(&path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie), (header::LOCATION, path)])
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (name.parse().unwrap(), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect::<HeaderMap>()
    }

    #[test]
    fn names_that_may_be_bent_are_refused() {
        let allowed = ["labels.example".to_string()];
        for good in ["127.0.0.1:8080", "localhost", "[::1]:80", "192.168.1.5", "labels.example:1"] {
            assert!(host(&headers(&[("host", good)]), &allowed).is_ok(), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example:80", "127.0.0.1.nip.example", ""] {
            assert!(host(&headers(&[("host", bad)]), &allowed).is_err(), "{bad}");
        }
        assert!(host(&HeaderMap::new(), &allowed).is_err());
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let from = |origin| headers(&[("host", "127.0.0.1:80"), ("origin", origin)]);
        assert!(origin(&Method::POST, &from("http://127.0.0.1:80")).is_ok());
        assert!(origin(&Method::POST, &headers(&[("host", "127.0.0.1:80")])).is_ok());
        for bad in ["http://evil.example", "null", "http://127.0.0.1:81", "file://127.0.0.1:80"] {
            assert!(origin(&Method::POST, &from(bad)).is_err(), "{bad}");
        }
        let cross = headers(&[("host", "localhost"), ("sec-fetch-site", "cross-site")]);
        assert!(origin(&Method::GET, &cross).is_err());
        let mut link = cross;
        link.insert("sec-fetch-mode", HeaderValue::from_static("navigate"));
        assert!(origin(&Method::GET, &link).is_ok() && origin(&Method::POST, &link).is_err());
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (drawn_token(), drawn_token());
        assert!(one.len() == 40 && one != other);
        let same = |own: &str, token: &str| same(own.as_bytes(), token);
        assert!(same(&one, &one) && !same(&one, &other) && !same("", &one));
    }
}
