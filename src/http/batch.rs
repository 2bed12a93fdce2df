//! `POST /v1/ratings/batch`: NDJSON in, NDJSON verdicts out, in order, while the batch is still coming.
//!
//! Two tasks with short queues between them: one reads and splits, one has the lines scored and writes.
//! A full queue holds up the task before it and at last the sender, so a batch of any length takes the
//! same memory. A sender that does not read its answers is held up likewise, once the queue of answers
//! ([`ANSWERS_QUEUED`] chunks) is full.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::auth::Call;
use super::backend::Backend;
use super::lines::{Line, LineSplitter};
use super::problem::Problem;
use super::ratings::{next_data, require_media_type};
use super::{App, CallResult, response_of};

/// Most lines that go to the service at once. Enough to fill a group commit, few enough that the first
/// answers come soon.
const CHUNK_LINES: usize = 512;
/// Chunks of lines that wait for the service.
const CHUNKS_QUEUED: usize = 8;
/// Chunks of answers that wait for the sender to read them.
const ANSWERS_QUEUED: usize = 32;

/// The media types that a batch may have.
const MEDIA_TYPES: [&str; 5] = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "text/plain",
];

/// What the reader hands on: a line, or the end of the batch before its time.
enum Piece {
    Line(Line),
    /// Number of the line at which it ended, and why.
    Ended(u64, Problem),
}

/// The call.
pub(super) async fn submit<B: Backend>(State(app): State<Arc<App<B>>>, request: Request) -> Response<Body> {
    response_of(begin(app, request).await)
}

async fn begin<B: Backend>(app: Arc<App<B>>, request: Request) -> CallResult {
    app.admit(request.headers(), Call::Submit).await?;
    require_media_type(request.headers(), &MEDIA_TYPES)?;
    let place = app.batch_place()?;

    let (to_score, chunks) = mpsc::channel(CHUNKS_QUEUED);
    let (to_sender, answers) = mpsc::channel(ANSWERS_QUEUED);
    tokio::spawn(read(Arc::clone(&app), request.into_body(), to_score));
    tokio::spawn(score(app, chunks, to_sender, place));

    let mut response = Response::new(Body::from_stream(ReceiverStream::new(answers)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    Ok(response)
}

/// Reads and splits until the body ends, a bound is met, the service stops, or nobody wants the answers.
async fn read<B: Backend>(app: Arc<App<B>>, mut body: Body, chunks: mpsc::Sender<Vec<Piece>>) {
    let mut splitter = LineSplitter::new(app.limits.body_bytes_max);
    let mut stopping = app.stopping.clone();
    let idle = Duration::from_secs(app.limits.batch_idle_s);
    let mut lines = Vec::new();
    loop {
        let data: Result<Option<Bytes>, Problem> = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => Err(Problem::unavailable("it is stopping")),
            data = tokio::time::timeout(idle, next_data(&mut body)) => {
                data.unwrap_or_else(|_| Err(Problem::slow_body(app.limits.batch_idle_s)))
            }
        };
        let mut end = None;
        match data {
            Ok(Some(ref data)) => splitter.push(data, &mut lines),
            Ok(None) => splitter.finish(&mut lines),
            Err(ref problem) => end = Some((splitter.number(), problem.clone())),
        }
        let over = lines.iter().position(|line| line.number() > app.limits.batch_lines_max);
        if let Some(over) = over {
            lines.truncate(over);
            let limit = app.limits.batch_lines_max;
            end = Some((limit + 1, Problem::too_many_lines(limit)));
        }
        let ends = end.is_some() || matches!(data, Ok(None));
        let mut pieces: Vec<Piece> = lines.drain(..).map(Piece::Line).collect();
        pieces.extend(end.map(|(number, problem)| Piece::Ended(number, problem)));
        while !pieces.is_empty() {
            let rest = pieces.split_off(pieces.len().min(CHUNK_LINES));
            if chunks.send(std::mem::replace(&mut pieces, rest)).await.is_err() {
                return;
            }
        }
        if ends {
            return;
        }
    }
}

/// Has each chunk scored and writes its answers, until there is no more or the sender takes none.
async fn score<B: Backend>(
    app: Arc<App<B>>,
    mut chunks: mpsc::Receiver<Vec<Piece>>,
    answers: mpsc::Sender<Result<Bytes, Infallible>>,
    _place: OwnedSemaphorePermit,
) {
    let idle = Duration::from_secs(app.limits.batch_idle_s);
    while let Some(mut chunk) = chunks.recv().await {
        // A chunk is what came in one piece, which may be a line or two; what waits behind it shares its
        // commit.
        while chunk.len() < CHUNK_LINES {
            let Ok(more) = chunks.try_recv() else { break };
            chunk.extend(more);
        }
        let written = answers_of(&app, chunk).await;
        if !matches!(tokio::time::timeout(idle, answers.send(Ok(written.into()))).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// One line of answer for each piece, in their order.
async fn answers_of<B: Backend>(app: &App<B>, chunk: Vec<Piece>) -> Vec<u8> {
    let lines: Vec<Bytes> = chunk
        .iter()
        .filter_map(|piece| match piece {
            Piece::Line(Line::Whole(_, bytes)) => Some(bytes.clone()),
            _ => None,
        })
        .collect();
    let mut scored = match lines.is_empty() {
        true => Vec::new(),
        false => app.backend.submit_batch(lines).await,
    }
    .into_iter();
    let mut written = Vec::new();
    for piece in chunk {
        match piece {
            Piece::Line(Line::Whole(number, _)) => {
                // A backend that answers fewer lines than it got is one that stopped meanwhile.
                let answer = scored.next().unwrap_or(super::backend::Answer::Stopping);
                match Vec::try_from(answer) {
                    Ok(mut verdict) => {
                        written.append(&mut verdict);
                        written.push(b'\n');
                    }
                    Err(problem) => written.append(&mut problem.as_line(number)),
                }
            }
            Piece::Line(Line::Overlong(number)) => {
                written.append(&mut Problem::too_large(app.limits.body_bytes_max).as_line(number));
            }
            Piece::Ended(number, problem) => written.append(&mut problem.as_line(number)),
        }
    }
    written
}
