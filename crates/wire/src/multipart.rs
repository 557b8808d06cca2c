//! Browser forms (`multipart/form-data`): the fields in front of a file, then the file as a stream.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>, RFC 7578.

use bytes::{Bytes, BytesMut};
use fogbank_core::{ApiError, Body, Form, Result};
use futures_util::stream;

/// What may stand in front of the file, part headers included.
const FIELDS: usize = 20 * 1024;

/// Reads a form up to its file. What follows the file is ignored, as S3 does; `${filename}` in a
/// field becomes the file's name.
///
/// # Errors
/// `PreconditionFailed` for another content type, `MalformedPOSTRequest`, `InvalidArgument` when
/// there is no file, `MaxPostPreDataLengthExceeded`. The stream ends with `MalformedPOSTRequest`
/// when the form is cut off inside the file.
pub async fn read(content_type: &str, body: Body) -> Result<(Form, Body)> {
    let boundary = boundary(content_type)?;
    let mut input = Input { body, buffer: BytesMut::from(&b"\r\n"[..]), ended: false };
    let delimiter = format!("\r\n--{boundary}");
    let mut form = Form::default();
    let mut budget = FIELDS + 2;
    // The preamble counts as well: it is data before the file.
    input.until(delimiter.as_bytes(), &mut budget).await?;
    loop {
        let line = input.until(b"\r\n", &mut budget).await?;
        match line.trim_ascii_end() {
            b"" => {}
            b"--" => return Err(no_file()),
            _ => return Err(malformed()),
        }
        let part = input.part(&mut budget).await?;
        if part.name == "file" {
            form.filename = part.filename;
            form.content_type = part.content_type;
            let name = form.filename.clone().unwrap_or_default();
            for (_, value) in form.fields.iter_mut().filter(|(n, _)| n != "policy") {
                if value.contains("${filename}") {
                    *value = value.replace("${filename}", &name);
                }
            }
            return Ok((form, file(input, delimiter)));
        }
        let value = input.until(delimiter.as_bytes(), &mut budget).await?;
        let value = String::from_utf8(value.to_vec()).map_err(|_| malformed())?;
        form.fields.push((part.name, value));
    }
}

/// The bytes until the next delimiter.
fn file(input: Input, delimiter: String) -> Body {
    Body::stream(
        None,
        stream::unfold(Some((input, delimiter)), |state| async move {
            let (mut input, delimiter) = state?;
            match input.piece(delimiter.as_bytes()).await {
                Ok(Piece::Some(b)) => Some((Ok(b), Some((input, delimiter)))),
                Ok(Piece::Last(b)) if b.is_empty() => None,
                Ok(Piece::Last(b)) => Some((Ok(b), None)),
                Err(e) => Some((Err(e), None)),
            }
        }),
    )
}

/// A body being read, and what of it has not been used yet.
struct Input {
    body: Body,
    buffer: BytesMut,
    ended: bool,
}

struct Part {
    /// In lower case.
    name: String,
    filename: Option<String>,
    content_type: Option<String>,
}

enum Piece {
    Some(Bytes),
    /// Up to the delimiter.
    Last(Bytes),
}

impl Input {
    async fn more(&mut self) -> Result<bool> {
        match self.body.next().await.transpose()? {
            Some(b) => self.buffer.extend_from_slice(&b),
            None => self.ended = true,
        }
        Ok(!self.ended)
    }

    /// Takes what stands before `mark`, and the mark.
    async fn until(&mut self, mark: &[u8], budget: &mut usize) -> Result<Bytes> {
        let mut from = 0;
        loop {
            if let Some(at) = find(&self.buffer[from..], mark) {
                let taken = self.buffer.split_to(from + at).freeze();
                let _ = self.buffer.split_to(mark.len());
                *budget = budget.checked_sub(taken.len() + mark.len()).ok_or_else(too_long)?;
                return Ok(taken);
            }
            if self.buffer.len() > *budget {
                return Err(too_long());
            }
            from = self.buffer.len().saturating_sub(mark.len() - 1);
            if !self.more().await? {
                return Err(malformed());
            }
        }
    }

    /// The headers of a part.
    async fn part(&mut self, budget: &mut usize) -> Result<Part> {
        let mut part = Part { name: String::new(), filename: None, content_type: None };
        loop {
            let line = self.until(b"\r\n", budget).await?;
            if line.is_empty() {
                break;
            }
            let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("content-disposition") {
                part.name = parameter(value, "name").ok_or_else(malformed)?.to_ascii_lowercase();
                // Some browsers send the whole path.
                part.filename = parameter(value, "filename")
                    .map(|f| f.rsplit(['/', '\\']).next().unwrap_or_default().to_owned());
            } else if name.eq_ignore_ascii_case("content-type") {
                part.content_type = Some(value.trim().to_owned());
            }
        }
        if part.name.is_empty() { Err(malformed()) } else { Ok(part) }
    }

