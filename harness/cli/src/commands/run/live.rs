//! A run with real processes.

use std::fs::File;
use std::sync::Arc;

use quorate_checkers::history::{Nemesis, NemesisPhase, Time, What, Writer};
use quorate_live::{RunSetup, RunSummary};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::{Begun, Ended, PROGRAM, interrupt};
use crate::error::CliError;
use crate::store;

/// Runs the plan to its end, or to the first Ctrl-C, which ends it in good order. Ctrl-C is heeded for as
/// long as the runtime lives.
pub(super) fn go(runtime: &Runtime, begun: &Begun<'_>) -> Result<Ended, CliError> {
    let executable = std::env::current_exe().map_err(|error| {
        CliError::harness(format_args!("cannot find the program that nodes start from: {error}"))
    })?;
    let (stop, stopped) = watch::channel(false);
    let shown = Arc::clone(&begun.display);
    let setup = RunSetup {
        plan: begun.plan.clone(),
        mutants: begun.mutants,
        folder: begun.folder.path.clone(),
        executable,
        program: PROGRAM.to_owned(),
        started: begun.started(),
        progress: Arc::new(move |progress| shown.show(progress)),
        fail_fast: begun.fail_fast,
        stop: stopped,
    };
    let stop = move || !stop.is_closed() && !stop.send_replace(true);
    runtime.spawn(interrupt::heed(stop, Arc::clone(&begun.display), begun.folder.clone()));
    let summary = runtime
        .block_on(quorate_live::run(setup))
        .map_err(|error| store::with_hint(&error.to_string()))?;
    let RunSummary { mut writer, troubles, interrupted, violated, .. } = summary;
    for trouble in troubles {
        record(&mut writer, trouble)?;
    }
    Ok(Ended { writer, interrupted, violated, simulation: None })
}

/// Puts into the history what did not go as it must, so that the file alone gives the same verdict.
fn record(writer: &mut Writer<File>, trouble: String) -> Result<(), CliError> {
    let events = writer.history().events();
    let time = events.last().map_or(Time(0), |event| event.time);
    let used = events.iter().filter_map(|event| match &event.what {
        What::Nemesis(nemesis) => Some(nemesis.fault),
        What::Invoke(_) | What::Ok(_) | What::Fail(_) | What::Info(_) | What::Violation(_) => None,
    });
    let event = What::Nemesis(Nemesis {
        fault: used.max().map_or(0, |highest| highest + 1),
        kind: Nemesis::TROUBLE.to_owned(),
        phase: NemesisPhase::Skipped,
        targets: Vec::new(),
        what: trouble,
        bites: 0,
    });
    writer.event(time, event).map(|_| ()).map_err(CliError::harness)
}
