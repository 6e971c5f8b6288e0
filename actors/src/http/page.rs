//! `/`: `ok` for probes, as ever; for browsers the status page, one document
//! that shows what the JSON API tells.
//!
//! What the page may do is said by its Content-Security-Policy: run this very
//! script, use this very style, ask this very server. Both are allowed by their
//! hashes, and no text can become markup (`require-trusted-types-for`).

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, ETAG, EntityTag, Header,
    HeaderValue, IfNoneMatch, REFERRER_POLICY, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use super::negotiate::wants_page;
use super::probes::plain;

const DOCUMENT: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/page.css");
/// The parts of the script, in their order: one scope holds all of them.
const SCRIPT: [&str; 7] = [
    include_str!("page/units.js"),
    include_str!("page/dom.js"),
    include_str!("page/verdict.js"),
    include_str!("page/charts.js"),
    include_str!("page/tables.js"),
    include_str!("page/search.js"),
    include_str!("page/page.js"),
];

/// Where style and script stand in the document.
const STYLE_MARK: &str = "/* style */";
const SCRIPT_MARK: &str = "/* script */";

const VARY_ON_ACCEPT: HeaderValue = HeaderValue::from_static("accept");

static PAGE: LazyLock<StatusPage> = LazyLock::new(|| StatusPage::new(STYLE, &SCRIPT.concat()));

/// The document, and what is said about it.
struct StatusPage {
    html: Bytes,
    policy: String,
    tag: EntityTag,
}

impl StatusPage {
    fn new(style: &str, script: &str) -> Self {
        let html = DOCUMENT.replacen(STYLE_MARK, style, 1).replacen(SCRIPT_MARK, script, 1);
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
            source(script),
            source(style),
        );
        let tag = EntityTag::new_weak(STANDARD.encode(sha256(&html)));
        Self { html: html.into(), policy, tag }
    }
}

/// Answers by what is asked for: a client that does not name `text/html` gets `ok`.
pub async fn root(request: HttpRequest) -> HttpResponse {
    let accept = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    if !wants_page(accept) {
        let mut ok = plain("ok");
        ok.headers_mut().insert(VARY, VARY_ON_ACCEPT);
        return ok;
    }
    let page = &*PAGE;
    let is_known = is_known(&request, &page.tag);
    let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((VARY, VARY_ON_ACCEPT))
        .insert_header((ETAG, page.tag.clone()))
        // Kept, but asked about each time: after an update the page is another.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, page.policy.as_str()))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    if is_known {
        return response.finish();
    }
    response.content_type(ContentType::html()).body(page.html.clone())
}

/// Whether the browser has this very page.
fn is_known(request: &HttpRequest, tag: &EntityTag) -> bool {
    match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(tag)),
        Err(_) => false,
    }
}

/// A source for the policy that allows `text` alone.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(sha256(text)))
}

fn sha256(text: &str) -> impl AsRef<[u8]> {
    digest(&SHA256, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use psg_engine::metric::Kind;

    use super::*;

    #[test]
    fn style_and_script_stand_in_the_document_as_they_are_hashed() {
        let script = SCRIPT.concat();
        for (text, end, mark) in
            [(STYLE, "</style", STYLE_MARK), (script.as_str(), "</script", SCRIPT_MARK)]
        {
            assert!(!text.contains(end) && !text.contains('\r') && !text.contains("<!--"), "{end}");
            assert_eq!(DOCUMENT.matches(mark).count(), 1, "{mark}");
            assert!(!STYLE.contains(mark), "{mark}");
        }
        let page = std::str::from_utf8(&PAGE.html).expect("text");
        assert!(page.contains(&format!("<style>{STYLE}</style>")));
        assert!(page.contains(&format!("<script type=\"module\">{script}</script>")));
    }

    #[test]
    fn a_source_is_what_browsers_compute() {
        // An example of the specification of Content-Security-Policy, level 2.
        let expected = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert_eq!(source("alert('Hello, world.');"), expected);
    }

    /// A new one needs a colour, and its place in the bars.
    #[test]
    fn the_page_knows_every_metric_type() {
        let words = Kind::ALL.map(|kind| format!("\"{}\"", kind.as_str()));
        let list = format!("const TYPES = [{}];", words.join(", "));
        assert!(SCRIPT.concat().contains(&list), "{list}");
        for word in words {
            assert!(STYLE.contains(&format!("[data-type={word}]")), "{word} has no colour");
        }
    }
}
