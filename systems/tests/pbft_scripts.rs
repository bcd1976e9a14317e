//! Runs the scripts in `scripts/pbft`: what happens, told line by line. Its README.md tells the commands.
//!
//! `REWRITE=1 cargo test -p quorate-systems --test pbft_scripts` writes down what happens now.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]

#[path = "support/script.rs"]
mod script;
mod support;

use std::sync::Arc;

use quorate_systems::contract::{Command, NodeId, Outcome, System as _, TimerId, Value};
use quorate_systems::parties::Party;
use quorate_systems::pbft::{
    Authentication, Batch, Body, Certificate, Digest, How, Keys, Message, NewView, Pbft, Prepared,
    Proof, Proposal, Record, Said, SignedRequest, SignedViewChange, View, ViewChange,
};
use quorate_systems::smr::Slot;
use script::{Forged, Scripted, Words};
use support::{Happened, Net, Place, c, n};

const FOLDER: &str = "tests/scripts/pbft";

/// The rules of A4, and the lecture's flaws that they mend, of which each has its script.
const SUBJECTS: &[&str] = &[
    "A0, at most once",
    "A4.1, authentication",
    "A4.1, authenticators",
    "A4.3, client",
    "A4.3, normal case",
    "A4.4, checkpoints",
    "A4.5, NEW-VIEW",
    "A4.5, NULL requests",
    "A4.5, the highest view",
    "A4.5, timers",
    "A4.5, view change",
    "A4.6, catching up",
    "A4.6, reads",
    "F-B1",
    "F-B10",
    "F-B2",
    "F-B3",
    "F-B4",
    "F-B5",
    "F-B6",
    "F-B7",
    "F-B8",
    "F-B9",
];

impl Scripted for Pbft {
    const TIMERS: &'static [(&'static str, TimerId)] =
        &[("view", TimerId(0)), ("status", TimerId(1))];

    fn in_words(record: &Record) -> Option<String> {
        Some(match record {
            Record::ViewLeft { view } => format!("left all before {view}"),
            Record::ViewEntered { new_view, .. } => format!("in {}", new_view.view),
            Record::PrePrepared { view, seq, digest, .. } => format!("{seq} {view} {digest}"),
            Record::Fetched { .. } => return None,
            Record::Prepared { view, seq, digest, .. } => {
                format!("{seq} {view} {digest} prepared")
            }
            Record::Committed { seq, digest } => format!("{seq} {digest} committed"),
            Record::Stable { certificate, .. } => format!("stable {}", certificate.seq),
        })
    }

    /// Somebody on the way changes what a reply says, or a vote, and cannot sign it; or spoils a client's word for one
    /// replica, which the client's signature does not cover.
    fn forge(message: &mut Message, forged: Forged) -> bool {
        if let (Body::Request(signed), Some(node)) = (&mut message.body, forged.t) {
            let mut spoilt = (**signed).clone();
            let word = spoilt.authenticator.get_mut(usize::try_from(node).unwrap());
            let Some(word) = word else { return false };
            *word = Proof::Itself;
            *signed = Arc::new(spoilt);
            return true;
        }
        match (&mut message.body, forged.value, forged.op) {
            (Body::Reply { outcome, .. }, Some(value), None) => {
                *outcome = Outcome::Read(Some(Value(value)));
            }
            (Body::Prepare { seq, .. } | Body::Commit { seq, .. }, None, Some(op)) => {
                *seq = Slot(op);
            }
            _ => return false,
        }
        true
    }

    fn say(net: &Net<Self>, from: u16, words: &mut Words) -> Result<script::Said<Self>, String> {
        let liar = Liar::new(net, from);
        let receivers = words.values("to").ok_or("to whom?")?;
        let receivers =
            receivers.iter().map(|name| place_of(name)).collect::<Result<Vec<_>, _>>()?;
        let kind = words.kinds::<Self>()?.first().copied().ok_or("what?")?;
        let body = liar.body(kind, words)?;
        let said = receivers.into_iter().map(|to| (to, liar.message(to, body.clone())));
        Ok(said.collect())
    }
}

