//! Scripts: what happens in a cluster, told line by line. Commands stand above `----`, what comes of them
//! below.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use datadriven::TestCase;
use quorate_systems::contract::{LocalTime, Replica, System, TimerId};
use quorate_systems::mutant::{Mutant, Mutants};

use crate::support::{Flight, Net, Node, Place, c, n, read, write};

/// What a script may say of one system beyond what is common to all.
pub(crate) struct Subject<S: System> {
    /// Its timers at nodes, by name.
    pub(crate) timers: &'static [(&'static str, TimerId)],
    /// Mutants that a script may ask for.
    pub(crate) mutants: &'static [Mutant],
    /// A record of a checkpoint in words.
    pub(crate) in_words: fn(&S::Record) -> String,
}

/// The scripts of a folder, in order.
pub(crate) fn scripts(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    paths
}

/// What a script says in its first line that it is about, up to the colon.
pub(crate) fn subject_of(text: &str) -> String {
    text.trim_start_matches("# ").split(':').next().unwrap().to_owned()
}

/// What is wrong with the form of a script, if anything is.
pub(crate) fn complaint(text: &str) -> Option<String> {
    if !text.starts_with("# ") {
        return Some("it does not say what for".into());
    }
    let blocks = text.split("\n\n").filter(|block| block.lines().any(|l| !l.starts_with('#')));
    let mut cases = 0;
    for block in blocks {
        cases += 1;
        let mut after = block.lines().skip_while(|line| *line != "----").skip(1);
        if after.next().is_none_or(|line| line.trim().is_empty()) {
            return Some(format!("nothing is expected of `{block}`"));
        }
    }
    (cases == 0).then(|| "nothing happens".into())
}

/// The words of a command after its name. Each must be asked for once.
struct Words(BTreeMap<String, Vec<String>>);

impl Words {
    /// Reads `name word word=value word=(value,value)`.
    fn read(line: &str) -> (String, Self) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default().to_owned();
        let words = words.map(|word| match word.split_once('=') {
            None => (word.to_owned(), Vec::new()),
            Some((word, values)) => {
                let values = values.trim_start_matches('(').trim_end_matches(')');
                (word.to_owned(), values.split(',').map(str::to_owned).collect())
            }
        });
        (name, Self(words.collect()))
    }

    fn flag(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    fn number(&mut self, name: &str) -> Result<u64, String> {
        let values = self.0.remove(name).ok_or_else(|| format!("`{name}=` is missing"))?;
        values.concat().parse().map_err(|_| format!("`{name}` needs a number"))
    }

    /// The first word of this shape: a letter and digits.
    fn numbered(&mut self, letter: char) -> Option<(u64, Vec<String>)> {
        let number = |word: &str| word.strip_prefix(letter)?.parse().ok();
        let word = self.0.keys().find(|word| number(word).is_some())?.clone();
        Some((number(&word)?, self.0.remove(&word)?))
    }

    /// The words that are written in capitals: kinds of messages.
    fn kinds<S: System>(&mut self) -> Result<Vec<&'static str>, String> {
        let is_kind = |word: &str| word.starts_with(|l: char| l.is_ascii_uppercase());
        let words: Vec<String> = self.0.keys().filter(|word| is_kind(word)).cloned().collect();
        let known = |word: String| {
            self.0.remove(&word);
            let found = S::vocabulary().messages.iter().find(|message| message.name == word);
            found.map(|message| message.name).ok_or_else(|| format!("there is no message `{word}`"))
        };
        words.into_iter().map(known).collect()
    }

    fn end(&self) -> Result<(), String> {
        self.0.keys().next().map_or(Ok(()), |word| Err(format!("`{word}` means nothing here")))
    }
}

/// Which messages are meant; where nothing is said, all are.
struct Filter {
    kinds: Vec<&'static str>,
    from: Option<Vec<String>>,
    to: Option<Vec<String>>,
    among: Option<Vec<String>>,
    except: Vec<String>,
}

impl Filter {
    fn read<S: System>(words: &mut Words) -> Result<Self, String> {
        Ok(Self {
            kinds: words.kinds::<S>()?,
            from: words.0.remove("from"),
            to: words.0.remove("to"),
            among: words.0.remove("among"),
            except: words.0.remove("except").unwrap_or_default(),
        })
    }

