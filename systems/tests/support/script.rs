//! Plays scripts: what happens in a cluster, told line by line. The README.md beside the scripts tells the commands.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's tool may stop the test"
)]
#![allow(dead_code, reason = "each system uses its own part")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use datadriven::TestCase;
use quorate_systems::contract::{Describe, LocalTime, Replica, System, TimerId};
use quorate_systems::mutant::Mutants;

use crate::support::{Flight, Net, Place, c, n, propose, read, write};

/// A system that scripts can be played with.
pub(crate) trait Scripted: System {
    /// The timers of its nodes by name; without any, `timer n0` is the one that is set.
    const TIMERS: &'static [(&'static str, TimerId)] = &[];

    /// What a record of a checkpoint says, unless it is only there to save memory.
    fn in_words(record: &Self::Record) -> Option<String>;

    /// Makes an answer say something else; false if it is none that can be forged.
    fn forge(_message: &mut Self::Message, _forged: Forged) -> bool {
        false
    }

    /// What a node that lies says: it has its own keys, and whatever else is told here.
    fn say(_net: &Net<Self>, _from: u16, _words: &mut Words) -> Result<Said<Self>, String> {
        Err("nobody lies like that here".into())
    }
}

/// Messages, and whom each is for.
pub(crate) type Said<S> = Vec<(Place, <S as System>::Message)>;

/// The scripts in a folder.
pub(crate) fn scripts(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    paths
}

/// Plays all scripts in a folder, and complains of what is no good script.
pub(crate) fn play_all<S: Scripted>(folder: &str) {
    for path in scripts(folder) {
        datadriven::walk(path.to_str().unwrap(), |file| {
            let mut stage = Stage::<S>::empty();
            file.run(|case| stage.play(case));
        });
        assert_eq!(complaint(&fs::read_to_string(&path).unwrap()), None, "{}", path.display());
    }
}

/// Which rules and flaws the scripts in a folder are about, each once: their first line up to one of these.
pub(crate) fn subjects(folder: &str, end: &[char]) -> Vec<String> {
    let subject = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.trim_start_matches("# ").split(end).next().unwrap().to_owned()
    };
    let mut subjects: Vec<String> = scripts(folder).iter().map(subject).collect();
    subjects.sort();
    subjects.dedup();
    subjects
}

/// What is wrong with the form of a script, if anything is.
pub(crate) fn complaint(text: &str) -> Option<String> {
    let says_what_for = text.starts_with("# ");
    let mut cases = 0;
    for block in text.split("\n\n") {
        let mut lines = block.lines().filter(|line| !line.starts_with('#')).peekable();
        if lines.peek().is_none() {
            continue;
        }
        cases += 1;
        let mut after = lines.skip_while(|line| *line != "----").skip(1);
        if after.next().is_none_or(|line| line.trim().is_empty()) {
            return Some(format!("nothing is expected of `{block}`"));
        }
    }
    match (says_what_for, cases) {
        (false, _) => Some("it does not say what for".into()),
        (true, 0) => Some("nothing happens".into()),
        (true, _) => None,
    }
}

/// The words of a command after its name. Each must be asked for once.
pub(crate) struct Words(BTreeMap<String, Vec<String>>);

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

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(crate) fn values(&mut self, name: &str) -> Option<Vec<String>> {
        self.0.remove(name)
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u64>, String> {
        let Some(values) = self.values(name) else { return Ok(None) };
        let number = values.first().and_then(|value| value.parse().ok());
        number.map(Some).ok_or_else(|| format!("`{name}` needs a number"))
    }

    /// The first word of this shape: a letter and digits.
    pub(crate) fn numbered(&mut self, letter: char) -> Option<(u64, Vec<String>)> {
        let number = |word: &str| word.strip_prefix(letter)?.parse().ok();
        let word = self.0.keys().find(|word| number(word).is_some())?.clone();
        Some((number(&word)?, self.0.remove(&word)?))
    }

    /// The words that are written in capitals: kinds of messages.
    pub(crate) fn kinds<S: System>(&mut self) -> Result<Vec<&'static str>, String> {
        let is_kind = |word: &str| word.starts_with(|l: char| l.is_ascii_uppercase());
        let words: Vec<String> = self.0.keys().filter(|word| is_kind(word)).cloned().collect();
        let messages = S::vocabulary().messages;
        let known = |word: String| {
            self.0.remove(&word);
            let found = messages.iter().find(|message| message.name == word);
            found.map(|message| message.name).ok_or_else(|| format!("there is no message `{word}`"))
        };
        words.into_iter().map(known).collect()
    }

    /// The words that are names of messages' fields, with their numbers.
    fn fields<S: System>(&mut self) -> Result<Vec<(&'static str, u64)>, String> {
        let known = S::vocabulary().messages.iter().flat_map(|message| message.fields);
        let mut fields = Vec::new();
        for name in known {
            fields.extend(self.number(name)?.map(|number| (*name, number)));
        }
        Ok(fields)
    }

    fn end(&self) -> Result<(), String> {
        self.0.keys().next().map_or(Ok(()), |word| Err(format!("`{word}` means nothing here")))
    }
}

