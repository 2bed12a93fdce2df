//! A client that sends exactly the bytes it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use zhenping::access::Role;

use crate::fake::Running;

/// Longer than anything here takes; a test that meets it fails rather than hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The problem that it is, which says its status and what to do.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {problem}");
        }
        problem
    }
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends what it can to a server that may close meanwhile.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Reads one more piece; `false` at the end.
    fn more(&mut self) -> bool {
        let mut piece = [0; 65_536];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                self.read.extend_from_slice(&piece[..length]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// Whether the server closes without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// Reads up to and with a mark.
    pub fn until(&mut self, mark: &str) -> String {
        loop {
            let mark = mark.as_bytes();
            if let Some(start) = self.read.windows(mark.len()).position(|window| window == mark) {
                return String::from_utf8(self.read.drain(..start + mark.len()).collect()).unwrap();
            }
            assert!(self.more(), "the connection ended after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// Reads the status and headers of an answer.
    pub fn head(&mut self) -> Answer {
        let head = self.until("\r\n\r\n");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers =
            lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into()));
        Answer { status, headers: headers.collect(), body: Vec::new() }
    }

    /// Reads a piece of a chunked body; `None` at its end.
    pub fn chunk(&mut self) -> Option<String> {
        let length = usize::from_str_radix(self.until("\r\n").trim_end(), 16).unwrap();
        while self.read.len() < length + 2 {
            assert!(self.more(), "the body broke off");
        }
        let chunk = self.read.drain(..length).collect();
        self.read.drain(..2);
        (length > 0).then(|| String::from_utf8(chunk).unwrap())
    }

    /// Reads a whole answer.
    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk() {
                answer.body.extend(chunk.into_bytes());
            }
        } else {
            let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
            while self.read.len() < length {
                assert!(self.more(), "the body broke off");
            }
            answer.body = self.read.drain(..length).collect();
        }
        answer
    }
}

impl Running {
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Request line and headers, without the blank line.
    pub fn head(&self, method: &str, target: &str, role: Option<Role>) -> String {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.address);
        if let Some(role) = role {
            head += &format!("Authorization: Bearer {}\r\n", self.token(role));
        }
        head
    }

    pub fn call(&self, method: &str, target: &str, role: Option<Role>) -> Answer {
        let mut connection = self.connect();
        connection.send(self.head(method, target, role) + "\r\n");
        connection.answer()
    }

    pub fn get(&self, target: &str, role: Role) -> Answer {
        self.call("GET", target, Some(role))
    }

    pub fn post(&self, target: &str, role: Option<Role>, media_type: &str, body: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.send(self.post_bytes(target, role, media_type, body));
        connection.answer()
    }

    pub fn post_json(&self, target: &str, role: Role, body: &Value) -> Answer {
        self.post(target, Some(role), "application/json", body.to_string().as_bytes())
    }

    pub fn post_bytes(&self, target: &str, role: Option<Role>, media_type: &str, body: &[u8]) -> Vec<u8> {
        let head = self.head("POST", target, role);
        let head = format!("{head}Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    /// One rating by intake.
    pub fn rate(&self, body: impl AsRef<[u8]>) -> Answer {
        self.post("/v1/ratings", Some(Role::Intake), "application/json", body.as_ref())
    }
}

/// A rating as JSON.
pub fn rating(id: &str, stars: u8) -> String {
    format!(r#"{{"rating_id":"{id}","stars":{stars}}}"#)
}