    fn takes<M: quorate_systems::contract::Describe>(&self, flight: &Flight<M>) -> bool {
        let has = |places: &Option<Vec<String>>, place: Place| {
            places.as_ref().is_none_or(|places| places.contains(&place.to_string()))
        };
        (self.kinds.is_empty() || self.kinds.iter().any(|kind| flight.is(kind)))
            && !self.except.iter().any(|kind| flight.is(kind))
            && has(&self.from, flight.from)
            && has(&self.to, flight.to)
            && has(&self.among, flight.from)
            && has(&self.among, flight.to)
    }
}

/// Where a script is played.
pub(crate) struct Stage<S: System> {
    subject: Subject<S>,
    net: Option<Net<S>>,
}

impl<S: System> Stage<S> {
    pub(crate) fn new(subject: Subject<S>) -> Self {
        Self { subject, net: None }
    }

    /// One command in the first line, perhaps more in the lines after it: what happens.
    pub(crate) fn play(&mut self, case: &TestCase) -> Result<String, String> {
        let words = case.args.iter().map(|(word, values)| (word.clone(), values.clone()));
        let mut told = self
            .perform(&case.directive, Words(words.collect()))
            .map_err(|why| format!("`{}`: {why}", case.directive))?;
        for line in case.input.lines() {
            told.extend(self.line(line).map_err(|why| format!("`{line}`: {why}"))?);
        }
        if told.is_empty() {
            told.push("nothing".into());
        }
        Ok(told.iter().fold(String::new(), |text, line| text + line + "\n"))
    }

    /// One command.
    pub(crate) fn line(&mut self, line: &str) -> Result<Vec<String>, String> {
        let (name, words) = Words::read(line);
        self.perform(&name, words)
    }

    fn perform(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let is_quiet = words.flag("quiet");
        let mut told = match name {
            "cluster" => self.cluster(words)?,
            "status" => {
                words.end()?;
                self.status()?
            }
            "count" => {
                words.end()?;
                let sent = std::mem::take(&mut self.net()?.sent);
                sent.iter().map(|(kind, count)| format!("{kind} {count}")).collect()
            }
            "wait" => {
                let millis = words.number("ms")?;
                words.end()?;
                let net = self.net()?;
                net.now = LocalTime(net.now.0 + 1_000 * millis);
                Vec::new()
            }
            "deliver" | "drop" | "duplicate" => self.messages(name, words)?,
            "invoke" | "give-up" | "timer" => self.place(name, words)?,
            "sync" | "crash" | "restart" | "checkpoint" => self.node(name, words)?,
            _ => return Err(format!("there is no command `{name}`; README.md has them all")),
        };
        let story = self.net.as_mut().and_then(|net| net.story.replace(Vec::new()));
        told.extend(story.into_iter().flatten());
        if is_quiet {
            told.retain(|line| is_outcome(line));
        }
        Ok(told)
    }

    fn net(&mut self) -> Result<&mut Net<S>, String> {
        self.net.as_mut().ok_or_else(|| "there is no cluster yet".into())
    }

    /// A new cluster, in place of the one before.
    fn cluster(&mut self, mut words: Words) -> Result<Vec<String>, String> {
        let nodes = u16::try_from(words.number("nodes")?).map_err(|_| "too many nodes")?;
        let clients = u32::try_from(words.number("clients")?).map_err(|_| "too many clients")?;
        let mutant = words.0.remove("mutant").map(|names| names.concat());
        let known = |name: &String| {
            let found = self.subject.mutants.iter().find(|mutant| mutant.name() == name);
            found.copied().ok_or_else(|| format!("there is no mutant {name}"))
        };
        let mutants = Mutants(mutant.as_ref().map(known).transpose()?);
        let is_slow = words.0.remove("disks").is_some_and(|disks| disks == ["slow"]);
        let options: Vec<_> =
            words.0.iter().map(|(name, values)| (name.clone(), values.join(","))).collect();
        let options: Vec<_> = options.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Ok(vec![match Net::with(nodes, clients, &options, mutants, 1) {
            Err(why) => format!("refused: {why}"),
            Ok(mut net) => {
                net.is_syncing = !is_slow;
                net.story = Some(Vec::new());
                self.net = Some(net);
                "ready".into()
            }
        }])
    }