    /// The next piece of what stands before `mark`.
    async fn piece(&mut self, mark: &[u8]) -> Result<Piece> {
        loop {
            if let Some(at) = find(&self.buffer, mark) {
                return Ok(Piece::Last(self.buffer.split_to(at).freeze()));
            }
            let safe = self.buffer.len().saturating_sub(mark.len() - 1);
            if safe > 0 {
                return Ok(Piece::Some(self.buffer.split_to(safe).freeze()));
            }
            if !self.more().await? {
                return Err(malformed());
            }
        }
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, mark)
}

fn boundary(content_type: &str) -> Result<String> {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("multipart/form-data") {
        return Err(ApiError::new(
            "PreconditionFailed",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        )
        .status(412));
    }
    parameter(content_type, "boundary")
        .filter(|b| (1..=70).contains(&b.len()) && b.is_ascii())
        .ok_or_else(malformed)
}

/// A parameter of a header: `; name=value` or `; name="value"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (key, value) = rest.split_once('=')?;
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => {
                let end = end_of_quoted(quoted)?;
                (unescape(&quoted[..end]), &quoted[end + 1..])
            }
            None => {
                let end = value.find(';').unwrap_or(value.len());
                (value[..end].trim_end().to_owned(), &value[end..])
            }
        };
        if key.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}

/// A backslash escapes only a quote: browsers leave Windows paths as they are.
fn end_of_quoted(s: &str) -> Option<usize> {
    let b = s.as_bytes();
    (0..b.len()).find(|i| b[*i] == b'"' && (*i == 0 || b[*i - 1] != b'\\'))
}

fn unescape(s: &str) -> String {
    s.replace("\\\"", "\"").replace("%22", "\"")
}

fn malformed() -> ApiError {
    ApiError::new(
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
    )
    .status(400)
}

fn no_file() -> ApiError {
    ApiError::new("InvalidArgument", "POST requires exactly one file upload per request.")
        .status(400)
        .field("ArgumentName", "file")
        .field("ArgumentValue", "0")
}

fn too_long() -> ApiError {
    ApiError::new(
        "MaxPostPreDataLengthExceeded",
        "Your POST request fields preceding the upload file were too large.",
    )
    .status(400)
    .field("MaxPostPreDataLengthBytes", FIELDS.to_string())
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    /// Reads a form that arrives in pieces of `size` bytes, and its file.
    fn run(text: &str, size: usize) -> Result<(Form, Bytes)> {
        let pieces: Vec<_> =
            text.as_bytes().chunks(size).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
        let body = Body::stream(None, stream::iter(pieces));
        async {
            let (form, file) = read(TYPE, body).await?;
            Ok((form, file.collect(1 << 20).await?))
        }
        .now_or_never()
        .unwrap()
    }

    const FORM: &str = "--XX\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nup/${filename}\r\n\
        --XX\r\ncontent-disposition: form-data; name=acl; filename=\"acl\"\r\n\r\nprivate\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nhello\r\n--X\r\nworld\r\n--XX--\r\n";

    #[test]
    fn forms_in_pieces_of_every_size() {
        for size in 1..=FORM.len() {
            let (form, file) = run(FORM, size).unwrap();
            assert_eq!(form.field("key"), Some("up/a.txt"));
            assert_eq!(form.field("acl"), Some("private"));
            assert_eq!(form.content_type.as_deref(), Some("text/plain"));
            assert_eq!(file, "hello\r\n--X\r\nworld");
        }
    }

    #[test]
    fn broken_forms() {
        let field = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n";
        let long =
            format!("--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n{}", "x".repeat(30_000));
        for (text, code) in [
            ("", "MalformedPOSTRequest"),
            ("--XX", "MalformedPOSTRequest"),
            ("--XX--\r\n", "InvalidArgument"),
            (&format!("{field}--XX--\r\n"), "InvalidArgument"),
            (&format!("{field}--XXjunk\r\n\r\n"), "MalformedPOSTRequest"),
            (
                "--XX\r\nContent-Disposition: form-data\r\n\r\nb\r\n--XX--\r\n",
                "MalformedPOSTRequest",
            ),
            ("--XX\r\nno colon\r\n\r\nb\r\n--XX--\r\n", "MalformedPOSTRequest"),
            (&FORM[..FORM.len() - 6], "MalformedPOSTRequest"),
            (&long, "MaxPostPreDataLengthExceeded"),
        ] {
            for size in [1, 7, 4096] {
                assert_eq!(run(text, size).unwrap_err().code(), code, "{text:.60}");
            }
        }
        for kind in ["text/plain", "multipart/form-data", "multipart/form-data; boundary="] {
            let got = read(kind, Body::Empty).now_or_never().unwrap();
            assert!(got.is_err(), "{kind}");
        }
    }

    #[test]
    fn parameters() {
        for (header, name, want) in [
            ("form-data; name=\"a;b\"; filename=c", "filename", Some("c")),
            ("form-data; name=\"a\\\"b\"", "name", Some("a\"b")),
            ("form-data; name=\"a", "name", None),
            ("form-data; name", "name", None),
            ("form-data", "name", None),
            ("x; filename=q; name=r", "name", Some("r")),
        ] {
            assert_eq!(parameter(header, name).as_deref(), want, "{header}");
        }
    }
}
