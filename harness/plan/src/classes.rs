//! The classes of faults, by name.

use std::fmt;
use std::str::FromStr;

use crate::{Disk, Fault, FaultClass};

impl FaultClass {
    /// Every class, in the order in which they are listed to people.
    pub const ALL: &[Self] = &[
        Self::Partition,
        Self::Delay,
        Self::Loss,
        Self::Duplicate,
        Self::Reorder,
        Self::Corrupt,
        Self::Kill,
        Self::PowerLoss,
        Self::Pause,
        Self::Clock,
        Self::DiskFull,
        Self::IoError,
        Self::FlippedBit,
        Self::CutTail,
        Self::Byzantine,
        Self::Reconfigure,
        Self::ByzantineClients,
    ];

    /// Those of a run that asks for nothing else.
    pub const DEFAULT: &[Self] = &[Self::Partition, Self::Kill];

    /// Its name in plans, histories and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Corrupt => "corrupt",
            Self::Kill => "kill",
            Self::PowerLoss => "power-loss",
            Self::Pause => "pause",
            Self::Clock => "clock",
            Self::DiskFull => "disk-full",
            Self::IoError => "io-error",
            Self::FlippedBit => "flipped-bit",
            Self::CutTail => "cut-tail",
            Self::Byzantine => "byzantine",
            Self::Reconfigure => "reconfigure",
            Self::ByzantineClients => "byzantine-clients",
        }
    }

    /// Whether a disk does not do what it should.
    pub const fn is_of_disk(self) -> bool {
        matches!(self, Self::DiskFull | Self::IoError | Self::FlippedBit | Self::CutTail)
    }

    /// Whether processes end, and are started again: what they had in their memory is gone.
    pub const fn ends_processes(self) -> bool {
        matches!(self, Self::Kill | Self::PowerLoss) || self.is_of_disk()
    }

    /// What it does, in a few words.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Partition => "messages between some nodes and clients are dropped",
            Self::Delay => "messages take longer",
            Self::Loss => "some messages get lost",
            Self::Duplicate => "some messages arrive twice",
            Self::Reorder => "some messages are overtaken by later ones",
            Self::Corrupt => "bytes of some messages are changed on the way",
            Self::Kill => "processes are killed and started again",
            Self::PowerLoss => "processes are killed, and what was not fsynced is lost",
            Self::Pause => "processes are stopped and go on later",
            Self::Clock => "clocks jump, and go too fast or too slow",
            Self::DiskFull => "a disk has no space left",
            Self::IoError => "a disk reports an error from fsync",
            Self::FlippedBit => "a bit of a record on disk is flipped",
            Self::CutTail => "a node dies in the middle of a write",
            Self::Byzantine => "nodes lie, where the system is made for it",
            Self::Reconfigure => "the system changes its options while it runs, where it can",
            Self::ByzantineClients => "clients lie, where the system does not believe them",
        }
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultClass {
    type Err = UnknownFaultClass;

    fn from_str(name: &str) -> Result<Self, UnknownFaultClass> {
        let found = Self::ALL.iter().copied().find(|class| class.name() == name);
        found.ok_or_else(|| UnknownFaultClass { name: name.to_owned() })
    }
}

impl Fault {
    /// The class that it is asked for and counted by.
    pub const fn class(&self) -> FaultClass {
        match self {
            Self::Partition { .. } => FaultClass::Partition,
            Self::Delay { .. } => FaultClass::Delay,
            Self::Loss { .. } => FaultClass::Loss,
            Self::Duplicate { .. } => FaultClass::Duplicate,
            Self::Reorder { .. } => FaultClass::Reorder,
            Self::Corrupt { .. } => FaultClass::Corrupt,
            Self::Kill { .. } => FaultClass::Kill,
            Self::PowerLoss { .. } => FaultClass::PowerLoss,
            Self::Pause { .. } => FaultClass::Pause,
            Self::Clock { .. } => FaultClass::Clock,
            Self::Disk { disk, .. } => match disk {
                Disk::Full => FaultClass::DiskFull,
                Disk::IoError => FaultClass::IoError,
                Disk::FlippedBit => FaultClass::FlippedBit,
                Disk::CutTail => FaultClass::CutTail,
            },
            Self::Byzantine { .. } => FaultClass::Byzantine,
            Self::Reconfigure { .. } => FaultClass::Reconfigure,
            Self::ByzantineClients { .. } => FaultClass::ByzantineClients,
        }
    }
}

