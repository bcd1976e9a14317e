//! Pages in a real browser, driven as a reader would: `QUORATE_BROWSER=1 cargo test -p quorate-reports --test browser`.
//! It needs chromedriver (Debian: chromium-driver) on the path. Where the variable names a folder, pictures of what was
//! seen are left in it. Without the variable nothing is looked at. `QUORATE_BROWSER_OPERATIONS` says how long the long run
//! is: what a reader waits for is told.
#![expect(clippy::unwrap_used, reason = "a test's tool may stop the test")]
#![expect(clippy::print_stdout, reason = "how long pages take to open is told")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use quorate_checkers::history::{Builder, ProcessId, Step, Time, Value, What};
use quorate_plan::FaultChoice;
use quorate_reports::Log;
use support::{Specimen, invalid, long, plan};
use thirtyfour::prelude::*;

/// chromedriver on a port of its own, ended with the test.
struct Driver {
    child: Child,
    port: u16,
    /// Browsers that were opened: whatever becomes of the test, they are to be closed.
    opened: Mutex<Vec<WebDriver>>,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is on the path: in Debian it is in the package chromium-driver");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = |line: String| {
            line.split_once("started successfully on port ")
                .and_then(|(_, rest)| rest.trim_end_matches('.').parse().ok())
        };
        let port = lines.map_while(Result::ok).find_map(port).expect("it says on which port");
        Self { child, port, opened: Mutex::default() }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a page is looked at.
#[derive(Clone, Copy)]
struct Look {
    name: &'static str,
    size: (u32, u32),
    dark: bool,
}

const WIDE: Look = Look { name: "wide", size: (1_280, 1_000), dark: false };
const DARK: Look = Look { name: "dark", size: (1_280, 1_000), dark: true };
const NARROW: Look = Look { name: "narrow", size: (500, 900), dark: false };

struct Browser {
    web: WebDriver,
    pictures: Option<PathBuf>,
    look: Look,
}

impl Browser {
    async fn open(driver: &Driver, look: Look) -> Self {
        let mut wishes = DesiredCapabilities::chrome();
        let (width, height) = look.size;
        let size = format!("--window-size={width},{height}");
        let scheme = u8::from(!look.dark);
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", &size, &scheme] {
            wishes.add_arg(argument).unwrap();
        }
        let web =
            WebDriver::new(format!("http://127.0.0.1:{}", driver.port), wishes).await.unwrap();
        driver.opened.lock().unwrap().push(web.clone());
        let wanted = std::env::var_os("QUORATE_BROWSER").map(PathBuf::from);
        let pictures = wanted.filter(|folder| folder.is_dir());
        Self { web, pictures, look }
    }

    async fn go(&self, page: &Path) {
        self.web.goto(format!("file://{}", page.display())).await.unwrap();
    }

    async fn says(&self, script: &str) -> serde_json::Value {
        self.web.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    async fn number(&self, script: &str) -> f64 {
        self.says(script).await.as_f64().unwrap()
    }

    /// What the script hands to its last argument, a function, at some time.
    async fn later(&self, script: &str) -> serde_json::Value {
        self.web.execute_async(script, Vec::new()).await.unwrap().json().clone()
    }

    async fn text(&self, selector: &str) -> String {
        self.web.find(By::Css(selector)).await.unwrap().text().await.unwrap()
    }

    async fn click(&self, selector: &str) {
        self.web.find(By::Css(selector)).await.unwrap().click().await.unwrap();
    }

    async fn keys(&self, selector: &str, keys: &str) {
        self.web.find(By::Css(selector)).await.unwrap().send_keys(keys).await.unwrap();
    }

    /// The stretch of time in sight, in microseconds, once it was drawn.
    async fn sight(&self) -> (f64, f64) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let sight = self.says("return document.getElementById('explorer').dataset.sight").await;
        let (from, to) = sight.as_str().unwrap().split_once(' ').unwrap();
        (from.parse().unwrap(), to.parse().unwrap())
    }

    async fn keep(&self, what: &str) {
        if let Some(folder) = &self.pictures {
            let file = folder.join(format!("{what}-{}.png", self.look.name));
            self.web.screenshot(&file).await.unwrap();
        }
    }
}

