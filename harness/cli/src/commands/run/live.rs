//! A run with real processes.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use quorate_checkers::history::{Nemesis, NemesisPhase, Time, What, Writer};
use quorate_live::{Listener, RunSetup, RunSummary};
use quorate_plan::Plan;
use quorate_systems::mutant::Mutants;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::{Begun, Ended, PROGRAM, interrupt};
use crate::error::CliError;
use crate::store;

/// Runs the plan to its end, or to the first Ctrl-C, which ends it in good order. Ctrl-C is heeded for as
/// long as the runtime lives.
pub(super) fn go(runtime: &Runtime, begun: &Begun<'_>) -> Result<Ended, CliError> {
    let (stop, stopped) = watch::channel(false);
    let shown = Arc::clone(&begun.display);
    let stop = move || !stop.is_closed() && !stop.send_replace(true);
    runtime.spawn(interrupt::heed(stop, Arc::clone(&begun.display), begun.folder.clone()));
    let watched = Watched {
        started: begun.started(),
        progress: Arc::new(move |progress| shown.show(progress)),
        fail_fast: begun.fail_fast,
        stop: stopped,
    };
    record(runtime, &begun.folder.path, begun.plan, begun.mutants, watched)
}

/// What a run is watched and stopped by.
pub(crate) struct Watched {
    /// When it began, for the history's header.
    pub(crate) started: String,
    /// Who is told how far it is.
    pub(crate) progress: Listener,
    /// It ends at the first violation that its clients have certainly seen.
    pub(crate) fail_fast: bool,
    /// Once this is true it ends in good order, before its time.
    pub(crate) stop: watch::Receiver<bool>,
}

/// Runs a plan with real processes and writes its history into a folder.
pub(crate) fn record(
    runtime: &Runtime,
    folder: &Path,
    plan: &Plan,
    mutants: Mutants,
    watched: Watched,
) -> Result<Ended, CliError> {
    let executable = std::env::current_exe().map_err(|error| {
        CliError::harness(format_args!("cannot find the program that nodes start from: {error}"))
    })?;
    let Watched { started, progress, fail_fast, stop } = watched;
    let setup = RunSetup {
        plan: plan.clone(),
        mutants,
        folder: folder.to_owned(),
        executable,
        program: PROGRAM.to_owned(),
        started,
        progress,
        fail_fast,
        stop,
    };
    let summary = runtime
        .block_on(quorate_live::run(setup))
        .map_err(|error| store::with_hint(&error.to_string()))?;
    let RunSummary { mut writer, troubles, interrupted, violated, unwatched, .. } = summary;
    for trouble in troubles {
        note_trouble(&mut writer, trouble)?;
    }
    Ok(Ended { writer, interrupted, violated, unwatched, simulation: None })
}

/// Puts into the history what did not go as it must, so that the file alone gives the same verdict.
fn note_trouble(writer: &mut Writer<File>, trouble: String) -> Result<(), CliError> {
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
