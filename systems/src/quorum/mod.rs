//! Replicated registers over quorums.

/// The system of replicated registers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quorum;