    fn messages(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let is_all = words.flag("all");
        let filter = Filter::read::<S>(&mut words)?;
        words.end()?;
        let is_meant = |flight: &Flight<S::Message>| filter.takes(flight);
        if !net.flying.iter().any(is_meant) {
            return Err("nothing like that flies".into());
        }
        match name {
            "deliver" if is_all => net.deliver_all(is_meant),
            "deliver" => drop(net.deliver(is_meant)),
            "drop" => net.lose(|flight| is_meant(flight) && !flight.is_local()),
            _ => {
                let copies: Vec<_> = net.flying.iter().filter(|f| is_meant(f)).cloned().collect();
                net.flying.extend(copies);
            }
        }
        Ok(Vec::new())
    }

    fn place(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let timers = self.subject.timers;
        let net = self.net()?;
        let place = match (words.numbered('n'), words.numbered('c')) {
            (Some((node, _)), None) => n(node_of(net, node)?),
            (None, Some((client, _))) if client < net.clients.len() as u64 => {
                c(u32::try_from(client).unwrap())
            }
            _ => return Err("whose?".into()),
        };
        match (name, place) {
            ("timer", Place::Client(_)) => {
                words.end()?;
                net.fire(place);
            }
            ("timer", Place::Node(_)) => {
                let meant = timers.iter().find(|(timer, _)| words.flag(timer));
                words.end()?;
                let (timer, id) = meant.ok_or("which timer?")?;
                if !net.is_set(place, *id) {
                    return Err(format!("the {timer} timer is not set"));
                }
                net.fire_one(place, *id);
            }
            ("invoke", Place::Client(client)) => {
                let (is_read, is_write) = (words.flag("read"), words.flag("write"));
                let (key, value) = words.numbered('k').ok_or("a key is missing, such as k0")?;
                words.end()?;
                if net.clients[client.0 as usize].is_open {
                    return Err(format!("{client} is busy"));
                }
                let value = value.first().and_then(|value| value.parse().ok());
                let command = match (is_read, is_write, value) {
                    (true, false, None) => read(key),
                    (false, true, Some(value)) => write(key, value),
                    _ => return Err("either `read k0` or `write k0=1`".into()),
                };
                net.invoke(client.0, command);
            }
            ("give-up", Place::Client(client)) => {
                words.end()?;
                net.give_up(client.0);
            }
            _ => return Err("only a client does that".into()),
        }
        Ok(Vec::new())
    }

    fn node(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let (node, _) = words.numbered('n').ok_or("which node?")?;
        let node = node_of(net, node)?;
        words.end()?;
        let is_up = net.nodes[usize::from(node)].replica.is_some();
        if (name == "restart") == is_up {
            return Err(format!("n{node} is {}", if is_up { "up" } else { "down" }));
        }
        match name {
            "sync" => net.sync(node, usize::MAX),
            "crash" => net.crash(node, 0),
            "checkpoint" => net.checkpoint(node),
            _ => net.restart(node).map_err(|error| error.to_string())?,
        }
        Ok(Vec::new())
    }

    /// What each node holds: one line each.
    fn status(&mut self) -> Result<Vec<String>, String> {
        let in_words = self.subject.in_words;
        let nodes = self.net()?.nodes.iter().zip(0_u16..);
        let line = |(node, place): (&Node<S>, u16)| match &node.replica {
            None => format!("n{place}: down"),
            Some(replica) => {
                let words: Vec<_> = replica.checkpoint().iter().map(in_words).collect();
                let held = if words.is_empty() { "nothing".into() } else { words.join(", ") };
                let waiting = match node.unsynced.len() {
                    0 => String::new(),
                    count => format!(" ({count} not durable)"),
                };
                format!("n{place}: {held}{waiting}")
            }
        };
        Ok(nodes.map(line).collect())
    }
}

fn node_of<S: System>(net: &Net<S>, node: u64) -> Result<u16, String> {
    let place = u16::try_from(node).ok().filter(|node| usize::from(*node) < net.nodes.len());
    place.ok_or_else(|| format!("there is no n{node}"))
}

/// Whether a line tells how a client's operation ended.
fn is_outcome(line: &str) -> bool {
    let is_clients = line.starts_with('c') && !line.contains(" -> ");
    is_clients && (line.contains(" has ") || line.contains(" does not know"))
}
