//! Client links: HTTP on both sides, one message at a time.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::stream;
use reqwest::Url;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};

use super::link::Link;

/// How long to wait before a broken stream to a node that should be there is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(20);

/// Lines that one client's stream holds when the client is slow to read.
const STREAM_LINES_MAX: usize = 1_024;

/// A longer line is no message.
const LINE_MAX: usize = 1 << 21;

/// Where clients come to speak with one node.
#[derive(Debug)]
pub(super) struct Door {
    /// By the client's number.
    pub(super) clients: Vec<Visitor>,
}

/// One client at a door.
#[derive(Debug)]
pub(super) struct Visitor {
    /// From the client to the node.
    pub(super) up: Arc<Link>,
    /// The client's open stream, for what comes from the node.
    pub(super) outlet: Arc<Outlet>,
}

/// The open stream to one client, if it has one.
#[derive(Debug, Default)]
pub(super) struct Outlet(Mutex<Option<mpsc::Sender<Bytes>>>);

impl Outlet {
    /// A new stream, in place of an older one, which ends.
    fn open(&self) -> mpsc::Receiver<Bytes> {
        let (sender, receiver) = mpsc::channel(STREAM_LINES_MAX);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Whether the line could be given to the client.
    fn send(&self, line: Bytes) -> bool {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().is_some_and(|sender| sender.try_send(line).is_ok())
    }
}

/// The routes of a door.
pub(super) fn routes(door: Arc<Door>) -> Router {
    Router::new()
        .route("/clients/{client}/messages", post(take_message).get(open_stream))
        .with_state(door)
}

async fn take_message(
    State(door): State<Arc<Door>>,
    Path(client): Path<usize>,
    body: Bytes,
) -> StatusCode {
    let Some(visitor) = door.clients.get(client) else {
        return StatusCode::NOT_FOUND;
    };
    let Ok(envelope) = serde_json::from_slice::<View<'_>>(&body) else {
        visitor.up.unreadable();
        return StatusCode::BAD_REQUEST;
    };
    visitor.up.offer(&envelope.kind, body.clone());
    StatusCode::ACCEPTED
}

async fn open_stream(
    State(door): State<Arc<Door>>,
    Path(client): Path<usize>,
) -> Result<Body, StatusCode> {
    let visitor = door.clients.get(client).ok_or(StatusCode::NOT_FOUND)?;
    let lines = stream::unfold(visitor.outlet.open(), async |mut lines| {
        let line = lines.recv().await?;
        Some((Ok::<_, Infallible>(line), lines))
    });
    Ok(Body::from_stream(lines))
}

/// Posts a client's messages to the node, one after the other, so that they keep their order. A message
/// for a stopped node waits until the node goes on or is gone.
pub(super) async fn post_messages(
    link: Arc<Link>,
    client: u32,
    http: reqwest::Client,
    mut address: watch::Receiver<Option<SocketAddr>>,
) {
    let mut url: Option<Url> = None;
    loop {
        let parcel = link.next().await;
        if url.is_none() || address.has_changed().unwrap_or(false) {
            url = messages_of(client, *address.borrow_and_update());
        }
        let posted = match url.clone() {
            None => false,
            Some(at) => {
                let answer = http.post(at).body(parcel.message.clone()).send();
                tokio::select! {
                    // A refusal has arrived as well: that of a damaged message is the point of it.
                    answer = answer => answer.is_ok(),
                    Ok(()) = address.changed() => {
                        url = None;
                        false
                    }
                }
            }
        };
        if posted {
            link.delivered(&parcel);
        } else {
            link.undeliverable();
        }
    }
}

/// Holds a stream open to the node for one client, whenever the node is there, and offers its lines to the
/// link.
pub(super) async fn follow_stream(
    link: Arc<Link>,
    client: u32,
    http: reqwest::Client,
    mut address: watch::Receiver<Option<SocketAddr>>,
) {
    loop {
        let at = *address.borrow_and_update();
        if let Some(url) = messages_of(client, at) {
            tokio::select! {
                () = offer_lines(&link, &http, url) => tokio::time::sleep(REOPEN_PAUSE).await,
                Ok(()) = address.changed() => address.mark_changed(),
            }
        } else if address.changed().await.is_err() {
            return;
        } else {
            address.mark_changed();
        }
    }
}

