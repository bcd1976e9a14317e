//! Bodies without frames: what is in envelopes, in records, in lines of JSON.

use std::fmt::{Debug, Write as _};

use quorate_systems::contract::{
    ClientId, ClientInput, Command, Describe, Identify, Input, Key, Keyring, NodeId, System,
    Telling, Ticket, TimerId,
};
use quorate_systems::lies::Memory;
use quorate_systems::parties::Party;
use quorate_systems::wal;
use quorate_systems::{SystemKind, WithSystem, with_system};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "planted")]
use super::planted as decoder;
use super::samples::{Samples, samples};
use super::{Numbered, every_system, small_config};
#[cfg(not(feature = "planted"))]
use wal as decoder;

use crate::{Seed, Target, memory};

/// A body is decoded or refused; what is decoded is encoded as it was, in both encodings, and can be described.
///
/// The first byte says what the others are: a message, record, observation, input of a replica or of a client as they
/// are kept in records; or as JSON a message (as clients send it) or an observation (as nodes tell it).
pub const TARGET: Target = Target {
    name: "messages",
    about: "Messages, records, observations and inputs of every system, in both encodings: one form each.",
    body,
    seeds,
    show,
};

/// As for frames; a text that claims to be a number or a list takes no more.
const HELD_PER_BYTE: usize = 128;

/// What the first byte says.
#[derive(Clone, Copy, Debug)]
enum Form {
    Message,
    Record,
    Observation,
    Input,
    ClientInput,
    MessageJson,
    ObservationJson,
}

impl Form {
    const ALL: &[Self] = &[
        Self::Message,
        Self::Record,
        Self::Observation,
        Self::Input,
        Self::ClientInput,
        Self::MessageJson,
        Self::ObservationJson,
    ];

    fn split(input: &[u8]) -> (Self, &[u8]) {
        let (first, rest) = input.split_first().unwrap_or((&0, &[]));
        let form = Self::ALL.get(usize::from(*first) % Self::ALL.len());
        (form.copied().unwrap_or(Self::Message), rest)
    }

    fn put(self, bytes: &[u8]) -> Vec<u8> {
        [&[self as u8], bytes].concat()
    }
}

fn body(input: &[u8]) {
    for kind in SystemKind::ALL {
        with_system(*kind, Feed(input));
    }
}

struct Feed<'a>(&'a [u8]);

impl WithSystem for Feed<'_> {
    type Out = ();

    fn with<S: System>(self) {
        match Form::split(self.0) {
            (Form::Message, bytes) => {
                if let Some(message) = binary::<S::Message>(bytes) {
                    look_at_message::<S>(&message);
                }
            }
            (Form::Record, bytes) => drop(binary::<S::Record>(bytes)),
            (Form::Observation, bytes) => {
                if let Some(observation) = binary::<S::Observation>(bytes) {
                    look_at_observation::<S>(&observation);
                }
            }
            (Form::Input, bytes) => drop(binary::<Input<S::Message>>(bytes)),
            (Form::ClientInput, bytes) => drop(binary::<ClientInput<S::Message>>(bytes)),
            (Form::MessageJson, bytes) => {
                if let Some(message) = json::<S::Message>(bytes) {
                    look_at_message::<S>(&message);
                }
            }
            (Form::ObservationJson, bytes) => {
                if let Some(observation) = json::<S::Observation>(bytes) {
                    look_at_observation::<S>(&observation);
                }
            }
        }
    }
}

/// Decodes what is kept in bytes. They are the only ones that mean this.
fn binary<T>(bytes: &[u8]) -> Option<T>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let value: T = memory::within(bytes.len(), HELD_PER_BYTE, || decoder::decode(bytes))?;
    let again = postcard::to_allocvec(&value).expect("what was read can be written");
    assert_eq!(again, bytes, "not as it was read: {value:?}");
    let text = serde_json::to_string(&value).expect("it can be written as JSON as well");
    let other = serde_json::from_str::<T>(&text).expect("what was written can be read");
    assert_eq!(other, value, "{text}");
    Some(value)
}

/// Decodes what is kept as JSON. A person may write it otherwise than we do, so that only the value comes back.
fn json<T>(bytes: &[u8]) -> Option<T>
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let read = || serde_json::from_slice::<T>(bytes).ok();
    let value = memory::within(bytes.len(), HELD_PER_BYTE, read)?;
    let bytes = postcard::to_allocvec(&value).expect("what was read can be written");
    assert_eq!(binary::<T>(&bytes).as_ref(), Some(&value), "not the same in both encodings");
    Some(value)
}