const CANVAS: &str = "canvas.lanes";
const SEARCH: &str = "#explorer input[type=search]";

/// A reader looks for what is wrong in a long run.
async fn read_a_long_run(browser: &Browser, page: &Path) {
    browser.go(page).await;
    assert_eq!(browser.says("return document.getElementById('explorer').hidden").await, false);
    let whole = browser.sight().await;

    browser.keys(CANVAS, "+").await;
    browser.keys(CANVAS, "+").await;
    let near = browser.sight().await;
    let (wide, narrow) = (whole.1 - whole.0, near.1 - near.0);
    assert!((narrow / wide - 0.25).abs() < 0.01, "two steps nearer: {whole:?} {near:?}");
    browser.keys(CANVAS, "0").await;
    let again = browser.sight().await;
    assert!((again.0 - whole.0).abs() + (again.1 - whole.1).abs() < 1.0, "{again:?} {whole:?}");

    browser.keys(SEARCH, "info").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let tally = browser.text("#explorer .tally").await;
    assert!(tally.ends_with(" found") && !tally.starts_with("nothing"), "{tally}");
    browser.keys(SEARCH, "\u{e007}").await;
    assert!(browser.text("#explorer .tally").await.starts_with("1 of "));
    assert!(browser.text("#explorer .details").await.contains("outcome info"));
    browser.keep("search").await;

    browser.click("button[data-do=anomaly]").await;
    let wrong = browser.sight().await;
    assert!(wrong.1 - wrong.0 < wide / 100.0, "{wrong:?}");
    let details = browser.text("#explorer .details").await;
    assert!(details.contains("no order has a place for it"), "{details}");
    browser.keep("anomaly").await;
}

/// What a reader waits for, told and not judged: it depends on who else uses the machine.
async fn measure(browser: &Browser, page: &Path, operations: u64) {
    browser.go(page).await;
    let drawn = "return performance.getEntriesByName('drawn')[0].startTime";
    println!("{operations} operations: drawn after {:.0} ms", browser.number(drawn).await);
    println!("moving: {}", frames(browser, MOVE).await);
    for words in ["write", "7 >5ms", "c3 info", "e"] {
        println!("search for {words:?}: {}", frames(browser, &search_for(words)).await);
    }
    println!("moving among what was found: {}", frames(browser, MOVE).await);
}

/// How long it takes from one frame to the next, while a reader does this before each of 60 frames.
async fn frames(browser: &Browser, before_frame: &str) -> String {
    let script = format!(
        "const done = arguments[0], root = document.getElementById('explorer'); \
         const click = (what) => root.querySelector(`[data-do=${{what}}]`).click(); \
         const frame = () => new Promise(requestAnimationFrame); \
         (async () => {{ \
           let times = [], last = await frame(); \
           for (let i = 0; i < 60; i++) {{ \
             {before_frame} \
             const now = await frame(); times.push(now - last); last = now; \
           }} \
           times.sort((a, b) => a - b); done([times[30], times[59]]); \
         }})()"
    );
    let (median, longest): (f64, f64) =
        serde_json::from_value(browser.later(&script).await).unwrap();
    format!("a frame takes {median:.0} ms, the longest {longest:.0} ms")
}

/// In and out again, to the anomaly and back.
const MOVE: &str =
    "click(['in', 'in', 'in', 'whole', 'anomaly', 'out', 'out', 'whole', 'next', 'next'][i % 10]);";

/// The search begins a moment after the last letter.
fn search_for(words: &str) -> String {
    format!(
        "if (i === 0) {{ const field = root.querySelector('input'); field.value = {words:?}; \
         field.dispatchEvent(new Event('input')); }}"
    )
}

/// A page that has this in every text does not run it.
const EVIL: &str = "</script><script>window.evil=1</script><img src=x onerror=window.evil=1>";

