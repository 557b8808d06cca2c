//! The items of a distributed Map: from the state's input, or from objects in S3.
//!
//! <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>

use fogbank_asl::definition::{Distributed, Reader};
use fogbank_asl::run::{MapRun as Begun, batch, weigh};
use fogbank_asl::{Fault, LARGEST};
use serde_json::{Map, Value, json};

use crate::Sfn;
use crate::record::Execution;
use crate::task::{Refused, invoke};

type Items = Result<Vec<Value>, Fault>;

/// The most items of a Map run.
const MOST: usize = 100_000;

impl Sfn {
    /// The items of a Map that was begun.
    pub async fn items(&self, e: &Execution, of: &Distributed, begun: &Begun) -> Items {
        let Some(reader) = &of.reader else {
            return Ok(begun.items.iter().map(|i| Value::clone(i)).collect());
        };
        let arguments = begun.reader.as_deref().cloned().unwrap_or_default();
        let mut items = self.read(e, reader, arguments).await?;
        let most = begun.max_items.filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok());
        items.truncate(most.unwrap_or(MOST).min(MOST));
        Ok(items)
    }

    async fn read(&self, e: &Execution, reader: &Reader, arguments: Value) -> Items {
        let caller = self.caller(e).map_err(|e| failed(e.message()))?;
        let cx = self.roles.enter(&caller, None).await.map_err(|e| failed(e.message()))?;
        let action = reader.resource.rsplit(':').next().unwrap_or_default();
        if !reader.resource.ends_with("s3:getObject")
            && !reader.resource.ends_with("s3:listObjectsV2")
        {
            return Err(failed(&format!("The resource '{}' is not supported", reader.resource)));
        }
        if action == "listObjectsV2" {
            return list(&cx, arguments).await;
        }
        let object = call(&cx, "getObject", arguments).await?;
        let text = object.get("Body").and_then(Value::as_str).unwrap_or_default();
        parse(reader, text)
    }
}

/// Reads items from the text of an object.
pub fn parse(reader: &Reader, text: &str) -> Items {
    match reader.input_type.as_deref() {
        Some("JSON") => {
            let v: Value = serde_json::from_str(text)
                .map_err(|e| failed(&format!("Attempting to map over non-iterable node. {e}")))?;
            let found = match &reader.pointer {
                Some(p) => v.pointer(p).cloned().unwrap_or_default(),
                None => v,
            };
            match found {
                Value::Array(a) => Ok(a),
                Value::Object(o) => {
                    Ok(o.into_iter().map(|(k, v)| json!({"Key": k, "Value": v})).collect())
                }
                _ => Err(failed("Attempting to map over non-iterable node.")),
            }
        }
        Some("JSONL") => {
            let lines = text.lines().filter(|l| !l.trim().is_empty());
            lines.map(|l| serde_json::from_str(l).map_err(|e| failed(&e.to_string()))).collect()
        }
        Some("CSV") => csv(reader, text),
        other => Err(failed(&format!(
            "InputType {} is not implemented by fogbank",
            other.unwrap_or("of this kind")
        ))),
    }
}

fn csv(reader: &Reader, text: &str) -> Items {
    let delimiter = match reader.delimiter.as_deref() {
        Some("PIPE") => '|',
        Some("SEMICOLON") => ';',
        Some("SPACE") => ' ',
        Some("TAB") => '\t',
        _ => ',',
    };
    let mut rows = rows(text, delimiter).into_iter();
    let headers = match reader.header_location.as_deref() {
        Some("GIVEN") => reader.headers.clone(),
        _ => rows.next().unwrap_or_default(),
    };
    if headers.is_empty() {
        return Err(failed("The CSV file has no header"));
    }
    let row = |cells: Vec<String>| {
        let cells = cells.into_iter().chain(std::iter::repeat(String::new()));
        Value::Object(headers.iter().cloned().zip(cells.map(Value::from)).collect::<Map<_, _>>())
    };
    Ok(rows.map(row).collect())
}

/// The rows of a CSV text: cells may be quoted, and hold line breaks then.
fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            c if c == delimiter && !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                if row.len() > 1 || !row[0].is_empty() {
                    out.push(std::mem::take(&mut row));
                } else {
                    row.clear();
                }
            }
            c => cell.push(c),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        out.push(row);
    }
    out
}

async fn list(cx: &fogbank_core::Cx, arguments: Value) -> Items {
    let mut items = Vec::new();
    let mut arguments = arguments;
    loop {
        let page = call(cx, "listObjectsV2", arguments.clone()).await?;
        for o in page.get("Contents").and_then(Value::as_array).into_iter().flatten() {
            let seconds = o.get("LastModified").and_then(Value::as_str);
            let seconds = seconds.and_then(|t| t.parse::<jiff::Timestamp>().ok());
            items.push(json!({
                "Etag": o.get("ETag"),
                "Key": o.get("Key"),
                "LastModified": seconds.map(jiff::Timestamp::as_second),
                "Size": o.get("Size"),
                "StorageClass": o.get("StorageClass"),
            }));
        }
        match page.get("NextContinuationToken") {
            Some(token) if items.len() < MOST => {
                if let Value::Object(o) = &mut arguments {
                    o.insert("ContinuationToken".to_owned(), token.clone());
                }
            }
            _ => return Ok(items),
        }
    }
}

async fn call(cx: &fogbank_core::Cx, action: &str, arguments: Value) -> Result<Value, Fault> {
    invoke(cx, "s3", action, arguments).await.map_err(|refused| match refused {
        Refused::Input(why) => failed(&why),
        Refused::Unknown => failed("S3 is not here"),
        Refused::Error(_, e) => failed(e.message()),
    })
}

fn failed(why: &str) -> Fault {
    Fault::plain(Some("States.ItemReaderFailed".to_owned()), Some(why.to_owned()))
}

/// The inputs of the executions, and how many items each has.
pub fn batches(
    items: Vec<Value>,
    of: &Distributed,
    begun: &Begun,
) -> Result<Vec<(Value, u64)>, Fault> {
    if of.batcher.is_none() {
        return Ok(items.into_iter().map(|i| (i, 1)).collect());
    }
    let most = begun.batch_items.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX).max(1);
    let bytes = begun.batch_bytes.and_then(|n| usize::try_from(n).ok()).unwrap_or(LARGEST);
    let bytes = bytes.min(LARGEST);
    let input = begun.batch_input.as_ref().map(|j| &*j.0);
    let mut out = Vec::new();
    let mut now: Vec<Value> = Vec::new();
    let mut size = 0;
    for item in items {
        let weight = weigh(&item);
        if !now.is_empty() && (now.len() >= most || size + weight > bytes) {
            out.push((batch(&now, input), now.len() as u64));
            now.clear();
            size = 0;
        }
        size += weight;
        now.push(item);
    }
    if !now.is_empty() {
        out.push((batch(&now, input), now.len() as u64));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn csv_cells_may_be_quoted() {
        let text = "a,b\r\n1,\"x,\"\"y\"\"\nz\"\n\n2,\n";
        let want = [vec!["a", "b"], vec!["1", "x,\"y\"\nz"], vec!["2", ""]];
        assert_eq!(rows(text, ','), want);
    }
}
