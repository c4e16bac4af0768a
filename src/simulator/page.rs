//! The frame of every hosted page: plain, readable on a phone, without scripts, loading nothing.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::answering::{put_header, respond};
use crate::html::escape;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1d2433}\
main{max-width:26rem;margin:0 auto;padding:1.25rem}\
.note{background:#fff3cd;color:#4d3b00;padding:.75rem 1rem;border-radius:.5rem;margin:0 0 1.25rem}\
.card{background:#fff;border-radius:.75rem;padding:1.25rem;box-shadow:0 1px 4px #0002}\
h1{font-size:1.75rem;margin:.25rem 0 1rem}\
table{width:100%;border-collapse:collapse;margin-bottom:1rem}\
td{padding:.25rem 0;vertical-align:top;overflow-wrap:anywhere}td:last-child{text-align:right;white-space:nowrap}\
fieldset{border:0;padding:0;margin:0 0 1rem}legend{font-weight:600;padding:0}\
label{display:block;padding:.6rem 0;border-bottom:1px solid #8883}\
small{color:#5a6478;white-space:nowrap}\
button{font:inherit;font-weight:600;width:100%;padding:.8rem;border:0;border-radius:.5rem;\
background:#0b5fff;color:#fff;margin-bottom:.75rem}\
button.plain{background:#5a6478}\
.error{color:#a40000;font-weight:600}\
@media(prefers-color-scheme:dark){body{background:#14171c;color:#e8eaee}\
.card{background:#1f242c}small{color:#a6afbd}.error{color:#ff8d8d}}";

/// A page; `service` is the payment service that it is not. `body` must be escaped already.
pub(super) fn html(service: &str, status: StatusCode, title: &str, body: &str) -> Response<Bytes> {
    let title = escape(title);
    let page = format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width,initial-scale=1\">\n\
         <title>{title} (simulation)</title>\n<style>{STYLE}</style>\n<main>\n\
         <p class=note><strong>Simulation.</strong> This is not {service}. No card is asked for and \
         no money moves.</p>\n<div class=card>\n{body}</div>\n</main>\n</html>\n"
    );
    let mut response = respond(status.as_u16(), "text/html; charset=utf-8", page);
    put_header(&mut response, "cache-control", "no-store");
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'";
    put_header(&mut response, "content-security-policy", policy);
    put_header(&mut response, "x-content-type-options", "nosniff");
    response
}

/// A page that only says something.
pub(super) fn message(service: &str, status: StatusCode, text: &str) -> Response<Bytes> {
    let body = format!("<p>{}</p>\n", escape(text));
    html(service, status, "Checkout", &body)
}

/// Sends the browser on.
pub(super) fn redirect(url: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    put_header(&mut response, "location", url);
    response
}

/// A page is left only for the web, never for `javascript:`.
pub(super) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
