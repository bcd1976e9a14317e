//! State machine replication by Practical Byzantine Fault Tolerance (Castro and Liskov, OSDI 1999 and TOCS 2002).

mod digest;
mod message;
mod options;
mod proof;
mod view;
mod vocabulary;

pub use digest::Digest;
pub use message::{
    Batch, Body, Certificate, How, Message, NewView, Observation, PrePrepared, Prepared, Proposal,
    Record, SignedRequest, SignedViewChange, ViewChange, Vote,
};
pub use options::{Authentication, Config, Execution, Reads};
pub use proof::{Authenticator, Proof};
pub use view::View;