fn place_of(name: &str) -> Result<Place, String> {
    let number = |letter| name.strip_prefix(letter).and_then(|rest: &str| rest.parse::<u16>().ok());
    match (number('n'), number('c')) {
        (Some(node), _) => Ok(n(node)),
        (_, Some(client)) => Ok(c(client.into())),
        (None, None) => Err(format!("who is `{name}`?")),
    }
}

/// A replica that says what it likes, with its own keys.
struct Liar<'a> {
    net: &'a Net<Pbft>,
    me: NodeId,
    keys: Keys,
}

impl<'a> Liar<'a> {
    fn new(net: &'a Net<Pbft>, node: u16) -> Self {
        let me = NodeId(node);
        let ring = &net.keys.nodes[usize::from(node)];
        Self { net, me, keys: Keys::new(&net.config, ring, Party::Node(me)) }
    }

    fn message(&self, to: Place, body: Body) -> Message {
        let to = match to {
            Place::Node(node) => Party::Node(node),
            Place::Client(client) => Party::Client(client),
        };
        Message { proof: self.keys.prove(to, &body), body }
    }

    /// What a client asked for last, with its signature.
    fn request(&self, client: u32) -> Result<SignedRequest, String> {
        let asked = self.net.happened.iter().rev().find_map(|happened| match happened {
            Happened::Sent { from, message, .. } if *from == c(client) => match &message.body {
                Body::Request(signed) => Some((**signed).clone()),
                _ => None,
            },
            _ => None,
        });
        asked.ok_or_else(|| format!("c{client} has asked for nothing"))
    }

    /// `of=c0`: a batch of what that client asked for last; `of=(c0,c1)` of several; `of=null` the NULL request.
    /// `value=` is what the last of these writes in place of its own value.
    fn batch(&self, words: &mut Words) -> Result<Batch, String> {
        let mut batch = Batch::default();
        for name in words.values("of").ok_or("of what?")? {
            if let Some(client) = name.strip_prefix('c').and_then(|rest| rest.parse().ok()) {
                batch.0.push(self.request(client)?);
            } else if name != "null" {
                return Err(format!("what is `{name}`?"));
            }
        }
        if let (Some(value), Some(last)) = (words.number("value")?, batch.0.last_mut())
            && let Command::Write { value: written, .. } = &mut last.request.command
        {
            *written = Value(value);
        }
        Ok(batch)
    }

    fn place(words: &mut Words) -> Result<(View, Slot), String> {
        let view = words.number("view")?.ok_or("in which view?")?;
        Ok((View(view), Slot(words.number("seq")?.ok_or("at which seq?")?)))
    }

    fn body(&self, kind: &str, words: &mut Words) -> Result<Body, String> {
        Ok(match kind {
            "PRE-PREPARE" => {
                let (view, seq) = Self::place(words)?;
                let batch = Arc::new(self.batch(words)?);
                let digest = self.keys.batch_digest(&batch);
                Body::PrePrepare { view, seq, digest, batch }
            }
            "PREPARE" | "COMMIT" => {
                let (view, seq) = Self::place(words)?;
                let digest = self.keys.batch_digest(&self.batch(words)?);
                if kind == "PREPARE" {
                    Body::Prepare { view, seq, digest }
                } else {
                    Body::Commit { view, seq, digest }
                }
            }
            "CHECKPOINT" => {
                let seq = Slot(words.number("seq")?.ok_or("at which seq?")?);
                Body::Checkpoint { seq, digest: Digest([6; 32]) }
            }
            "COMMITTED" => {
                let seq = Slot(words.number("seq")?.ok_or("at which seq?")?);
                Body::Committed { seq, digest: self.keys.batch_digest(&self.batch(words)?) }
            }
            "REPLY" => self.reply(words)?,
            "VIEW-CHANGE" => Body::ViewChange(Arc::new(self.view_change(words)?)),
            "NEW-VIEW" => Body::NewView(Arc::new(self.new_view(words)?)),
            _ => return Err(format!("there is no lie about {kind}")),
        })
    }

