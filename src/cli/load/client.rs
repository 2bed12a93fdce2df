//! A client of `POST /v1/ratings` over one kept-alive connection, small enough not to be what is measured.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long an answer may take. The service answers 503 long before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// One connection.
pub(super) struct Client {
    stream: TcpStream,
    /// Request line and headers, up to the length of the body.
    head: Vec<u8>,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr, token: &str) -> Result<Self, Error> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::new(ErrorKind::InvalidInput, "a token is printable ASCII"));
        }
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let head = format!(
            "POST /v1/ratings HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: "
        );
        Ok(Self { stream, head: head.into_bytes(), request: Vec::new(), answer: Vec::new() })
    }

    /// Sends one body and reads its answer: the status and the answer's body.
    pub(super) async fn post(&mut self, body: &[u8]) -> Result<(u16, &[u8]), Error> {
        self.request.clear();
        self.request.extend_from_slice(&self.head);
        self.request.extend_from_slice(body.len().to_string().as_bytes());
        self.request.extend_from_slice(b"\r\n\r\n");
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;

        self.answer.clear();
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, read_answer(&mut self.stream, &mut self.answer));
        let (status, body_start) =
            answer.await.map_err(|_| Error::new(ErrorKind::TimedOut, "no answer in time"))??;
        Ok((status, &self.answer[body_start..]))
    }
}

/// Reads one answer, and nothing after it: one request is in flight. Its status, and where its body starts.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<(u16, usize), Error> {
    let mut head = None;
    loop {
        if head.is_none() {
            head = parse_head(answer)?;
        }
        if let Some((status, start, length)) = head
            && answer.len() >= start + length
        {
            return Ok((status, start));
        }
        if answer.len() > ANSWER_BYTES_MAX {
            return Err(Error::new(ErrorKind::InvalidData, "the answer is too long"));
        }
        answer.reserve(4_096);
        if stream.read_buf(answer).await? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the service closed the connection"));
        }
    }
}

/// Status, start and length of the body; `None` while the head is not whole.
fn parse_head(answer: &[u8]) -> Result<Option<(u16, usize, usize)>, Error> {
    let unreadable = || Error::new(ErrorKind::InvalidData, "the answer is not HTTP/1.1 with a length");
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| unreadable())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.and_then(|digits| digits.parse().ok()).ok_or_else(unreadable)?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .filter(|&length| length <= ANSWER_BYTES_MAX)
        .ok_or_else(unreadable)?;
    Ok(Some((status, end + 4, length)))
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
        assert_eq!(parse_head(whole).unwrap(), Some((422, whole.len() - 2, 2)));
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
