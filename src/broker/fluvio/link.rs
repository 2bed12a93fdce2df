//! One connection to one server: requests with a time limit, without a task behind them.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::Cursor;
use std::os::fd::RawFd;
use std::pin::pin;
use std::time::{Duration, Instant};

use ::fluvio::dataplane::Decoder;
use ::fluvio::dataplane::api::{Request, RequestMessage};
use bytes::BytesMut;
use fluvio_socket::{ClientConfig, FluvioSocket, Versions};
use tokio_stream::Stream;

/// Name of this program in the servers' logs.
const CLIENT: &str = "zhenping";

/// Runs a future on this thread. The reactor runs on it too, which saves a change of threads per answer.
pub(super) fn block_on<T: 'static>(work: impl Future<Output = T>) -> T {
    fluvio_future::task::run_block_on(work)
}

/// The work's result, or `None` when the limit comes first.
pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    fluvio_future::future::or(async { Some(work.await) }, async {
        fluvio_future::timer::sleep(limit).await;
        None
    })
    .await
}

/// Sleeps.
pub(super) async fn sleep(time: Duration) {
    fluvio_future::timer::sleep(time).await;
}

/// Why a connection is of no more use.
#[derive(Debug)]
pub(super) enum LinkError {
    /// It broke, or no answer came in time.
    Lost(String),
    /// The server does not know what was asked.
    Unsupported(String),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (Self::Lost(why) | Self::Unsupported(why)) = self;
        f.write_str(why)
    }
}

/// A frame that came: which request it answers, and the rest of it.
pub(super) struct Frame {
    pub(super) id: i32,
    body: Cursor<BytesMut>,
}

impl Frame {
    /// The answer in it, as of the version that was asked in.
    pub(super) fn decode<R: Request>(mut self, version: i16) -> Result<R::Response, LinkError> {
        R::Response::decode_from(&mut self.body, version)
            .map_err(|error| LinkError::Lost(format!("an answer makes no sense: {error}")))
    }
}

/// Switches an option of a TCP connection on. It saves time alone, so that a refusal does not matter.
fn switch_on(socket: RawFd, option: libc::c_int) {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which lives until the call returns.
    unsafe {
        libc::setsockopt(
            socket,
            libc::IPPROTO_TCP,
            option,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        );
    }
}

/// A connection. After an error it is dropped, since an answer to an earlier request may still come.
pub(super) struct Link {
    socket: FluvioSocket,
    versions: Versions,
    last_id: i32,
}

impl Link {
    /// Connects, and exchanges protocol versions.
    pub(super) async fn open(config: ClientConfig, limit: Duration) -> Result<Self, LinkError> {
        let address = config.addr().to_owned();
        let connected = within(limit, config.connect()).await;
        let connected = connected
            .ok_or_else(|| LinkError::Lost(format!("{address} did not answer within {limit:?}")))?
            .map_err(|error| LinkError::Lost(format!("{address}: {error}")))?;
        let (socket, _, versions) = connected.split();
        // The end of a request is sent at once, and does not wait until the rest is acknowledged.
        switch_on(socket.id(), libc::TCP_NODELAY);
        Ok(Self { socket, versions, last_id: 0 })
    }

    /// The platform version that the server says it is.
    pub(super) fn platform(&self) -> (u64, u64, u64) {
        let version = self.versions.platform_version();
        (version.major, version.minor, version.patch)
    }

    /// Sends a request. Gives its id, and the version that its answer is in.
    pub(super) async fn send<R: Request>(
        &mut self,
        request: R,
        limit: Duration,
    ) -> Result<(i32, i16), LinkError> {
        let version = self.versions.lookup_version::<R>().ok_or_else(|| {
            let platform = self.versions.platform_version();
            LinkError::Unsupported(format!("platform {platform} does not know request {}", R::API_KEY))
        })?;
        self.last_id = self.last_id.wrapping_add(1);
        let mut message = RequestMessage::new_request(request);
        let header = message.get_mut_header();
        header.set_correlation_id(self.last_id);
        header.set_client_id(CLIENT);
        header.set_api_version(version);
        within(limit, self.socket.get_mut_sink().send_request(&message))
            .await
            .ok_or_else(|| LinkError::Lost(format!("a request was not taken within {limit:?}")))?
            .map_err(|error| LinkError::Lost(error.to_string()))?;
        Ok((self.last_id, version))
    }

    /// The next frame; `None` when none came until the deadline.
    pub(super) async fn frame(&mut self, deadline: Instant) -> Result<Option<Frame>, LinkError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let socket = self.socket.id();
        let mut frames = pin!(self.socket.get_mut_stream().get_mut_tcp_stream());
        let next = poll_fn(|context| {
            let next = frames.as_mut().poll_next(context);
            // Servers send an answer in parts, each after the one before is acknowledged. The system takes
            // 40 ms to acknowledge a short part, unless it is asked each time.
            #[cfg(target_os = "linux")]
            if next.is_pending() {
                switch_on(socket, libc::TCP_QUICKACK);
            }
            next
        });
        let Some(next) = within(left, next).await else { return Ok(None) };
        let bytes = next
            .ok_or_else(|| LinkError::Lost("the server closed the connection".to_owned()))?
            .map_err(|error| LinkError::Lost(error.to_string()))?;
        let mut body = Cursor::new(bytes);
        let id = i32::decode_from(&mut body, 0).map_err(|error| LinkError::Lost(error.to_string()))?;
        Ok(Some(Frame { id, body }))
    }

    /// Sends a request and waits for its answer.
    pub(super) async fn call<R: Request>(
        &mut self,
        request: R,
        limit: Duration,
    ) -> Result<R::Response, LinkError> {
        let deadline = Instant::now() + limit;
        let (id, version) = self.send(request, limit).await?;
        while let Some(frame) = self.frame(deadline).await? {
            if frame.id == id {
                return frame.decode::<R>(version);
            }
        }
        Err(LinkError::Lost(format!("no answer within {limit:?}")))
    }
}
