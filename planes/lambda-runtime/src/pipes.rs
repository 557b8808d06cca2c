//! What the processes of an environment write, cut into log events without losing any.
//!
//! Plain output is an event per line. A runtime may instead write framed records to a pipe of its
//! own (`_LAMBDA_TELEMETRY_LOG_FD`), as AWS's runtimes do, so that a record of many lines is one
//! event: the type 0xa55a0003 (or 0001 without a time), the length, the time in microseconds, the
//! text; all big-endian.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use bytes::Bytes;
use fogbank_core::Clock;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::net::unix::pipe::Receiver;

use crate::report::Event;
use crate::{Level, Line, LogFormat, Logs, Spec};

/// A line longer than this is cut, as the largest log event is (256 KB less its overhead).
const LINE_MAX: usize = 256 * 1024 - 26;
/// What `Invoke` answers of the log.
const TAIL_MAX: usize = 4096;

/// Where an environment's events go, with the tail that the caller may ask for.
pub struct Journal {
    spec: Arc<Spec>,
    logs: Arc<dyn Logs>,
    clock: Clock,
    tail: Mutex<Vec<u8>>,
}

impl Journal {
    pub fn new(spec: Arc<Spec>, logs: Arc<dyn Logs>, clock: Clock) -> Self {
        Journal { spec, logs, clock, tail: Mutex::default() }
    }

    /// Writes a platform event.
    pub fn platform(&self, event: &Event<'_>) {
        let now = self.clock.now();
        if let Some(text) = event.line(&self.spec, now) {
            self.put(now, Line::Platform(text));
        }
    }

    fn put(&self, at: Timestamp, line: Line) {
        let mut tail = self.tail.lock();
        tail.extend_from_slice(line.text().as_bytes());
        tail.push(b'\n');
        // Cut now and then rather than each time.
        if tail.len() > 4 * TAIL_MAX {
            let from = tail.len() - TAIL_MAX;
            tail.drain(..from);
        }
        drop(tail);
        self.logs.line(at, line);
    }

    /// A line of a process's. In JSON format, what is below the function's level is left out.
    fn written(&self, at: Option<Timestamp>, text: &[u8], extension: bool) {
        let cut = &text[..text.len().min(LINE_MAX)];
        let text = String::from_utf8_lossy(cut).into_owned();
        if self.spec.log_format == LogFormat::Json
            && !extension
            && level_of(&text).is_some_and(|l| l < self.spec.app_log_level)
        {
            return;
        }
        let line = if extension { Line::Extension(text) } else { Line::Function(text) };
        self.put(at.unwrap_or_else(|| self.clock.now()), line);
    }

    /// A line as if the runtime had written it (`Task timed out …`).
    pub fn function(&self, text: &str) {
        self.put(self.clock.now(), Line::Function(text.to_owned()));
    }

    /// Starts the tail anew.
    pub fn clear_tail(&self) {
        self.tail.lock().clear();
    }

    /// The last 4 KB since [`Journal::clear_tail`].
    pub fn tail(&self) -> Bytes {
        let tail = self.tail.lock();
        Bytes::copy_from_slice(&tail[tail.len().saturating_sub(TAIL_MAX)..])
    }
}

/// The level that a JSON record names.
fn level_of(text: &str) -> Option<Level> {
    #[derive(serde::Deserialize)]
    struct Record<'a> {
        #[serde(borrow)]
        level: Option<std::borrow::Cow<'a, str>>,
    }
    if !text.starts_with('{') {
        return None;
    }
    let record: Record<'_> = serde_json::from_str(text).ok()?;
    Level::parse(&record.level?)
}

/// How a pipe's bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Lines { extension: bool },
    Frames,
}

/// One pipe. Whoever holds the lock reads what is there, so that at the end of an invocation
/// nothing is left behind in a task that has not run yet.
pub struct Pipe {
    receiver: Receiver,
    cut: Cut,
    journal: Arc<Journal>,
    pending: Mutex<Vec<u8>>,
}

impl Pipe {
    /// Reads the pipe until its end.
    ///
    /// # Errors
    /// When the descriptor is no pipe.
    pub fn start(end: OwnedFd, cut: Cut, journal: Arc<Journal>) -> std::io::Result<Arc<Pipe>> {
        let receiver = Receiver::from_owned_fd(end)?;
        let pipe = Arc::new(Pipe { receiver, cut, journal, pending: Mutex::default() });
        let reader = Arc::clone(&pipe);
        tokio::spawn(async move {
            while reader.receiver.readable().await.is_ok() && reader.pump(false) {}
        });
        Ok(pipe)
    }

