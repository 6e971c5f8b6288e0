//! An HTTP client that shows the answer as it came: status, headers, raw body.

use std::io::Read;
use std::time::Duration;

use ureq::http::Response;
use ureq::{Agent, Body};

/// An answer, not decoded.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As sent, still compressed where it was.
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, uncompressed where `Content-Encoding` says gzip or
    /// zstd.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match self.header("content-encoding") {
            Some("gzip") => flate2::read::GzDecoder::new(self.body.as_slice())
                .read_to_string(&mut text)
                .map(|_| text)
                .expect("the body is gzip"),
            Some("zstd") => {
                let text = zstd::decode_all(self.body.as_slice()).expect("the body is zstd");
                String::from_utf8(text).expect("the body is UTF-8")
            }
            None | Some("identity") => {
                String::from_utf8(self.body.clone()).expect("the body is UTF-8")
            }
            Some(other) => panic!("content-encoding {other} was not asked for"),
        }
    }
}

/// Asks `path` of the server on `port`; sends no header but those given.
pub fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Reply, String> {
    let mut request = agent().get(format!("http://127.0.0.1:{port}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(request.call().map_err(|error| format!("GET {path}: {error}"))?)
}

/// HEAD of `path` of the server on `port`; sends no header but those given.
pub fn head(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Reply, String> {
    let mut request = agent().head(format!("http://127.0.0.1:{port}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(request.call().map_err(|error| format!("HEAD {path}: {error}"))?)
}

/// POST of `body` to `path` of the server on `port`; sends no header but those given.
pub fn post(port: u16, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply, String> {
    let mut request = agent().post(format!("http://127.0.0.1:{port}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(request.send(body).map_err(|error| format!("POST {path}: {error}"))?)
}

/// DELETE of `path` of the server on `port`, which is meant.
pub fn delete(port: u16, path: &str) -> Result<Reply, String> {
    delete_with(port, path, &[("X-Requested-By", "a test")])
}

/// DELETE of `path` of the server on `port`; sends no header but those given.
pub fn delete_with(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<Reply, String> {
    let mut request = agent().delete(format!("http://127.0.0.1:{port}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(request.call().map_err(|error| format!("DELETE {path}: {error}"))?)
}

/// POST or PUT of a body to `path` of the server on `port`; sends no header but those
/// given.
pub fn push(
    port: u16,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Reply, String> {
    let url = format!("http://127.0.0.1:{port}{path}");
    let mut request = match method {
        "POST" => agent().post(url),
        "PUT" => agent().put(url),
        other => panic!("expected POST or PUT, got {other}"),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    reply(request.send(body).map_err(|error| format!("{method} {path}: {error}"))?)
}

fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .accept("")
        .accept_encoding("")
        .user_agent("")
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}

fn reply(mut response: Response<Body>) -> Result<Reply, String> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let mut body = Vec::new();
    let mut reader = response.body_mut().as_reader();
    reader.read_to_end(&mut body).map_err(|error| format!("the body: {error}"))?;
    Ok(Reply { status, headers, body })
}