async fn offer_lines(link: &Link, http: &reqwest::Client, url: Url) {
    let Ok(mut answer) = http.get(url).send().await else { return };
    let mut unread = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        unread.extend_from_slice(&chunk);
        let mut rest = unread.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (message, behind) = rest.split_at(end + 1);
            offer_line(link, message);
            rest = behind;
        }
        let used = unread.len() - rest.len();
        unread.drain(..used);
        if unread.len() > LINE_MAX {
            return link.unreadable();
        }
    }
}

fn offer_line(link: &Link, message: &[u8]) {
    match serde_json::from_slice::<View<'_>>(message) {
        Ok(envelope) => link.offer(&envelope.kind, Bytes::copy_from_slice(message)),
        Err(_) => link.unreadable(),
    }
}

/// Hands the node's messages to the client's open stream.
pub(super) async fn hand_over(link: Arc<Link>, outlet: Arc<Outlet>) {
    loop {
        let parcel = link.next().await;
        if outlet.send(parcel.message.clone()) {
            link.delivered(&parcel);
        } else {
            link.undeliverable();
        }
    }
}

/// Where a client's messages go to and come from at a door or at a node.
pub(crate) fn messages_of(client: u32, address: Option<SocketAddr>) -> Option<Url> {
    Url::parse(&format!("http://{}/clients/{client}/messages", address?)).ok()
}

/// An envelope as far as the proxy looks into it.
#[derive(Deserialize)]
struct View<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// Changes one digit or letter of an envelope's body into another. It stays JSON where it can, so that it
/// is the checksum that has to notice: one changed byte is a burst that no CRC-32 misses.
pub(super) fn damage(message: &Bytes, draw: u64) -> Bytes {
    let mut bytes = message.to_vec();
    let Some(body) = body_range(message) else { return message.clone() };
    let Some(body) = bytes.get_mut(body) else { return message.clone() };
    let is_text = |byte: &u8| byte.is_ascii_alphanumeric();
    let count = body.iter().filter(|byte| is_text(byte)).count();
    let place = usize::try_from(draw >> 8).ok().and_then(|draw| draw.checked_rem(count));
    let Some(byte) = place.and_then(|place| body.iter_mut().filter(|b| is_text(b)).nth(place))
    else {
        return message.clone();
    };
    let alphabet: &[u8] = if byte.is_ascii_digit() { b"123456789" } else { b"abcdefghijklm" };
    let others: Vec<u8> = alphabet.iter().copied().filter(|other| other != byte).collect();
    let choice = usize::try_from(draw & 0xFF).ok().and_then(|draw| draw.checked_rem(others.len()));
    if let Some(other) = choice.and_then(|choice| others.get(choice)) {
        *byte = *other;
    }
    bytes.into()
}

/// Where the body stands in an envelope's bytes.
fn body_range(message: &Bytes) -> Option<std::ops::Range<usize>> {
    let view = serde_json::from_slice::<View<'_>>(message).ok()?;
    let body = view.body.get();
    // The view borrows from the message, so that this is the distance between two places in it.
    let start = (body.as_ptr() as usize).checked_sub(message.as_ptr() as usize)?;
    Some(start..start + body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ClientEnvelope;
    use crate::samples::Note;

    #[test]
    fn no_damage_passes_the_checksum_and_most_of_it_is_still_json() {
        let message = Bytes::from(ClientEnvelope::seal(&Note(1_234_567)).to_line());
        for n in 0..2_000_u64 {
            let damaged = damage(&message, n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            assert_ne!(damaged, message);
            let envelope: ClientEnvelope = serde_json::from_slice(&damaged).unwrap();
            assert!(envelope.open::<Note>().is_err(), "draw {n}");
        }
    }
}