/// Which classes somebody asked for: `all`, `none`, or names with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultChoice {
    /// Every class that makes sense for the system.
    All,
    /// These; none at all if empty. In the order of [`FaultClass::ALL`], each once.
    Named(Vec<FaultClass>),
}

/// What a system bears of the faults that not every system bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearing {
    /// How many nodes may lie at once.
    pub liars: u16,
    /// Whether clients may lie, as many as like.
    pub lying_clients: bool,
    /// By how many millionths clocks may go too fast or too slow, without a jump; absent where they may show what
    /// they like.
    pub drift_ppm: Option<u32>,
    /// How many nodes may be without their memory at once, where they keep it in themselves; absent where they find
    /// on disk what they need.
    pub memory: Option<u16>,
    /// Whether it can change its options while it runs.
    pub is_changing: bool,
}

impl Bearing {
    /// Whether faults of this class make sense for the system, or why they do not.
    pub const fn check(self, class: FaultClass) -> Result<(), FaultsError> {
        match class {
            FaultClass::Byzantine if self.liars == 0 => Err(FaultsError::NoLiarsTolerated),
            FaultClass::ByzantineClients if !self.lying_clients => {
                Err(FaultsError::NoLyingClientsTolerated)
            }
            FaultClass::Clock if matches!(self.drift_ppm, Some(0)) => {
                Err(FaultsError::NoDriftTolerated)
            }
            FaultClass::Reconfigure if !self.is_changing => Err(FaultsError::NotReconfigurable),
            _ if class.is_of_disk() && self.memory.is_some() => {
                Err(FaultsError::NothingOnDisk { class })
            }
            _ if class.ends_processes() && matches!(self.memory, Some(0)) => {
                Err(FaultsError::NoForgettingTolerated { class })
            }
            _ => Ok(()),
        }
    }
}

impl FaultChoice {
    /// The classes, for a system that bears so much. One that was named and that it does not bear is an error.
    pub fn classes(&self, bearing: Bearing) -> Result<Vec<FaultClass>, FaultsError> {
        match self {
            Self::All => {
                let makes_sense = |class: &FaultClass| bearing.check(*class).is_ok();
                Ok(FaultClass::ALL.iter().copied().filter(makes_sense).collect())
            }
            Self::Named(classes) => {
                classes.iter().try_for_each(|class| bearing.check(*class))?;
                Ok(classes.clone())
            }
        }
    }
}

impl Default for FaultChoice {
    fn default() -> Self {
        Self::Named(FaultClass::DEFAULT.to_vec())
    }
}

impl FromStr for FaultChoice {
    type Err = UnknownFaultClass;

    fn from_str(text: &str) -> Result<Self, UnknownFaultClass> {
        match text.trim() {
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::Named(Vec::new())),
            _ => {}
        }
        let names = text.split(',').map(str::trim);
        let asked = names.map(str::parse).collect::<Result<Vec<FaultClass>, _>>()?;
        let in_order = FaultClass::ALL.iter().copied().filter(|class| asked.contains(class));
        Ok(Self::Named(in_order.collect()))
    }
}