/// Where a script is played.
pub(crate) struct Stage<S: Scripted>(Option<Net<S>>);

impl<S: Scripted> Stage<S> {
    /// Empty: the first command must make a cluster.
    pub(crate) const fn empty() -> Self {
        Self(None)
    }

    /// One command in the first line, perhaps more in the lines after it: what happens.
    pub(crate) fn play(&mut self, case: &TestCase) -> Result<String, String> {
        let words = case.args.iter().map(|(word, values)| (word.clone(), values.clone()));

        let words = Words(words.collect());
        let mut told = self
            .perform(&case.directive, words)
            .map_err(|why| format!("`{}`: {why}", case.directive))?;
        for line in case.input.lines() {
            told.extend(self.line(line).map_err(|why| format!("`{line}`: {why}"))?);
        }
        if told.is_empty() {
            told.push("nothing".into());
        }
        Ok(told.iter().fold(String::new(), |text, line| text + line + "\n"))
    }

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
                status(self.net()?)
            }
            "flying" => {
                words.end()?;
                let flying = &self.net()?.flying;
                flying.iter().map(|f| format!("{} -> {} {}", f.from, f.to, f.message)).collect()
            }
            "count" => {
                words.end()?;
                let sent = std::mem::take(&mut self.net()?.sent);
                sent.iter().map(|(kind, count)| format!("{kind} {count}")).collect()
            }
            "timers" => self.timers(words)?,
            "wait" => {
                let millis = words.number("ms")?.ok_or("how many `ms=`?")?;
                words.end()?;
                let net = self.net()?;
                net.now = LocalTime(net.now.0 + 1_000 * millis);
                Vec::new()
            }
            "deliver" | "drop" | "duplicate" | "forge" => self.messages(name, words)?,
            "invoke" | "give-up" | "timer" | "reconfigure" => self.place(name, words)?,
            "say" => self.say(words)?,
            "sync" | "crash" | "restart" | "checkpoint" | "damage" => self.node(name, words)?,
            _ => return Err(format!("there is no command `{name}`; README.md has them all")),
        };
        told.extend(
            self.0.as_mut().and_then(|net| net.story.replace(Vec::new())).into_iter().flatten(),
        );
        if is_quiet {
            told.retain(|line| line.starts_with('c') && !line.contains(" -> ") && is_outcome(line));
        }
        Ok(told)
    }

    fn net(&mut self) -> Result<&mut Net<S>, String> {
        self.0.as_mut().ok_or_else(|| "there is no cluster yet".into())
    }

    /// A new cluster, in place of the one before.
    fn cluster(&mut self, mut words: Words) -> Result<Vec<String>, String> {
        let nodes = words.number("nodes")?.ok_or("how many nodes?")?;
        let clients = words.number("clients")?.ok_or("how many clients?")?;
        let (nodes, clients) = (u16::try_from(nodes).unwrap(), u32::try_from(clients).unwrap());
        let known = |name: String| {
            let found = S::KIND.mutants().find(|mutant| mutant.name() == name);
            found.ok_or_else(|| format!("there is no mutant {name}"))
        };
        let mutant = words.values("mutant").map(|names| known(names.concat()));
        let mutants = Mutants(mutant.transpose()?);
        let is_slow = words.values("disks").is_some_and(|disks| disks == ["slow"]);
        let options: Vec<_> =
            words.0.iter().map(|(name, values)| (name.clone(), values.join(","))).collect();
        let options: Vec<_> = options.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Ok(vec![match Net::with(nodes, clients, &options, mutants, 1) {
            Err(why) => format!("refused: {why}"),
            Ok(mut net) => {
                net.is_syncing = !is_slow;
                net.story = Some(Vec::new());
                self.0 = Some(net);
                "ready".into()
            }
        }])
    }

    fn messages(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let is_all = words.flag("all");
        let forged = if name == "forge" { Forged::read(&mut words)? } else { Forged::default() };
        let is_first = words.flag("first");
        let filter = Filter::read::<S>(&mut words)?;
        words.end()?;
        let is_meant = |flight: &Flight<S::Message>| filter.takes(flight);
        let Some(first) = net.flying.iter().position(is_meant) else {
            return Err("nothing like that flies".into());
        };
        if is_first {
            match name {
                "deliver" => net.deliver_at(first),
                "drop" => drop(net.flying.remove(first)),
                _ => return Err("`first` is for `deliver` and `drop`".into()),
            }
            return Ok(Vec::new());
        }
        match name {
            "deliver" if is_all => net.deliver_all(is_meant),
            "deliver" => drop(net.deliver(is_meant)),
            "drop" => net.lose(|flight| is_meant(flight) && !flight.is_local()),
            "duplicate" => {
                let copies: Vec<_> = net.flying.iter().filter(|f| is_meant(f)).cloned().collect();
                net.flying.extend(copies);
            }
            _ => {
                let meant = net.flying.iter_mut().filter(|flight| is_meant(flight));
                return Ok(meant.map(|flight| forge::<S>(flight, forged)).collect());
            }
        }
        Ok(Vec::new())
    }

    fn place(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let node = words.numbered('n');
        let client = words.numbered('c');
        let place = match (node, client) {
            (Some((node, _)), None) => n(node_of(net, node)?),
            (None, Some((client, _))) if client < net.clients.len() as u64 => {
                c(u32::try_from(client).unwrap())
            }
            (None, Some((client, _))) => return Err(format!("there is no c{client}")),
            _ => return Err("whose?".into()),
        };
        match (name, place) {
            ("timer", Place::Node(_)) if !S::TIMERS.is_empty() => {
                let meant = S::TIMERS.iter().find(|(timer, _)| words.flag(timer));
                words.end()?;
                let (timer, id) = meant.ok_or("which timer?")?;
                if !net.is_set(place, *id) {
                    return Err(format!("the {timer} timer is not set"));
                }
                net.fire_one(place, *id);
            }
            ("timer", place) => {
                words.end()?;
                net.fire(place);
            }
            ("invoke", Place::Client(client)) => {
                let does = ["read", "write", "propose"].into_iter().find(|word| words.flag(word));
                let (key, value) = words.numbered('k').ok_or("a key is missing, such as k0")?;
                words.end()?;
                if net.clients[client.0 as usize].is_open {
                    return Err(format!("{client} is busy"));
                }
                let value = value.first().and_then(|value| value.parse().ok());
                net.invoke(
                    client.0,
                    match (does, value) {
                        (Some("read"), None) => read(key),
                        (Some("write"), Some(value)) => write(key, value),
                        (Some("propose"), Some(value)) => propose(key, value),
                        _ => return Err("either `read k0`, `write k0=1` or `propose k0=1`".into()),
                    },
                );
            }
            ("reconfigure", Place::Client(client)) => {
                let options = words.0.into_iter().map(|(name, values)| (name, values.join(",")));
                net.reconfigure(client.0, options.collect());
            }
            ("give-up", Place::Client(client)) => {
                words.end()?;
                net.give_up(client.0);
            }
            _ => return Err("only a client does that".into()),
        }
        Ok(Vec::new())
    }

    /// Which timers of a node are set.
    fn timers(&mut self, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let (node, _) = words.numbered('n').ok_or("which node?")?;
        let place = n(node_of(net, node)?);
        words.end()?;
        let set = S::TIMERS.iter().filter(|(_, id)| net.is_set(place, *id));
        let names: Vec<&str> = set.map(|(name, _)| *name).collect();
        Ok(vec![format!(
            "{place}: {}",
            if names.is_empty() { "none".into() } else { names.join(" ") }
        )])
    }

    fn say(&mut self, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let (node, _) = words.numbered('n').ok_or("which node?")?;
        let from = node_of(net, node)?;
        let said = S::say(net, from, &mut words)?;
        words.end()?;
        let flights = said.into_iter().map(|(to, message)| Flight { from: n(from), to, message });
        let flights: Vec<_> = flights.collect();
        let told = flights.iter().map(|f| format!("{} -> {} {}", f.from, f.to, f.message));
        let told = told.collect();
        net.flying.extend(flights);
        Ok(told)
    }

    fn node(&mut self, name: &str, mut words: Words) -> Result<Vec<String>, String> {
        let net = self.net()?;
        let (node, _) = words.numbered('n').ok_or("which node?")?;
        let node = node_of(net, node)?;
        let record = if name == "damage" { words.number("record")? } else { None };
        words.end()?;
        let is_up = net.nodes[usize::from(node)].replica.is_some();
        if (name == "restart" || name == "damage") == is_up {
            return Err(format!("n{node} is {}", if is_up { "up" } else { "down" }));
        }
        match name {
            "sync" => net.sync(node, usize::MAX),
            "crash" => net.crash(node, 0),
            "checkpoint" => net.checkpoint(node),
            "damage" => {
                let record = usize::try_from(record.ok_or("which `record=`?")?).unwrap();
                let records = net.nodes[usize::from(node)].durable.len();
                if !(1..=records).contains(&record) {
                    return Err(format!("n{node} has {records} records on disk"));
                }
                net.nodes[usize::from(node)].damaged = Some(record - 1);
            }
            _ => {
                let refused = net.restart(node).err();
                return Ok(refused
                    .iter()
                    .map(|why| format!("n{node} does not start: {why}"))
                    .collect());
            }
        }
        Ok(Vec::new())
    }
}

