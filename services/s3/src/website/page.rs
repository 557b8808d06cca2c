//! The HTML pages that S3 answers with when a website has none of its own.

use std::fmt::Write;

use fogbank_core::{ApiError, Value};

use super::answer::status_of;

/// The page for `error`; `custom` is why the error document could not be shown instead.
pub(super) fn error(
    error: &ApiError,
    custom: Option<&ApiError>,
    request_id: &str,
    host_id: &str,
) -> String {
    let status = status_of(error);
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or("Error"));
    let mut html =
        format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n");
    html.push_str("<ul>\n");
    items(&mut html, error);
    let _ = writeln!(html, "<li>RequestId: {}</li>", escape(request_id));
    let _ = writeln!(html, "<li>HostId: {}</li>", escape(host_id));
    html.push_str("</ul>\n");
    if let Some(custom) = custom {
        html.push_str(
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n\
             <ul>\n",
        );
        items(&mut html, custom);
        html.push_str("</ul>\n");
    }
    html.push_str("<hr/>\n</body>\n</html>\n");
    html
}

fn items(html: &mut String, error: &ApiError) {
    let _ = writeln!(html, "<li>Code: {}</li>", escape(error.code()));
    let _ = writeln!(html, "<li>Message: {}</li>", escape(error.message()));
    for (name, value) in error.fields() {
        if let Value::Str(text) = value {
            let _ = writeln!(html, "<li>{}: {}</li>", escape(name), escape(text));
        }
    }
}

/// Keys come from the address bar: they must not become markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{access_denied, no_such_key};

    #[test]
    fn pages() {
        let page = error(&no_such_key("<b>"), Some(&access_denied()), "R", "H");
        assert!(page.contains("<title>404 Not Found</title>"), "{page}");
        assert!(page.contains("<li>Code: NoSuchKey</li>\n<li>Message: The specified key does not"));
        assert!(page.contains("<li>Key: &lt;b&gt;</li>\n<li>RequestId: R</li>"), "{page}");
        assert!(page.contains("Custom Error Document</h3>\n<ul>\n<li>Code: AccessDenied</li>"));
    }
}