fn evil() -> Specimen {
    let step = |value: Value| Step {
        process: ProcessId(0),
        f: EVIL.into(),
        key: None,
        value,
        error: Some(EVIL.to_owned()),
    };
    let mut builder = Builder::new();
    let value = || Value::Text(EVIL.to_owned());
    builder.push(Time(1_000), What::Invoke(Step { error: None, ..step(value()) })).unwrap();
    builder.push(Time(2_000), What::Info(step(value()))).unwrap();
    let mut plan = plan(1, 5_000, &FaultChoice::Named(Vec::new()));
    EVIL.clone_into(&mut plan.name);
    EVIL.clone_into(&mut plan.system.kind);
    let mut specimen = Specimen::new(plan, builder.finish(), Some(EVIL));
    EVIL.clone_into(&mut specimen.header.program);
    specimen.logs.push(Log { name: EVIL.to_owned(), text: EVIL.to_owned() });
    specimen.commands.push((EVIL.to_owned(), EVIL.to_owned()));
    specimen
}

/// As long as a run of an hour, unless `QUORATE_BROWSER_OPERATIONS` says otherwise.
const OPERATIONS: u64 = 100_000;

fn wanted_operations() -> u64 {
    let wanted = std::env::var("QUORATE_BROWSER_OPERATIONS").ok();
    wanted.map_or(OPERATIONS, |wanted| wanted.parse().expect("a number of operations"))
}

#[test]
fn a_reader_finds_what_is_wrong() {
    if std::env::var_os("QUORATE_BROWSER").is_none() {
        println!("skipped: QUORATE_BROWSER is not set");
        return;
    }
    let sandbox = tempfile::tempdir().unwrap();
    let put = |name: &str, specimen: &Specimen| {
        let path = sandbox.path().join(name);
        std::fs::write(&path, specimen.page()).unwrap();
        path
    };
    let specimen = long(wanted_operations());
    let operations = specimen.results.statistics.all.invoked;
    let long_page = put("long.html", &specimen);
    drop(specimen);
    let (invalid_page, evil_page) = (put("invalid.html", &invalid()), put("evil.html", &evil()));
    let driver = Driver::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let looked = || {
        runtime.block_on(look_at_all(&driver, (&long_page, operations), &invalid_page, &evil_page));
    };
    let looked = catch_unwind(AssertUnwindSafe(looked));
    let opened = std::mem::take(&mut *driver.opened.lock().unwrap());
    runtime.block_on(async {
        for web in opened {
            // It may have gone by itself, and what the test found matters more.
            let _ = web.quit().await;
        }
    });
    if let Err(panic) = looked {
        resume_unwind(panic);
    }
}

async fn look_at_all(
    driver: &Driver,
    (long_page, operations): (&Path, u64),
    invalid_page: &Path,
    evil_page: &Path,
) {
    let browser = Browser::open(driver, WIDE).await;
    read_a_long_run(&browser, long_page).await;
    measure(&browser, long_page, operations).await;
    browser.go(evil_page).await;
    assert!(browser.says("return window.evil ?? null").await.is_null(), "data is not run");
    assert_eq!(browser.says("return document.getElementById('explorer').hidden").await, false);
    assert!(browser.text("#explorer").await.contains("Search"), "and the page's own script is");
    for look in [WIDE, DARK, NARROW] {
        let browser = Browser::open(driver, look).await;
        browser.go(invalid_page).await;
        let ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]";
        let ground: u32 = browser.says(ground).await.as_str().unwrap().parse().unwrap();
        assert_eq!(ground < 128, look.dark, "{}", look.name);
        let beyond =
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert!(browser.number(beyond).await <= 0.0, "{}: wider than the window", look.name);
        browser.keep("top").await;
        browser.click("a[data-anomaly]").await;
        let details = browser.text("#explorer .details").await;
        assert!(details.contains("no order has a place for it"), "{}: {details}", look.name);
        browser.keep("invalid").await;
    }
}
