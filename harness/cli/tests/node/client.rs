//! A client that does one operation at a time, without a proxy and without giving up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use quorate_live::protocol::ClientEnvelope;
use quorate_systems::contract::{
    Client, ClientEffect, ClientId, ClientInput, ClientStart, Command, Incarnation, LocalTime,
    NodeId, Outcome, System, TimerId,
};
use quorate_systems::keys::ClusterKeys;
use quorate_systems::mutant::Mutants;
use quorate_systems::quorum::{Message, Quorum, QuorumClient};
use tokio::sync::mpsc;

/// A client of a cluster of [`super::process::cluster`].
pub(crate) struct TestClient {
    client: u32,
    core: QuorumClient,
    http: reqwest::Client,
    nodes: Vec<SocketAddr>,
    heard: mpsc::UnboundedReceiver<(NodeId, Message)>,
    timers: BTreeMap<TimerId, Instant>,
    boot: Instant,
}

impl TestClient {
    /// Opens a stream to every node that is there; `incarnation` is higher for every later client.
    pub(crate) async fn connect(nodes: &[SocketAddr], incarnation: u64) -> Self {
        Self::connect_as(0, nodes, incarnation, &BTreeMap::new()).await
    }

    /// As [`Self::connect`], with the client's number and the cluster's options.
    pub(crate) async fn connect_as(
        client: u32,
        nodes: &[SocketAddr],
        incarnation: u64,
        options: &BTreeMap<String, String>,
    ) -> Self {
        let places = u16::try_from(nodes.len()).unwrap();
        let config = Quorum::configure(places, options, Mutants::NONE).unwrap();
        let keys = ClusterKeys::from_seed(&[7; 32], places, 1).clients.remove(0);
        let core = QuorumClient::start(ClientStart {
            me: ClientId(client),
            incarnation: Incarnation(incarnation),
            config,
            keys,
            entropy: incarnation,
        });
        let http = reqwest::Client::new();
        let (hear, heard) = mpsc::unbounded_channel();
        for (place, address) in (0..).zip(nodes) {
            let stream = http.get(url(*address, client)).send().await;
            if let Ok(stream) = stream {
                tokio::spawn(listen(NodeId(place), stream, hear.clone()));
            }
        }
        let nodes = nodes.to_vec();
        Self { client, core, http, nodes, heard, timers: BTreeMap::new(), boot: Instant::now() }
    }

    /// Does one operation.
    pub(crate) async fn run(&mut self, command: Command) -> Outcome {
        tokio::time::timeout(Duration::from_secs(20), self.run_on(command))
            .await
            .expect("the operation ends")
    }

    async fn run_on(&mut self, command: Command) -> Outcome {
        let mut input = ClientInput::Invoke(command);
        loop {
            if let Some(outcome) = self.step(input).await {
                return outcome;
            }
            input = self.next().await;
        }
    }

    async fn next(&mut self) -> ClientInput<Message> {
        let timer = self.timers.iter().min_by_key(|(_, at)| **at).map(|(id, at)| (*id, *at));
        let (id, at) = timer.unwrap_or((TimerId(0), Instant::now() + Duration::from_hours(1)));
        tokio::select! {
            Some((from, message)) = self.heard.recv() => ClientInput::Message { from, message },
            () = tokio::time::sleep_until(at.into()) => {
                self.timers.remove(&id);
                ClientInput::Timer(id)
            }
        }
    }

    async fn step(&mut self, input: ClientInput<Message>) -> Option<Outcome> {
        let now = LocalTime(u64::try_from(self.boot.elapsed().as_micros()).unwrap());
        let mut effects = Vec::new();
        self.core.step(now, input, &mut effects);
        let mut outcome = None;
        for effect in effects {
            match effect {
                ClientEffect::Send { to, message } => self.post(to, &message).await,
                ClientEffect::Complete(how) => outcome = Some(how),
                ClientEffect::SetTimer { id, max, .. } => {
                    self.timers.insert(id, Instant::now() + Duration::from_micros(max.0));
                }
                ClientEffect::CancelTimer { id } => drop(self.timers.remove(&id)),
                ClientEffect::Observe(_) | ClientEffect::Mark(_) | ClientEffect::Ignore(_) => {}
            }
        }
        outcome
    }

    /// A node that is not there hears nothing.
    async fn post(&self, to: NodeId, message: &Message) {
        let url = url(self.nodes[usize::from(to.0)], self.client);
        let body = ClientEnvelope::seal(message).to_line();
        if let Ok(answer) = self.http.post(url).body(body).send().await {
            assert_eq!(answer.status(), 202);
        }
    }
}

fn url(node: SocketAddr, client: u32) -> String {
    format!("http://{node}/clients/{client}/messages")
}

async fn listen(
    from: NodeId,
    mut stream: reqwest::Response,
    hear: mpsc::UnboundedSender<(NodeId, Message)>,
) {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = stream.chunk().await {
        text.extend_from_slice(&chunk);
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = text.drain(..=end).collect();
            let envelope: ClientEnvelope = serde_json::from_slice(&line).unwrap();
            if hear.send((from, envelope.open().unwrap())).is_err() {
                return;
            }
        }
    }
}
