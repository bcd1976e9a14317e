//! Links to clients: HTTP, as [`ClientEnvelope`] says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::unfold;
use quorate_plan::CLIENTS_MAX;
use quorate_systems::contract::{ClientId, Describe, Input, System};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::runtime::Ask;
use crate::protocol::{ClientEnvelope, Status};

/// The longest body of a POST, in bytes: more than any message as JSON.
const BODY_MAX: usize = 2 << 20;

/// How many lines wait for a client that reads slowly; more are dropped, as on any link.
const QUEUE_MAX: usize = 1_024;

/// The streams on which clients hear of this node.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Mutex<BTreeMap<ClientId, mpsc::Sender<Bytes>>>,
}

impl Streams {
    /// Sends a message to a client, or drops it where the client does not listen.
    pub(super) fn send<M: Describe + serde::Serialize>(&self, client: ClientId, message: &M) {
        let open = self.lock();
        let Some(queue) = open.get(&client) else { return };
        let mut line = ClientEnvelope::seal(message).to_line();
        line.push('\n');
        let _ = queue.try_send(Bytes::from(line));
    }

    /// A new stream for a client; the one that it had ends.
    fn open(&self, client: ClientId) -> mpsc::Receiver<Bytes> {
        let (queue, lines) = mpsc::channel(QUEUE_MAX);
        self.lock().insert(client, queue);
        lines
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClientId, mpsc::Sender<Bytes>>> {
        self.open.lock().expect("nobody panics while holding the streams")
    }
}

/// What the handlers share.
#[derive(Debug)]
pub(super) struct Office<S: System> {
    pub(super) streams: Arc<Streams>,
    pub(super) arrived: mpsc::Sender<Input<S::Message>>,
    pub(super) asks: mpsc::Sender<Ask>,
    /// Bodies that were no messages.
    pub(super) undecodable: Arc<AtomicU64>,
}

/// The routes of a node.
fn router<S: System>(office: Arc<Office<S>>) -> Router {
    Router::new()
        .route("/clients/{client}/messages", post(take::<S>).get(stream::<S>))
        .route("/status", get(status::<S>))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(office)
}

/// Serves clients at this address.
pub(super) async fn listen<S: System>(listener: TcpListener, office: Arc<Office<S>>) {
    // Documented never to return.
    let _ = axum::serve(listener, router(office)).await;
}

/// A message from a client.
async fn take<S: System>(
    State(office): State<Arc<Office<S>>>,
    Path(client): Path<u32>,
    body: Bytes,
) -> Response {
    let Some(client) = known(client) else { return no_such_client() };
    match read::<S>(&body) {
        Ok(message) => match office.arrived.send(Input::Request { client, message }).await {
            Ok(()) => StatusCode::ACCEPTED.into_response(),
            Err(_) => ending(),
        },
        Err(why) => {
            office.undecodable.fetch_add(1, Ordering::Relaxed);
            (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response()
        }
    }
}

fn read<S: System>(body: &[u8]) -> Result<S::Message, String> {
    let envelope: ClientEnvelope =
        serde_json::from_slice(body).map_err(|error| format!("no envelope: {error}"))?;
    envelope.open().map_err(|error| error.to_string())
}

/// A client that wants to hear.
async fn stream<S: System>(
    State(office): State<Arc<Office<S>>>,
    Path(client): Path<u32>,
) -> Response {
    let Some(client) = known(client) else { return no_such_client() };
    let lines = unfold(office.streams.open(client), |mut lines| async {
        let line = lines.recv().await?;
        Some((Ok::<_, Infallible>(line), lines))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (kind, Body::from_stream(lines)).into_response()
}

/// How the node stands, for people.
async fn status<S: System>(State(office): State<Arc<Office<S>>>) -> Response {
    let (answer, status) = oneshot::channel::<Status>();
    if office.asks.send(Ask::Status(answer)).await.is_err() {
        return ending();
    }
    match status.await {
        Ok(status) => axum::Json(status).into_response(),
        Err(_) => ending(),
    }
}

/// Clients are numbered from 0, and the administrator is the one after the last; a bound on their number bounds what is kept for them.
fn known(client: u32) -> Option<ClientId> {
    (client <= CLIENTS_MAX).then_some(ClientId(client))
}

fn no_such_client() -> Response {
    let why = format!("clients are numbered from 0 to {CLIENTS_MAX}\n");
    (StatusCode::NOT_FOUND, why).into_response()
}

fn ending() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the node is ending\n").into_response()
}