/// All that rules, proxies, reports and the simulator ask of a message.
fn look_at_message<S: System>(message: &S::Message) {
    let kinds = S::vocabulary().messages;
    let kind = kinds.iter().find(|kind| kind.name == message.kind());
    let kind = kind.expect("the vocabulary lists every kind");
    for field in kind.fields {
        let _ = message.field(field);
    }
    assert_eq!(message.field("no such field"), None);
    assert!(message.to_string().starts_with(message.kind()), "{message}");
    assert_eq!(message.identity(), message.clone().identity());
    let Some(config) = small_config::<S>() else { return };
    let keys = Keyring::default();
    let mut past = Memory::default();
    past.keep(Party::Client(ClientId(0)), message, 0);
    let ends = [
        (Party::Node(NodeId(0)), Party::Node(NodeId(1)), S::lies(&config)),
        (Party::Node(NodeId(0)), Party::Client(ClientId(0)), S::lies(&config)),
        (Party::Client(ClientId(0)), Party::Node(NodeId(0)), S::client_lies(&config)),
    ];
    for (me, to, lies) in ends {
        let telling = Telling {
            config: &*config,
            me,
            keys: &keys,
            to,
            message,
            said: &past,
            heard: &past,
            is_deceived: true,
            seed: 1,
            draw: u64::MAX,
        };
        for lie in lies {
            assert_eq!(S::lie(*lie, &telling), S::lie(*lie, &telling), "a lie is drawn");
        }
    }
}

fn look_at_observation<S: System>(observation: &S::Observation) {
    let kinds = S::vocabulary().observations;
    let kind = kinds.iter().find(|kind| kind.name == observation.kind());
    let kind = kind.expect("the vocabulary lists every kind");
    for field in kind.fields {
        let _ = observation.field(field);
    }
    assert!(!observation.to_string().contains('\n'), "{observation}");
}

fn seeds() -> Vec<Seed> {
    struct Bodies;
    impl WithSystem for Bodies {
        type Out = Vec<(String, Vec<u8>)>;

        fn with<S: System>(self) -> Self::Out {
            let Samples { messages, records, observations, logs: _ } = samples::<S>();
            let from = NodeId(2);
            let message = messages.first().cloned();
            let inputs = [
                message.clone().map(|message| Input::Message { from, message }),
                Some(Input::Persisted(Ticket(7))),
                Some(Input::Timer(TimerId(1))),
            ];
            let options = [("quorum", "majority"), ("members", "0,1")];
            let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let client_inputs = [
                message.map(|message| ClientInput::Message { from, message }),
                Some(ClientInput::Invoke(Command::Read { key: Key(3) })),
                Some(ClientInput::Reconfigure(options.into())),
                Some(ClientInput::GiveUp),
            ];
            let numbered = Numbered::new(S::KIND.name());
            numbered
                .named("message", messages.iter().map(|one| Form::Message.put(&binary_of(one))))
                .chain(numbered.named(
                    "message-json",
                    messages.iter().map(|one| Form::MessageJson.put(&json_of(one))),
                ))
                .chain(
                    numbered.named(
                        "record",
                        records.iter().map(|one| Form::Record.put(&binary_of(one))),
                    ),
                )
                .chain(numbered.named(
                    "observation",
                    observations.iter().map(|one| Form::Observation.put(&binary_of(one))),
                ))
                .chain(numbered.named(
                    "observation-json",
                    observations.iter().map(|one| Form::ObservationJson.put(&json_of(one))),
                ))
                .chain(numbered.named(
                    "input",
                    inputs.iter().flatten().map(|one| Form::Input.put(&binary_of(one))),
                ))
                .chain(
                    numbered.named(
                        "client-input",
                        client_inputs
                            .iter()
                            .flatten()
                            .map(|one| Form::ClientInput.put(&binary_of(one))),
                    ),
                )
                .collect()
        }
    }
    every_system(|kind| with_system(kind, Bodies))
}

fn binary_of(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("cores say what can be written")
}

fn json_of(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("cores say what can be written")
}

fn show(input: &[u8]) -> String {
    let mut shown = format!("{:?}\n", Form::split(input).0);
    for kind in SystemKind::ALL {
        let _ = writeln!(shown, "{kind}: {}", with_system(*kind, Show(input)));
    }
    shown
}

struct Show<'a>(&'a [u8]);

impl WithSystem for Show<'_> {
    type Out = String;

    fn with<S: System>(self) -> String {
        fn binary<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) -> Option<String> {
            wal::decode::<T>(bytes).map(|value| format!("{value:?}"))
        }
        fn json<T: DeserializeOwned + Debug>(bytes: &[u8]) -> Option<String> {
            serde_json::from_slice::<T>(bytes).ok().map(|value| format!("{value:?}"))
        }
        let (form, bytes) = Form::split(self.0);
        let value = match form {
            Form::Message => binary::<S::Message>(bytes),
            Form::Record => binary::<S::Record>(bytes),
            Form::Observation => binary::<S::Observation>(bytes),
            Form::Input => binary::<Input<S::Message>>(bytes),
            Form::ClientInput => binary::<ClientInput<S::Message>>(bytes),
            Form::MessageJson => json::<S::Message>(bytes),
            Form::ObservationJson => json::<S::Observation>(bytes),
        };
        value.unwrap_or_else(|| match form {
            Form::MessageJson | Form::ObservationJson => {
                format!("nothing: {}", String::from_utf8_lossy(bytes))
            }
            _ => format!("nothing: {bytes:02x?}"),
        })
    }
}
