//! Where randomness comes from: one seed, and a stream of its own for every purpose.
//!
//! A stream is a pure function of its key, so that a purpose that draws more or less than before leaves all
//! the others as they were.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

/// The seed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

/// What a stream is for. The numbers are part of the meaning of a seed: never change or reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The content of one client's n-th operation, n counted from 0.
    Operation {
        /// Which client.
        client: u32,
        /// Which of its operations.
        n: u64,
    },
    /// Which faults are likely in a run, and how strong they are.
    Swarm,
    /// When faults come and how long they last.
    FaultTimes,
    /// What the n-th fault of a class hits, n counted from 0.
    FaultContent {
        /// The class, by its place among all classes.
        class: u32,
        /// Which of them.
        n: u64,
    },
    /// Which nodes lie.
    Liars,
    /// In which order partition shapes come.
    Shapes,
    /// After how many effects of a step the n-th crash of a class comes, n counted from 0.
    MidStep {
        /// The class, by its place among all classes.
        class: u32,
        /// Which of them.
        n: u64,
    },
    /// In which nodes processes end, where nodes keep their memory in themselves.
    Mortals,
    /// Which clients lie.
    LyingClients,
    /// The plan of a run of a campaign.
    CampaignRun {
        /// The number of the run.
        index: u64,
    },
    /// Which of some runs of a campaign is live.
    CampaignLive {
        /// Which runs.
        block: u64,
    },
    /// The order in which the systems of a campaign have their turns.
    CampaignRound {
        /// In which world.
        is_live: bool,
        /// Which turns.
        round: u64,
    },
}

impl Seed {
    /// The stream for a purpose, from its beginning.
    pub fn stream(self, stream: Stream) -> ChaCha8Rng {
        let (purpose, a, b): (u64, u64, u64) = match stream {
            Stream::Operation { client, n } => (1, u64::from(client), n),
            Stream::Swarm => (2, 0, 0),
            Stream::FaultTimes => (3, 0, 0),
            Stream::FaultContent { class, n } => (4, u64::from(class), n),
            Stream::Liars => (5, 0, 0),
            Stream::Shapes => (6, 0, 0),
            Stream::MidStep { class, n } => (7, u64::from(class), n),
            Stream::Mortals => (8, 0, 0),
            Stream::LyingClients => (9, 0, 0),
            Stream::CampaignRun { index } => (10, index, 0),
            Stream::CampaignLive { block } => (11, block, 0),
            Stream::CampaignRound { is_live, round } => (12, u64::from(is_live), round),
        };
        let mut key = [0; 32];
        for (chunk, word) in key.chunks_exact_mut(8).zip([self.0, purpose, a, b]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    #[test]
    fn equal_keys_give_equal_streams_and_different_ones_do_not() {
        let first = |seed: u64, stream| Seed(seed).stream(stream).next_u64();
        let operation = |client, n| Stream::Operation { client, n };
        assert_eq!(first(7, operation(1, 2)), first(7, operation(1, 2)));
        assert_ne!(first(7, operation(1, 2)), first(8, operation(1, 2)));
        assert_ne!(first(7, operation(1, 2)), first(7, operation(2, 1)));
        assert_ne!(first(7, Stream::Swarm), first(7, Stream::FaultTimes));
    }
}