impl fmt::Display for FaultChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Named(classes) if classes.is_empty() => f.write_str("none"),
            Self::Named(classes) => {
                let names: Vec<&str> = classes.iter().map(|class| class.name()).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

/// A name that no fault class has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault class `{name}`; allowed are all, none, or any of {}", known())]
pub struct UnknownFaultClass {
    /// The name as given.
    pub name: String,
}

/// Faults that cannot be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// The system promises nothing as soon as one node lies.
    #[error(
        "fault class `byzantine`: the system as configured tolerates no lying node; choose one of its \
         Byzantine constructions, or leave the class out"
    )]
    NoLiarsTolerated,
    /// The system promises nothing as soon as one client lies.
    #[error(
        "fault class `byzantine-clients`: the system as configured believes its clients; choose one that does \
         not, or leave the class out"
    )]
    NoLyingClientsTolerated,
    /// The system promises nothing as soon as one clock goes wrong.
    #[error(
        "fault class `clock`: the system as configured relies on clocks that are never wrong; let it allow \
         for some drift, or leave the class out"
    )]
    NoDriftTolerated,
    /// Somebody is to lie, and no way to lie is allowed.
    #[error("fault class `{class}`: no lie is allowed, and one is needed")]
    NoLies {
        /// The class.
        class: FaultClass,
    },
    /// The system cannot change its options while it runs.
    #[error(
        "fault class `reconfigure`: the system as configured cannot change its options while it runs; \
         choose other options, or leave the class out"
    )]
    NotReconfigurable,
    /// The system's nodes need nothing that is on their disks.
    #[error(
        "fault class `{class}`: the system as configured keeps its memory in its nodes, and not on their disks; \
         choose options that keep it there, or leave the class out"
    )]
    NothingOnDisk {
        /// The class.
        class: FaultClass,
    },
    /// The system stands still for ever as soon as one process has ended.
    #[error(
        "fault class `{class}`: the system as configured keeps its memory in its nodes, and bears the loss of \
         none; choose more nodes, or options that keep it on disk, or leave the class out"
    )]
    NoForgettingTolerated {
        /// The class.
        class: FaultClass,
    },
    /// Classes take turns, and there is no time for each to have one.
    #[error(
        "a time limit of {time_limit_ms} ms is too short for these {classes} fault classes, which take turns; \
         allowed are {at_least_ms} ms or more, or fewer classes"
    )]
    TooShort {
        /// How long faults may last.
        time_limit_ms: u64,
        /// How many classes were asked for.
        classes: usize,
        /// The shortest time limit with room for all of them.
        at_least_ms: u64,
    },
    /// There is nobody to break.
    #[error("faults need at least one node")]
    NoNodes,
}