fn node_of<S: System>(net: &Net<S>, node: u64) -> Result<u16, String> {
    let place = u16::try_from(node).ok().filter(|node| usize::from(*node) < net.nodes.len());
    place.ok_or_else(|| format!("there is no n{node}"))
}

fn is_outcome(line: &str) -> bool {
    line.contains(" has ") || line.contains(" does not know")
}

/// Which messages are meant; where nothing is said, all are.
struct Filter {
    kinds: Vec<&'static str>,
    from: Option<Vec<String>>,
    to: Option<Vec<String>>,
    among: Option<Vec<String>>,
    except: Vec<String>,
    /// Numbers that fields have, as the vocabulary names them.
    fields: Vec<(&'static str, u64)>,
}

impl Filter {
    fn read<S: System>(words: &mut Words) -> Result<Self, String> {
        Ok(Self {
            kinds: words.kinds::<S>()?,
            from: words.values("from"),
            to: words.values("to"),
            among: words.values("among"),
            except: words.values("except").unwrap_or_default(),
            fields: words.fields::<S>()?,
        })
    }

    fn takes<M: Describe>(&self, flight: &Flight<M>) -> bool {
        let has = |places: &Option<Vec<String>>, place: Place| {
            places.as_ref().is_none_or(|places| places.contains(&place.to_string()))
        };
        (self.kinds.is_empty() || self.kinds.iter().any(|kind| flight.is(kind)))
            && !self.except.iter().any(|kind| flight.is(kind))
            && self.fields.iter().all(|(name, is)| flight.message.field(name) == Some(*is))
            && has(&self.from, flight.from)
            && has(&self.to, flight.to)
            && has(&self.among, flight.from)
            && has(&self.among, flight.to)
    }
}

/// What a forged answer says, where it does not say the truth.
#[derive(Clone, Copy, Default)]
pub(crate) struct Forged {
    pub(crate) value: Option<u64>,
    pub(crate) t: Option<u64>,
    pub(crate) op: Option<u64>,
}

impl Forged {
    fn read(words: &mut Words) -> Result<Self, String> {
        Ok(Self { value: words.number("value")?, t: words.number("t")?, op: words.number("op")? })
    }
}

/// What a lying node says in place of its answer.
fn forge<S: Scripted>(flight: &mut Flight<S::Message>, forged: Forged) -> String {
    if S::forge(&mut flight.message, forged) {
        format!("{} -> {} {}", flight.from, flight.to, flight.message)
    } else {
        format!("{} cannot be forged", flight.message)
    }
}

/// What each node stores: one line each.
fn status<S: Scripted>(net: &Net<S>) -> Vec<String> {
    let nodes = net.nodes.iter().zip(0_u16..);
    nodes
        .map(|(node, place)| {
            let mut line = format!("n{place}:");
            let Some(replica) = &node.replica else { return line + " down" };
            let records = replica.checkpoint();
            let mut words = records.iter().filter_map(S::in_words).peekable();
            if words.peek().is_none() {
                line += " nothing";
            }
            for (place, word) in words.enumerate() {
                write!(line, "{} {word}", if place > 0 { "," } else { "" }).unwrap();
            }
            if !node.unsynced.is_empty() {
                write!(line, " ({} not durable)", node.unsynced.len()).unwrap();
            }
            line
        })
        .collect()
}
