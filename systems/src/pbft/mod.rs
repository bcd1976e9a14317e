//! State machine replication by Practical Byzantine Fault Tolerance (Castro and Liskov, OSDI 1999 and TOCS 2002).

mod authentication;
mod certificates;
mod describe;
mod digest;
mod lies;
mod message;
mod options;
mod proof;
mod view;
mod vocabulary;

pub use authentication::{Keys, Said};
pub use certificates::{
    Decision, decide, is_new_view_valid, is_stable, is_view_change_valid, view_changes_needed,
};
pub use digest::Digest;
pub use message::{
    Batch, Body, Certificate, How, Message, NewView, Observation, PrePrepared, Prepared, Proposal,
    Record, SignedRequest, SignedViewChange, ViewChange, Vote,
};
pub use options::{Authentication, Config, Execution, Reads};
pub use proof::{Authenticator, Proof};
pub use view::View;