    /// `REPLY of=c0 value=666`: to what that client asked for last; without a value, that it is written.
    fn reply(&self, words: &mut Words) -> Result<Body, String> {
        let asked = words.values("of").ok_or("of what?")?.concat();
        let client = asked.strip_prefix('c').and_then(|rest| rest.parse().ok());
        let number = self.request(client.ok_or("of whose?")?)?.request.number;
        let value = words.number("value")?.map(Value);
        let outcome = value.map_or(Outcome::Written, |value| Outcome::Read(Some(value)));
        let how = if words.flag("read-only") { How::ReadOnly } else { How::Committed };
        Ok(Body::Reply { view: View::FIRST, number, outcome, how })
    }

    /// That nothing is prepared, or, with `of=` and `at=`, that this was prepared at `seq` in view `at`.
    fn view_change(&self, words: &mut Words) -> Result<ViewChange, String> {
        let view = View(words.number("view")?.ok_or("for which view?")?);
        let mut prepared = Vec::new();
        if let Some(at) = words.number("at")? {
            let seq = Slot(words.number("seq")?.ok_or("at which seq?")?);
            let digest = self.keys.batch_digest(&self.batch(words)?);
            prepared.push(Prepared { view: View(at), seq, digest, votes: Vec::new() });
        }
        let stable = Certificate::default();
        Ok(ViewChange { view, stable, prepared, pre_prepared: Vec::new() })
    }

    /// From the VIEW-CHANGEs of others, and its own that nothing is prepared; with NULL at 1 to `nulls=`.
    fn new_view(&self, words: &mut Words) -> Result<NewView, String> {
        let view = View(words.number("view")?.ok_or("which?")?);
        let (stable, prepared) = (Certificate::default(), Vec::new());
        let own = ViewChange { view, stable, prepared, pre_prepared: Vec::new() };
        let proof = self.keys.sign(&Said::ViewChange(&own));
        let mut votes = vec![SignedViewChange { by: self.me, body: Arc::new(own), proof }];
        for happened in &self.net.happened {
            let Happened::Sent { from: Place::Node(by), message, .. } = happened else { continue };
            if let Body::ViewChange(body) = &message.body
                && body.view == view
                && votes.iter().all(|vote| vote.by != *by)
            {
                let (body, proof) = (body.clone(), message.proof.clone());
                votes.push(SignedViewChange { by: *by, body, proof });
            }
        }
        let nulls = words.number("nulls")?.unwrap_or(0);
        let proposals = (1..=nulls).map(|seq| self.proposal(view, Slot(seq))).collect();
        Ok(NewView { view, votes, proposals })
    }

    fn proposal(&self, view: View, seq: Slot) -> Proposal {
        let digest = Digest::NULL;
        let said = Said::PrePrepare { view, seq, digest };
        let is_signed = self.net.config.authentication == Authentication::Signatures;
        Proposal { seq, digest, proof: is_signed.then(|| self.keys.sign(&said)) }
    }
}

#[test]
fn what_happens_is_what_is_written() {
    script::play_all::<Pbft>(FOLDER);
}

#[test]
fn every_rule_has_its_script() {
    assert_eq!(script::subjects(FOLDER, &[':']), SUBJECTS);
}

/// A bug that no script plants may be one that harms nobody.
#[test]
fn every_planted_bug_has_its_schedule() {
    let scripts = script::scripts(FOLDER);
    let texts: Vec<String> =
        scripts.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for mutant in Pbft::KIND.mutants() {
        let planted = format!("mutant={mutant}");
        assert!(texts.iter().any(|text| text.contains(&planted)), "{mutant}");
    }
}
