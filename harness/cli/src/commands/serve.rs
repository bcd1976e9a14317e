//! `quorate serve`: a store in the browser.

mod catalogue;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use clap::Args;
use quorate_reports::browse;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::services::ServeDir;

use self::catalogue::Catalogue;
use crate::error::CliError;
use crate::output;

/// A store in the browser: every run and every campaign, to be filtered and sorted, with their pages.
///
/// While a campaign or a run goes on the page comes again by itself. Only programs of this machine can reach it; nothing
/// in the store is changed. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  quorate serve
  quorate serve --store /nightly/store --port 8080

Exit codes: 0 it was ended, 254 bad usage, 255 it could not be begun.")]
pub(crate) struct Serve {
    /// The store.
    #[arg(long, default_value = "store", value_name = "DIR")]
    store: PathBuf,

    /// The port on the loopback interface; 0: any that is free.
    #[arg(long, default_value_t = 7_070)]
    port: u16,
}

impl Serve {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        if !self.store.is_dir() {
            return Err(CliError::usage(format_args!(
                "{} is no store: there is no such folder",
                self.store.display()
            ))
            .hint(
                "name one with --store DIR, or make one: `quorate run` and `quorate torture` do",
            ));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| CliError::harness(format_args!("cannot start threads: {error}")))?;
        runtime.block_on(self.serve())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(&self) -> Result<(), CliError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            CliError::harness(format_args!("cannot listen on {address}: {error}"))
                .hint("take another port with --port, or any that is free with --port 0")
        })?;
        let address = listener.local_addr().map_err(CliError::harness)?;
        output::print(&format!("http://{address}/ shows {}\n", self.store.display()))?;
        let mut presses = signal(SignalKind::interrupt()).map_err(CliError::harness)?;
        let stopped = async move {
            presses.recv().await;
        };
        axum::serve(listener, router(self.store.clone()))
            .with_graceful_shutdown(stopped)
            .await
            .map_err(CliError::harness)
    }
}

/// The list at the root, the files of the store below `/store/`.
fn router(store: PathBuf) -> Router {
    let files = ServeDir::new(&store).append_index_html_on_directories(true);
    let catalogue = Arc::new(Mutex::new(Catalogue::new(store)));
    Router::new()
        .route("/", get(list))
        .nest_service(catalogue::FILES, files)
        .layer(middleware::from_fn(guarded))
        .with_state(catalogue)
}

async fn list(
    State(catalogue): State<Arc<Mutex<Catalogue>>>,
    Query(query): Query<browse::Query>,
) -> Response {
    let made = tokio::task::spawn_blocking(move || {
        let mut catalogue = catalogue.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = catalogue.entries();
        browse::browse(&catalogue.name(), &entries, &query)
    });
    match made.await {
        Ok(Ok(page)) => Html(page).into_response(),
        Ok(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Answers only who calls this machine by a name of its own, so that no page from elsewhere can read the store by a name
/// that it made point here.
async fn guarded(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    if !matches!(name, Some("127.0.0.1" | "localhost")) {
        let told = "only http://127.0.0.1 and http://localhost are answered\n";
        return (StatusCode::MISDIRECTED_REQUEST, told).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let nosniff = HeaderName::from_static("x-content-type-options");
    headers.insert(nosniff, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests;
