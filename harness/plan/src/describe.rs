//! Faults in one line, for histories, progress and reports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{Disk, Endpoint, Fault, Grudge, PartitionShape, RIGHT_RATE_PPM};

impl Fault {
    /// Its class and the nodes that it hits (the clients, where these lie), or the shape of a partition: a few words, so that several fit
    /// into one line.
    pub fn brief(&self) -> String {
        let class = self.class();
        let ends: BTreeSet<Endpoint> = match self {
            Self::Partition { shape, .. } => return format!("{} {}", class.name(), shape.name()),
            Self::ByzantineClients { .. } => self.targets(),
            _ => {
                self.targets().into_iter().filter(|end| matches!(end, Endpoint::Node(_))).collect()
            }
        };
        format!("{} {}", class.name(), names(&ends)).trim_end().to_owned()
    }
}

/// One line that says what it does to whom, without its class: `halves: n0 n1 c0 | n2 n3 n4 c1-c5`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition { shape, grudge } => f.write_str(&partition(*shape, grudge)),
            Self::Delay { ends, min_ms, max_ms } => {
                write!(f, "{min_ms} to {max_ms} ms at {}", names(ends))
            }
            Self::Loss { ends, per_mille } | Self::Corrupt { ends, per_mille } => {
                write!(f, "{} of messages at {}", Percent(*per_mille), names(ends))
            }
            Self::Duplicate { ends, per_mille, within_ms } => {
                let share = Percent(*per_mille);
                write!(f, "{share} of messages within {within_ms} ms at {}", names(ends))
            }
            Self::Reorder { ends, per_mille, within_ms } => {
                let share = Percent(*per_mille);
                write!(f, "{share} of messages by up to {within_ms} ms at {}", names(ends))
            }
            Self::Kill { after_effects, .. } | Self::PowerLoss { after_effects, .. } => {
                f.write_str(&names(&self.targets()))?;
                match after_effects {
                    Some(count) => write!(f, " after {count} effects of a step"),
                    None => Ok(()),
                }
            }
            Self::Pause { .. } => f.write_str(&names(&self.targets())),
            Self::Clock { offset_ms, rate_ppm, .. } => {
                let whole = rate_ppm / RIGHT_RATE_PPM;
                let hundredths = rate_ppm % RIGHT_RATE_PPM / (RIGHT_RATE_PPM / 100);
                let nodes = names(&self.targets());
                match (*offset_ms, *rate_ppm) {
                    (offset_ms, RIGHT_RATE_PPM) => write!(f, "{offset_ms:+} ms at {nodes}"),
                    (0, _) => write!(f, "{whole}.{hundredths:02} times as fast at {nodes}"),
                    _ => write!(
                        f,
                        "{offset_ms:+} ms and {whole}.{hundredths:02} times as fast at {nodes}"
                    ),
                }
            }
            Self::Disk { node, disk } => {
                let what = match disk {
                    Disk::Full => "no space left",
                    Disk::IoError => "fsync fails",
                    Disk::FlippedBit => "one bit flipped",
                    Disk::CutTail => "last write cut short",
                };
                write!(f, "{what} at n{node}")
            }
            Self::Byzantine { lie, .. } | Self::ByzantineClients { lie, .. } => {
                write!(f, "{lie} from {}", names(&self.targets()))
            }
            Self::Reconfigure { options } => {
                let options: Vec<String> =
                    options.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let defaults = if options.is_empty() { "the defaults" } else { "" };
                write!(f, "to {defaults}{}", options.join(" "))
            }
        }
    }
}

/// Per mille, shown in percent.
struct Percent(u16);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenth) => write!(f, "{whole}.{tenth} %"),
        }
    }
}

/// Endpoints with spaces between; three clients or more in a row as `c0-c4`.
pub fn names(ends: &BTreeSet<Endpoint>) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut clients: Vec<u32> = Vec::new();
    for end in ends {
        match end {
            Endpoint::Node(_) => words.push(end.to_string()),
            Endpoint::Client(number) => clients.push(*number),
        }
    }
    for row in clients.chunk_by(|a, b| a + 1 == *b) {
        match row {
            [first, _, .., last] => words.push(format!("c{first}-c{last}")),
            few => words.extend(few.iter().map(|client| format!("c{client}"))),
        }
    }
    words.join(" ")
}

fn partition(shape: PartitionShape, grudge: &Grudge) -> String {
    let text = match shape {
        PartitionShape::Halves
        | PartitionShape::MajorityMinority
        | PartitionShape::IsolateOne
        | PartitionShape::Bridge => sides(grudge, " | "),
        PartitionShape::OneWay => sides(grudge, " → "),
        PartitionShape::MajoritiesRing => ring(grudge),
        PartitionShape::Random => {
            let links: usize = grudge.values().map(BTreeSet::len).sum();
            format!("{links} one-way links cut")
        }
    };
    format!("{}: {text}", shape.name())
}

