//! What a system tells about itself as data: all that plans, reports and the command line know of it.

/// A system's names: messages, options, mutants, with one sentence and a source for each.
#[derive(Clone, Copy, Debug)]
pub struct Vocabulary {
    /// The name on the command line.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Default cluster size.
    pub nodes: u16,
    /// Workloads that it can serve, by name (`"register"`); the first is its default.
    pub workloads: &'static [&'static str],
    /// How long a cluster that has just been started takes before it serves anything, at most and in milliseconds, where
    /// nothing is in its way: until its first leader is there, where none is from the beginning.
    pub warm_up_ms: u64,
    /// Message kinds, in the order of a normal operation.
    pub messages: &'static [MessageKind],
    /// What its cores tell of their transitions.
    pub observations: &'static [ObservationKind],
    /// Places that must sometimes be reached.
    pub milestones: &'static [MilestoneSpec],
    /// Options.
    pub options: &'static [OptionSpec],
    /// Planted bugs.
    pub mutants: &'static [MutantSpec],
}

/// One kind of message.
#[derive(Clone, Copy, Debug)]
pub struct MessageKind {
    /// The paper's name, as `Describe::kind` gives it.
    pub name: &'static str,
    /// What it says, in a few words.
    pub what: &'static str,
    /// Who sends it to whom.
    pub route: &'static str,
    /// Where it is described.
    pub source: &'static str,
    /// The names of its fields that rules can look at.
    pub fields: &'static [&'static str],
}

/// One kind of observation.
#[derive(Clone, Copy, Debug)]
pub struct ObservationKind {
    /// Its name, as `Describe::kind` gives it.
    pub name: &'static str,
    /// What it says, in a few words.
    pub what: &'static str,
    /// The names of its fields that rules can look at.
    pub fields: &'static [&'static str],
}

/// One place that must sometimes be reached.
#[derive(Clone, Copy, Debug)]
pub struct MilestoneSpec {
    /// Its name, as cores mark it.
    pub name: &'static str,
    /// What has happened there.
    pub what: &'static str,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name: `-o name=value`.
    pub name: &'static str,
    /// What values it takes, for people.
    pub values: &'static str,
    /// The value it has when it is not given; empty where it follows from other options.
    pub default: &'static str,
    /// What it is for.
    pub what: &'static str,
}

/// One planted bug.
#[derive(Clone, Copy, Debug)]
pub struct MutantSpec {
    /// Its catalogue name.
    pub name: &'static str,
    /// The mistake.
    pub what: &'static str,
    /// Who made or described it.
    pub source: &'static str,
    /// What a client can see of it.
    pub breaks: &'static str,
    /// The flags of `quorate run` under which it shows, to be copied from `quorate list`.
    pub flags: &'static str,
}
