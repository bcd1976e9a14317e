use super::*;

/// A write of `c0` on three nodes, as it goes when all goes well.
fn write_to(run: &mut Watch, key: Key, seq: u64) {
    let pair = pair(seq, seq);
    let Pair { ts, value, .. } = pair;
    let (query, op) = (op(seq, Phase::Query), op(seq, Phase::Update));
    let vouchers = nodes(&[0, 1]);
    run.observe(c(0), &Observation::Chosen { op: query, key, ts, value, vouchers });
    for node in 0..3 {
        let message = Message::Update { op, key, pair: pair.clone(), configuration: 0 };
        run.send(c(0), n(node), &message);
    }
    for node in 0..3 {
        run.persist(node, &Record::Stored { key, pair: pair.clone() }).sync(node);
        run.answer(node, &Message::UpdateOk { op, key });
    }
    run.observe(
        c(0),
        &Observation::Completed { op, key, ts, value, holders: vouchers, configuration: 0 },
    );
}

/// A read of `c0` that finds what operation `seq` wrote.
fn read_back(run: &mut Watch, key: Key, seq: u64) {
    let pair = pair(seq, seq);
    let Pair { ts, value, .. } = pair;
    let op = op(1 << 40, Phase::Update);
    for node in 0..3 {
        run.answer(node, &Message::QueryOk { op, key, pair: pair.clone() });
    }
    run.observe(c(0), &Observation::Chosen { op, key, ts, value, vouchers: nodes(&[0, 1, 2]) });
    run.observe(
        c(0),
        &Observation::Completed {
            op,
            key,
            ts,
            value,
            holders: nodes(&[0, 1, 2]),
            configuration: 0,
        },
    );
}

/// More keys than are remembered come, go, and come back.
fn many_keys(nodes: u16, options: &[(&str, &str)]) {
    let mut run = Watch::new(nodes, options);
    let keys = 2_000;
    for key in 0..keys {
        write_to(&mut run, Key(key), key + 1);
        read_back(&mut run, Key(key / 2), key / 2 + 1);
        run.holds();
    }
    run.start(1, 2);
    for key in 0..keys {
        run.find(1, &Record::Stored { key: Key(key), pair: pair(key + 1, key + 1) });
    }
    for key in 0..keys {
        read_back(&mut run, Key(key), key + 1);
        run.holds();
    }
}

#[test]
fn keys_that_were_forgotten_are_not_held_against_anybody() {
    many_keys(3, &[]);
    many_keys(4, &[("quorum", "dissemination")]);
}

#[test]
fn a_restart_does_not_push_out_the_keys_in_use() {
    let mut run = Watch::new(3, &[]);
    for key in 0..2_000 {
        write_to(&mut run, Key(key), key + 1);
    }
    run.start(1, 2);
    for key in 0..2_000 {
        run.find(1, &Record::Stored { key: Key(key), pair: pair(key + 1, key + 1) });
    }
    run.holds();
    let key = Key(1_999);
    let pair = pair(2_001, 2_001);
    let op = op(2_001, Phase::Update);
    run.send(c(0), n(1), &Message::Update { op, key, pair, configuration: 0 });
    run.answer(1, &Message::UpdateOk { op, key }).breaks("Q-I8");
}

#[test]
fn more_writes_of_a_key_than_are_remembered_break_nothing() {
    let mut run = Watch::new(3, &[]);
    for seq in 1..1_000 {
        write_to(&mut run, KEY, seq);
    }
    // Answers and copies from long ago.
    run.answer(0, &update_ok(1)).observe(c(0), &completed(1, &pair(1, 1))).holds();
    for number in 1..3_000 {
        run.send(n(0), n(1), &commit(&locked(2_000 + number, number), number));
        run.observe(n(1), &Observation::Aborted { write: write(number + 100_000) });
    }
    run.send(n(0), n(1), &commit(&locked(2_001, 1), 1)).holds();
}
