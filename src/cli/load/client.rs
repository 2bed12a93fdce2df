//! A client of `POST /v1/ratings`, or `…/batch`, over one kept-alive connection, small enough not to be what is measured.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long an answer may take. The service answers 503 long before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// One connection.
pub(super) struct Client {
    stream: TcpStream,
    /// Request line and headers, up to the length of the body.
    head: Vec<u8>,
    request: Vec<u8>,
    answer: Answer,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr, token: &str, path: &str) -> Result<Self, Error> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new(ErrorKind::InvalidInput, "a token is printable ASCII"));
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {}\r\nContent-Length: ",
            if path.ends_with("/batch") { "application/x-ndjson" } else { "application/json" }
        );
        Ok(Self { stream, head: head.into_bytes(), request: Vec::new(), answer: Answer::default() })
    }

    /// Sends one body and reads its answer: the status and the answer's body.
    pub(super) async fn post(&mut self, body: &[u8]) -> Result<(u16, &[u8]), Error> {
        self.request.clear();
        self.request.extend_from_slice(&self.head);
        self.request.extend_from_slice(body.len().to_string().as_bytes());
        self.request.extend_from_slice(b"\r\n\r\n");
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;

        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.answer.read(&mut self.stream));
        let status = answer.await.map_err(|_| Error::new(ErrorKind::TimedOut, "no answer in time"))??;
        Ok((status, &self.answer.body))
    }
}

/// One answer as far as it came, and nothing after it: one request is in flight.
#[derive(Default)]
struct Answer {
    raw: Vec<u8>,
    /// Up to where `raw` is in `body`, or was read otherwise.
    taken: usize,
    body: Vec<u8>,
}

impl Answer {
    /// Reads it to its end; its status.
    async fn read(&mut self, stream: &mut TcpStream) -> Result<u16, Error> {
        self.taken = 0;
        self.raw.clear();
        self.body.clear();
        let mut head = None;
        loop {
            if head.is_none() {
                head = parse_head(&self.raw)?;
                self.taken = head.as_ref().map_or(0, |head| head.start);
            }
            if let Some(Head { status, length, .. }) = head
                && self.take(length)?
            {
                return Ok(status);
            }
            if self.raw.len() > ANSWER_BYTES_MAX {
                return Err(Error::new(ErrorKind::InvalidData, "the answer is too long"));
            }
            self.raw.reserve(4_096);
            if stream.read_buf(&mut self.raw).await? == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the service closed the connection"));
            }
        }
    }

    /// Moves on what came of the body, which has a length or comes in chunks; whether that was all.
    fn take(&mut self, length: Option<usize>) -> Result<bool, Error> {
        if let Some(length) = length {
            let whole = self.raw.len() - self.taken >= length;
            if whole {
                self.body.extend_from_slice(&self.raw[self.taken..self.taken + length]);
            }
            return Ok(whole);
        }
        loop {
            let rest = &self.raw[self.taken..];
            let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else { return Ok(false) };
            let size = std::str::from_utf8(&rest[..line]).ok();
            let size = size.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            let size = size.filter(|&size| size <= ANSWER_BYTES_MAX).ok_or_else(unreadable)?;
            let Some(chunk) = rest.get(line + 2..line + 2 + size + 2) else { return Ok(false) };
            self.body.extend_from_slice(&chunk[..size]);
            self.taken += line + 2 + size + 2;
            if size == 0 {
                return Ok(true);
            }
        }
    }
}

fn unreadable() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer is not HTTP/1.1 with a length or chunks")
}

/// What stands before an answer's body.
#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    /// Where the body starts.
    start: usize,
    /// Its length; `None` if it comes in chunks.
    length: Option<usize>,
}

/// The head; `None` while it is not whole.
fn parse_head(answer: &[u8]) -> Result<Option<Head>, Error> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| unreadable())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let (mut length, mut chunked) = (None, false);
    for (name, value) in headers {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok().filter(|&length| length <= ANSWER_BYTES_MAX);
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding") && value.trim() == "chunked";
    }
    if length.is_none() && !chunked {
        return Err(unreadable());
    }
    Ok(Some(Head { status, start: end + 4, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let whole = b"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..whole.len() - 2 {
            assert_eq!(parse_head(&whole[..end]).unwrap(), None);
        }
        assert_eq!(
            parse_head(whole).unwrap(),
            Some(Head { status: 422, start: whole.len() - 2, length: Some(2) })
        );
    }

    #[test]
    fn a_body_in_chunks_is_read_once_its_last_is_there() {
        let whole = b"4\r\nab\r\n\r\n1A\r\n0123456789012345678901234\n\r\n0\r\n\r\n";
        let mut answer = Answer::default();
        for (at, byte) in whole.iter().enumerate() {
            answer.raw.push(*byte);
            assert_eq!(answer.take(None).unwrap(), at + 1 == whole.len(), "{at}");
        }
        assert_eq!(answer.body, b"ab\r\n0123456789012345678901234\n");
        let mut wrong = Answer { raw: b"FFFFFFFFFFFF\r\n".to_vec(), ..Answer::default() };
        assert!(wrong.take(None).is_err());
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        for answer in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 2\r\nContent-Length: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        ] {
            assert!(parse_head(answer.as_bytes()).is_err(), "{answer}");
        }
    }
}
