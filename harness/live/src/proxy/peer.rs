//! Peer links: frames over TCP on both sides.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_systems::vocabulary::Vocabulary;
use quorate_systems::wire::kind_name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::frames::Splitter;
use super::link::Link;

/// How long to wait after a failed `accept` (no file descriptors left) before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes the frames that one node sends to another, one connection after the other: a node that starts
/// again connects anew, after its old connection has ended and been read to its end.
pub(super) async fn take(listener: TcpListener, link: Arc<Link>, vocabulary: &'static Vocabulary) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => read_frames(stream, &link, vocabulary).await,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn read_frames(mut stream: TcpStream, link: &Link, vocabulary: &Vocabulary) {
    let mut splitter = Splitter::default();
    while let Ok(1..) = stream.read_buf(splitter.buffer()).await {
        let Ok(frames) = splitter.frames() else {
            return link.unreadable();
        };
        for frame in frames {
            // A kind that the vocabulary lacks is the receiver's business; the rules know it by no name.
            let kind = kind_name(vocabulary, frame.kind).unwrap_or_default();
            link.offer(kind, frame.bytes);
        }
    }
}

/// Hands the frames of a link to their receiver, wherever it listens now. A frame for a node that is not
/// there is lost; so may be the first ones after it went away, as on any connection.
pub(super) async fn hand_over(link: Arc<Link>, mut address: watch::Receiver<Option<SocketAddr>>) {
    let mut stream: Option<TcpStream> = None;
    loop {
        let parcel = link.next().await;
        let moved = address.has_changed().unwrap_or(false);
        if moved || stream.as_ref().is_some_and(has_ended) {
            stream = None;
        }
        if stream.is_none() {
            let at = *address.borrow_and_update();
            stream = connect(at).await;
        }
        let sent = match &mut stream {
            Some(stream) => stream.write_all(&parcel.message).await.is_ok(),
            None => false,
        };
        if sent {
            link.delivered(&parcel);
        } else {
            stream = None;
            link.undeliverable();
        }
    }
}

async fn connect(address: Option<SocketAddr>) -> Option<TcpStream> {
    let stream = TcpStream::connect(address?).await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// Whether the receiver has closed its end. It never sends anything, so all that can be read is the end.
fn has_ended(stream: &TcpStream) -> bool {
    !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