    /// Reads what is there. False at the end. `direct` asks the kernel rather than the reactor,
    /// which may not have seen yet that there is something.
    fn pump(&self, direct: bool) -> bool {
        let mut pending = self.pending.lock();
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = if direct {
                rustix::io::read(&self.receiver, &mut buffer).map_err(Into::into)
            } else {
                self.receiver.try_read(&mut buffer)
            };
            match read {
                Ok(0) => {
                    self.flush(&mut pending);
                    return false;
                }
                Ok(n) => {
                    pending.extend_from_slice(&buffer[..n]);
                    let used = match self.cut {
                        Cut::Lines { extension } => self.lines(&pending, extension),
                        Cut::Frames => self.frames(&pending),
                    };
                    pending.drain(..used);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    /// Reads what is there, unfinished lines included.
    pub fn drain(&self) {
        self.pump(true);
        let mut pending = self.pending.lock();
        self.flush(&mut pending);
    }

    fn flush(&self, pending: &mut Vec<u8>) {
        if let Cut::Lines { extension } = self.cut
            && !pending.is_empty()
        {
            self.journal.written(None, pending, extension);
            pending.clear();
        }
    }

    /// Emits the whole lines and tells how many bytes they were.
    fn lines(&self, bytes: &[u8], extension: bool) -> usize {
        let mut used = 0;
        while let Some(n) = bytes[used..].iter().position(|b| *b == b'\n') {
            let line = &bytes[used..used + n];
            used += n + 1;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                self.journal.written(None, line, extension);
            }
        }
        if bytes.len() - used > LINE_MAX {
            self.journal.written(None, &bytes[used..used + LINE_MAX], extension);
            used += LINE_MAX;
        }
        used
    }

    /// Emits the whole frames and tells how many bytes they were.
    fn frames(&self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while let Some(frame) = frame(&bytes[used..]) {
            let Frame::Record { at, text, size } = frame else {
                // No frame: whatever it is, it is shown rather than lost.
                self.journal.written(None, &bytes[used..], false);
                return bytes.len();
            };
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            if !text.is_empty() {
                self.journal.written(at, text, false);
            }
            used += size;
        }
        used
    }
}

enum Frame<'a> {
    Record { at: Option<Timestamp>, text: &'a [u8], size: usize },
    Broken,
}

/// The frame at the beginning, once all of it is there.
fn frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let (kind, length) = (word(0)?, word(4)? as usize);
    if kind >> 16 != 0xa55a || length > 16 << 20 {
        return Some(Frame::Broken);
    }
    let (at, head) = if kind & 3 == 3 {
        let micros = bytes.get(8..16)?.try_into().ok().map(i64::from_be_bytes)?;
        (Timestamp::from_microsecond(micros).ok(), 16)
    } else {
        (None, 8)
    };
    let text = bytes.get(head..head + length)?;
    Some(Frame::Record { at, text, size: head + length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::spec;
    use std::io::Write;

    #[derive(Default)]
    struct Collected(Mutex<Vec<String>>);
    impl Logs for Collected {
        fn line(&self, _: Timestamp, line: Line) {
            self.0.lock().push(line.text().to_owned());
        }
    }

    fn read(spec: Spec, cut: Cut, written: &[&[u8]]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let logs = Arc::new(Collected::default());
            let to = Arc::clone(&logs) as Arc<dyn Logs>;
            let journal = Arc::new(Journal::new(Arc::new(spec), to, Clock::default()));
            let (end, mut write) = std::io::pipe().unwrap();
            let pipe = Pipe::start(end.into(), cut, journal).unwrap();
            for piece in written {
                write.write_all(piece).unwrap();
                tokio::task::yield_now().await;
                pipe.pump(true);
            }
            // The end of the pipe is seen by the task.
            drop(write);
            while Arc::strong_count(&pipe) > 1 {
                tokio::task::yield_now().await;
            }
            std::mem::take(&mut *logs.0.lock())
        })
    }

    #[test]
    fn lines_and_frames_are_events() {
        let lines = Cut::Lines { extension: false };
        assert_eq!(read(spec(), lines, &[b"a\n\nb\r\nc", b"d\nlast"]), ["a", "b", "cd", "last"]);
        let mut framed = [0xa5, 0x5a, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9].to_vec();
        framed.extend(b"x\ny\n\xa5\x5a\0\x01\0\0\0\x01z");
        assert_eq!(read(spec(), Cut::Frames, &[&framed[..7], &framed[7..]]), ["x\ny", "z"]);
        assert_eq!(read(spec(), Cut::Frames, &[b"not a frame"]), ["not a frame"]);
    }

    #[test]
    fn json_records_below_the_level_are_left_out() {
        let spec = Spec { log_format: LogFormat::Json, app_log_level: Level::Warn, ..spec() };
        let written: &[&[u8]] =
            &[b"{\"level\":\"INFO\",\"m\":1}\n{\"level\":\"ERROR\"}\nplain\n{broken\n"];
        let lines = Cut::Lines { extension: false };
        assert_eq!(read(spec, lines, written), ["{\"level\":\"ERROR\"}", "plain", "{broken"]);
    }
}
