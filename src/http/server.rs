//! Sockets: accepts connections within their bound, serves them, and drains them when the service stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::backend::Backend;
use super::{App, Peer, ratings, router};

/// How long to wait before accepting again where the process has no more file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Read and write buffer of a connection, in bytes, where the longest head does not need more.
const BUFFER_BYTES: usize = 65_536;

/// Accepts and serves until [`App::stopping`] turns true; then takes no more, lets requests in flight
/// finish, and returns. `false` if some had not finished within the grace.
pub async fn serve<B: Backend>(listener: TcpListener, app: Arc<App<B>>) -> bool {
    let connections_max = app.limits.connections_max;
    let places = Arc::new(Semaphore::new(connections_max));
    let router = TowerToHyperService::new(router(Arc::clone(&app)));
    let mut stopping = app.stopping.clone();
    loop {
        let accept = async {
            // A closed semaphore cannot be met: nothing closes it.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            match listener.accept().await {
                Ok((socket, peer)) => Some((place, socket, Peer(peer))),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    None
                }
            }
        };
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stopping) => break,
            accepted = accept => accepted,
        };
        let Some((place, socket, peer)) = accepted else { continue };
        let (app, router) = (Arc::clone(&app), router.clone());
        tokio::spawn(async move {
            app.metrics.connections.inc();
            serve_connection(&app, router, socket, peer).await;
            app.metrics.connections.dec();
            drop(place);
        });
    }
    drop(listener);
    let grace = Duration::from_secs(app.limits.shutdown_grace_s);
    // The configuration bounds connections_max far below u32::MAX.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    tokio::time::timeout(grace, places.acquire_many(all)).await.is_ok()
}

async fn serve_connection<B: Backend>(
    app: &Arc<App<B>>,
    router: TowerToHyperService<axum::Router>,
    socket: TcpStream,
    peer: Peer,
) {
    // An answer is one small write; waiting to fill a packet would only add to its time.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = service_fn(move |request| answer(Arc::clone(app), router.clone(), peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(app.limits.head_timeout_s))
        .max_buf_size(app.limits.head_bytes_max.max(BUFFER_BYTES))
        .max_header_size(app.limits.head_bytes_max)
        .max_headers(app.limits.headers_max)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let mut stopping = app.stopping.clone();
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer<B: Backend>(
    app: Arc<App<B>>,
    router: TowerToHyperService<axum::Router>,
    peer: Peer,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::POST && request.uri().path() == ratings::ROUTE {
        return Ok(ratings::direct(&app, request).await);
    }
    request.extensions_mut().insert(peer);
    router.call(request).await
}

/// Returns when the service begins to stop, which it also does if nobody is left to say so.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