fn known() -> String {
    let names: Vec<&str> = FaultClass::ALL.iter().map(|class| class.name()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_listed_once_and_is_found_by_its_name() {
        for (place, class) in FaultClass::ALL.iter().enumerate() {
            assert_eq!(class.name().parse(), Ok(*class));
            assert!(!FaultClass::ALL[..place].contains(class));
            let json = serde_json::to_string(class).unwrap();
            assert_eq!(json, format!("\"{class}\""), "one spelling everywhere");
        }
    }

    #[test]
    fn choices_are_read_as_they_are_written() {
        let parse = |text: &str| text.parse::<FaultChoice>();
        assert_eq!(parse("all"), Ok(FaultChoice::All));
        assert_eq!(parse("none"), Ok(FaultChoice::Named(vec![])));
        assert_eq!(
            parse(" kill, partition,kill"),
            Ok(FaultChoice::Named(vec![FaultClass::Partition, FaultClass::Kill]))
        );
        assert_eq!(FaultChoice::default().to_string(), "partition,kill");
    }

    #[test]
    fn an_unknown_class_is_answered_with_the_known_ones() {
        let error = "partition,kil".parse::<FaultChoice>().unwrap_err().to_string();
        assert!(error.starts_with("there is no fault class `kil`"), "{error}");
        assert!(error.contains("all, none") && error.contains("power-loss"), "{error}");
        assert!("".parse::<FaultChoice>().is_err());
    }

    const NOTHING: Bearing = Bearing {
        liars: 0,
        lying_clients: false,
        drift_ppm: None,
        memory: None,
        is_changing: false,
    };

    #[test]
    fn clients_do_not_lie_where_they_are_believed() {
        let named = FaultChoice::Named(vec![FaultClass::ByzantineClients]);
        let bears = |lying_clients| Bearing { lying_clients, ..NOTHING };
        assert_eq!(named.classes(bears(true)), Ok(vec![FaultClass::ByzantineClients]));
        assert_eq!(named.classes(bears(false)), Err(FaultsError::NoLyingClientsTolerated));
        let all = FaultChoice::All.classes(bears(false)).unwrap();
        assert!(!all.contains(&FaultClass::ByzantineClients));
    }

    #[test]
    fn lies_are_left_out_of_all_but_refused_by_name_where_nobody_may_lie() {
        let bears =
            |liars, is_changing| Bearing { liars, lying_clients: true, is_changing, ..NOTHING };
        let all = |liars, is_changing| FaultChoice::All.classes(bears(liars, is_changing)).unwrap();
        assert!(!all(0, true).contains(&FaultClass::Byzantine));
        assert!(!all(1, false).contains(&FaultClass::Reconfigure));
        assert_eq!(all(1, true), FaultClass::ALL);
        let named = FaultChoice::Named(vec![FaultClass::Byzantine]);
        assert_eq!(named.classes(bears(0, true)), Err(FaultsError::NoLiarsTolerated));
        assert_eq!(named.classes(bears(1, true)), Ok(vec![FaultClass::Byzantine]));
        let named = FaultChoice::Named(vec![FaultClass::Reconfigure]);
        assert_eq!(named.classes(bears(1, false)), Err(FaultsError::NotReconfigurable));
    }

    #[test]
    fn clocks_are_left_out_of_all_but_refused_by_name_where_they_must_be_right() {
        let bears = |drift_ppm| Bearing { drift_ppm, ..NOTHING };
        let named = FaultChoice::Named(vec![FaultClass::Clock]);
        for drift_ppm in [None, Some(1)] {
            let all = FaultChoice::All.classes(bears(drift_ppm)).unwrap();
            assert!(all.contains(&FaultClass::Clock));
            assert_eq!(named.classes(bears(drift_ppm)), Ok(vec![FaultClass::Clock]));
        }
        assert!(!FaultChoice::All.classes(bears(Some(0))).unwrap().contains(&FaultClass::Clock));
        assert_eq!(named.classes(bears(Some(0))), Err(FaultsError::NoDriftTolerated));
    }

    #[test]
    fn bad_disks_are_left_out_of_all_but_refused_by_name_where_memory_is_not_on_them() {
        let bears = |memory| Bearing { memory, ..NOTHING };
        let all = |memory| FaultChoice::All.classes(bears(memory)).unwrap();
        for class in FaultClass::ALL.iter().copied().filter(|class| class.is_of_disk()) {
            let named = FaultChoice::Named(vec![class]);
            assert!(all(None).contains(&class) && !all(Some(2)).contains(&class), "{class}");
            assert_eq!(named.classes(bears(None)), Ok(vec![class]));
            let refused = named.classes(bears(Some(2))).unwrap_err();
            assert_eq!(refused, FaultsError::NothingOnDisk { class });
            assert!(refused.to_string().starts_with(&format!("fault class `{class}`: ")));
        }
        assert_eq!(all(None).len() - all(Some(2)).len(), 4, "nothing else is left out");
    }

    #[test]
    fn processes_do_not_end_where_no_node_may_forget() {
        let bears = |memory| Bearing { memory, ..NOTHING };
        for class in [FaultClass::Kill, FaultClass::PowerLoss] {
            let named = FaultChoice::Named(vec![class]);
            assert_eq!(named.classes(bears(Some(1))), Ok(vec![class]));
            let refused = named.classes(bears(Some(0))).unwrap_err();
            assert_eq!(refused, FaultsError::NoForgettingTolerated { class });
            assert!(!FaultChoice::All.classes(bears(Some(0))).unwrap().contains(&class));
        }
        let pause = FaultChoice::Named(vec![FaultClass::Pause]);
        assert_eq!(pause.classes(bears(Some(0))), Ok(vec![FaultClass::Pause]));
    }
}