/// Everybody in the grudge, together with those who are deaf to the same nodes.
fn by_what_they_miss(grudge: &Grudge) -> BTreeMap<BTreeSet<Endpoint>, BTreeSet<Endpoint>> {
    let is_node = |end: &Endpoint| matches!(end, Endpoint::Node(_));
    let everybody: BTreeSet<Endpoint> =
        grudge.keys().chain(grudge.values().flatten()).copied().collect();
    let mut groups: BTreeMap<BTreeSet<Endpoint>, BTreeSet<Endpoint>> = BTreeMap::new();
    for end in everybody {
        let missed = grudge.get(&end).into_iter().flatten().copied().filter(is_node).collect();
        groups.entry(missed).or_default().insert(end);
    }
    groups
}

/// The sides of a partition. Those who miss most stand first, so that what is one-way points right.
fn sides(grudge: &Grudge, between: &str) -> String {
    let mut groups: Vec<_> = by_what_they_miss(grudge).into_iter().collect();
    if between.contains('→') {
        groups.sort_by_key(|(missed, _)| std::cmp::Reverse(missed.len()));
    } else {
        groups.sort_by_key(|(_, members)| members.first().copied());
    }
    let sides: Vec<String> = groups.iter().map(|(_, members)| names(members)).collect();
    sides.join(between)
}

fn ring(grudge: &Grudge) -> String {
    let mut groups: Vec<_> = by_what_they_miss(grudge).into_iter().collect();
    groups.sort_by_key(|(_, members)| members.first().copied());
    let deaf = groups
        .iter()
        .map(|(missed, members)| format!("{} without {}", names(members), names(missed)));
    deaf.collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(list: &str) -> BTreeSet<Endpoint> {
        list.split_whitespace().map(|name| name.parse().unwrap()).collect()
    }

    /// Cuts every link from one of `from` to one of `to`, but for those between clients.
    fn cut(grudge: &mut Grudge, from: &str, to: &str) {
        let is_client = |end: &Endpoint| matches!(end, Endpoint::Client(_));
        for to in ends(to) {
            let dropped =
                ends(from).into_iter().filter(|from| !(is_client(from) && is_client(&to)));
            grudge.entry(to).or_default().extend(dropped);
        }
    }

    #[test]
    fn clients_in_a_row_are_abbreviated_and_nodes_are_not() {
        assert_eq!(names(&ends("n0 n1 n2 c0 c1 c2 c3 c5 c6 c9")), "n0 n1 n2 c0-c3 c5 c6 c9");
        assert_eq!(names(&ends("")), "");
    }

    #[test]
    fn sides_are_told_with_their_clients() {
        let mut grudge = Grudge::new();
        cut(&mut grudge, "n0 n1 c0 c3", "n2 n3 n4 c1 c2");
        cut(&mut grudge, "n2 n3 n4 c1 c2", "n0 n1 c0 c3");
        let fault = Fault::Partition { shape: PartitionShape::Halves, grudge };
        assert_eq!(fault.to_string(), "halves: n0 n1 c0 c3 | n2 n3 n4 c1 c2");
        assert_eq!(fault.targets(), ends("n0 n1 n2 n3 n4 c0 c1 c2 c3"));
    }

    #[test]
    fn one_way_points_where_messages_still_pass() {
        let mut grudge = Grudge::new();
        cut(&mut grudge, "n2 c1", "n0 n1 c0");
        let fault = Fault::Partition { shape: PartitionShape::OneWay, grudge };
        assert_eq!(fault.to_string(), "one-way: n0 n1 c0 → n2 c1");
    }

    #[test]
    fn a_bridge_stands_alone() {
        let mut grudge = Grudge::new();
        cut(&mut grudge, "n0 c0", "n2 c1");
        cut(&mut grudge, "n2 c1", "n0 c0");
        cut(&mut grudge, "", "n1");
        let fault = Fault::Partition { shape: PartitionShape::Bridge, grudge };
        assert_eq!(fault.to_string(), "bridge: n0 c0 | n1 | n2 c1");
    }

    #[test]
    fn other_faults_say_how_much_and_where() {
        let nodes = BTreeSet::from([1, 3]);
        let fault = Fault::Loss { ends: ends("n1 c0"), per_mille: 125 };
        assert_eq!(fault.to_string(), "12.5 % of messages at n1 c0");
        assert_eq!(Fault::Kill { nodes: nodes.clone(), after_effects: None }.to_string(), "n1 n3");
        let fault = Fault::Clock { nodes, offset_ms: -1500, rate_ppm: 1_250_000 };
        assert_eq!(fault.to_string(), "-1500 ms and 1.25 times as fast at n1 n3");
        let fault = Fault::Disk { node: 2, disk: Disk::FlippedBit };
        assert_eq!(fault.to_string(), "one bit flipped at n2");
        assert_eq!(fault.brief(), "flipped-bit n2");
    }

    #[test]
    fn a_brief_fault_is_its_class_and_its_nodes() {
        let mut grudge = Grudge::new();
        cut(&mut grudge, "n0 c0", "n1 n2 c1");
        let partition = Fault::Partition { shape: PartitionShape::OneWay, grudge };
        assert_eq!(partition.brief(), "partition one-way");
        assert_eq!(
            Fault::Kill { nodes: BTreeSet::from([0, 2]), after_effects: None }.brief(),
            "kill n0 n2"
        );
        let loss = |list| Fault::Loss { ends: ends(list), per_mille: 20 };
        assert_eq!(loss("n1 c0 c1").brief(), "loss n1");
        assert_eq!(loss("c0").brief(), "loss");
    }
}
