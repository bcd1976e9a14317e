//! How fast the simulated world delivers messages, against a rival: turmoil 0.7, which runs tokio code in virtual
//! time. Five servers, five clients and delays of 1 to 2 ms on either side, on the same machine in the same run.
//!
//! The two do not do the same work for a message. Ours runs a quorum register with its disks and timers; the
//! rival runs tasks that echo, which is as little as it can do. Its delays are whole milliseconds, its own grain.
//!
//! `cargo bench -p quorate-sim --bench rivals`

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark looks at the clock and says what it saw"
)]

use std::cell::Cell;
use std::hint::black_box;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quorate_plan::{Delay, Durations, Plan, SystemPlan, Weather, Workload, WorldKind};
use quorate_sim::{Checks, QueueKind, simulator};
use quorate_systems::SystemKind;
use quorate_systems::mutant::Mutants;
use turmoil::net::UdpSocket;

/// Servers, and clients as well.
const ENDS: u16 = 5;
/// The shortest delay of a message.
const DELAY_MIN: Duration = Duration::from_millis(1);
/// The longest.
const DELAY_MAX: Duration = Duration::from_millis(2);

/// A register on five nodes and five clients that never rest. Nothing gets lost, so that what is sent arrives.
fn register() -> Plan {
    let system = SystemPlan { kind: "quorum".to_owned(), nodes: ENDS, options: [].into() };
    let us = |delay: Duration| u64::try_from(delay.as_micros()).expect("a short delay");
    let delay = Delay::Uniform { min_us: us(DELAY_MIN), max_us: us(DELAY_MAX) };
    Plan {
        workload: Workload { clients: u32::from(ENDS), rate_per_s: 0, ..Workload::for_nodes(ENDS) },
        durations: Durations { time_limit_ms: 30_000, ..Durations::default() },
        weather: Some(Weather { delay, ..Weather::default() }),
        ..Plan::new("rivals", 1, WorldKind::Sim, system)
    }
}

/// Runs the register, again and again in the same world; each run says how many messages there were.
fn ours(checks: Checks) -> impl FnMut() -> u64 {
    let plan = register();
    let mut world = simulator(SystemKind::Quorum, QueueKind::Wheel);
    move || {
        let outcome = world.run(&plan, Mutants::NONE, checks, &mut |_, _| Ok(()));
        outcome.expect("it runs").messages
    }
}

/// How a client of the rival goes about asking the servers.
#[derive(Clone, Copy)]
enum Asks {
    /// One after the other, each when the one before has answered.
    InTurn,
    /// All at once, like a client of the register: more arrives in each of the rival's ticks, which it likes.
    AtOnce,
}

/// Where the servers listen.
const PORT: u16 = 7_000;
/// How often a client of the rival asks every server.
const ROUNDS: u64 = 1_000;
/// As long as a query of the register in its frame, more or less.
const PAYLOAD: [u8; 64] = [7; 64];

/// Messages that have arrived, counted where they arrive.
type Arrived = Rc<Cell<u64>>;

/// Runs the rival's clients to their end; says how many messages have arrived.
fn rival(asks: Asks) -> u64 {
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_hours(1))
        .min_message_latency(DELAY_MIN)
        .max_message_latency(DELAY_MAX)
        .rng_seed(1)
        .build();
    let arrived = Arrived::default();
    for server in 0..ENDS {
        let arrived = Rc::clone(&arrived);
        sim.host(format!("server-{server}"), move || echo(Rc::clone(&arrived)));
    }
    let servers: Vec<_> = (0..ENDS)
        .map(|server| SocketAddr::from((sim.lookup(format!("server-{server}")), PORT)))
        .collect();
    for client in 0..ENDS {
        let asking = ask(asks, servers.clone(), Rc::clone(&arrived));
        sim.client(format!("client-{client}"), asking);
    }
    sim.run().expect("every client comes to its end");
    let ends = u64::from(ENDS);
    assert_eq!(arrived.get(), 2 * ROUNDS * ends * ends, "every question and every echo arrives");
    arrived.get()
}

/// A server: sends back what it gets.
async fn echo(arrived: Arrived) -> turmoil::Result {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let mut buffer = [0; PAYLOAD.len()];
    loop {
        let (_, sender) = socket.recv_from(&mut buffer).await?;
        arrived.set(arrived.get() + 1);
        socket.send_to(&buffer, sender).await?;
    }
}

/// A client: asks every server, time and again, and waits for the echoes.
async fn ask(asks: Asks, servers: Vec<SocketAddr>, arrived: Arrived) -> turmoil::Result {
    let socket = UdpSocket::bind(("0.0.0.0", PORT)).await?;
    let mut buffer = [0; PAYLOAD.len()];
    let batch = match asks {
        Asks::InTurn => 1,
        Asks::AtOnce => servers.len(),
    };
    for _ in 0..ROUNDS {
        for asked in servers.chunks(batch) {
            for server in asked {
                socket.send_to(&PAYLOAD, server).await?;
            }
            for _ in asked {
                socket.recv_from(&mut buffer).await?;
                arrived.set(arrived.get() + 1);
            }
        }
    }
    Ok(())
}

/// One of those that are compared.
struct Contender {
    name: &'static str,
    /// One run; says how many messages were delivered.
    run: Box<dyn FnMut() -> u64>,
    /// The best so far, in messages a second.
    best: f64,
}

impl Contender {
    fn new(name: &'static str, run: impl FnMut() -> u64 + 'static) -> Self {
        Self { name, run: Box::new(run), best: 0.0 }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count of messages is far below 2^52")]
    fn measure(&mut self) {
        let begun = Instant::now();
        let messages = black_box((self.run)());
        self.best = self.best.max(messages as f64 / begun.elapsed().as_secs_f64());
    }
}

/// Everyone runs once in each of so many rounds, so that a busy spell of the machine hits all of them; the best
/// of each is what it can do when it is let.
const HEATS: u32 = 11;

fn deliveries(criterion: &mut Criterion) {
    let mut ours = [
        Contender::new("quorate, digest and invariants", ours(Checks::ALL)),
        Contender::new("quorate, bare", ours(Checks::NONE)),
    ];
    let mut rivals = [
        Contender::new("turmoil, asking in turn", || rival(Asks::InTurn)),
        Contender::new("turmoil, asking all at once", || rival(Asks::AtOnce)),
    ];
    for _ in 0..HEATS {
        ours.iter_mut().chain(&mut rivals).for_each(Contender::measure);
    }
    for Contender { name, best, .. } in ours.iter().chain(&rivals) {
        println!("{name}: {:.2} M deliveries/s", best / 1e6);
    }
    for mine in &ours {
        for theirs in &rivals {
            println!("{} : {} = {:.1}", mine.name, theirs.name, mine.best / theirs.best);
        }
    }
    let mut group = criterion.benchmark_group("deliveries");
    group.sample_size(20);
    for Contender { name, run, .. } in ours.iter_mut().chain(&mut rivals) {
        group.throughput(Throughput::Elements(run()));
        group.bench_function(*name, |bencher| bencher.iter(&mut *run));
    }
    group.finish();
}

criterion_group!(benches, deliveries);
criterion_main!(benches);
