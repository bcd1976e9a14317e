use std::fs;
use std::path::Path;

use super::*;

/// A server on a free port, for as long as the runtime lives.
fn served(store: &Path) -> (tokio::runtime::Runtime, String) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = router(store.to_owned());
    runtime.spawn(async move { axum::serve(listener, router).await });
    (runtime, address)
}

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

async fn get(address: String, host: Option<&str>) -> (u16, String) {
    let client = reqwest::Client::new();
    let mut request = client.get(address);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[test]
fn a_store_is_listed_and_its_pages_are_there_and_nothing_else() {
    let sandbox = tempfile::tempdir().unwrap();
    let store = sandbox.path().join("store");
    let folder = store.join("a test & more/2026-11-27T01-02-03.004Z");
    put(&sandbox.path().join("secret"), "hidden");
    put(&folder.join("history.jsonl"), "{\"quorate\":\"history\"}\n");
    put(&folder.join("report.html"), "the page of the run");
    put(
        &folder.join("results.json"),
        r#"{"verdict":"invalid","sentences":["<b>broken"],"statistics":{"duration_ns":5,"all":{"invoked":3}},"more":1}"#,
    );
    put(&store.join("other/2026-11-27T01-02-04.000Z/history.jsonl"), "{}\n");
    fs::create_dir_all(store.join("nothing")).unwrap();
    let (runtime, address) = served(&store);
    runtime.block_on(async {
        let (code, page) = get(format!("{address}/"), None).await;
        assert_eq!(code, 200);
        for text in
            ["a test &#38; more", "✗ invalid", "&#60;b&#62;broken", "3 operations", "… running"]
        {
            assert!(page.contains(text), "{text}\n{page}");
        }
        let href = "/store/a%20test%20%26%20more/2026-11-27T01-02-03.004Z/report.html";
        assert!(page.contains(href), "{page}");
        let (code, text) = get(format!("{address}{href}"), None).await;
        assert_eq!((code, text.as_str()), (200, "the page of the run"));
        let (_, page) = get(format!("{address}/?verdict=valid"), None).await;
        assert!(page.contains("0 of 2"), "{page}");
        for outside in ["/store/../secret", "/store/%2e%2e/secret", "/store/..%2fsecret", "/secret"]
        {
            let (code, text) = get(format!("{address}{outside}"), None).await;
            assert!(code >= 400 && !text.contains("hidden"), "{outside}: {code} {text}");
        }
        let (code, _) = get(format!("{address}/"), Some("elsewhere.example:80")).await;
        assert_eq!(code, 421, "a name that somebody else made point here");
    });
}

#[test]
fn a_campaign_is_listed_with_its_runs() {
    let sandbox = tempfile::tempdir().unwrap();
    let folder = sandbox.path().join("torture/2026-11-27T01-02-03.004Z");
    let cell = r#"{"system":"vr","world":"sim","workload":"kv","runs":{"valid":7,"invalid":1,"unknown":0,"broken":0},"ok":1,"fail":0,"info":0,"events":1,"virtual_us":1}"#;
    let results = format!(
        r#"{{"program":"q","verdict":"invalid","sentence":"one failed","campaign":{{"mutant":"none"}},"cells":[{cell}],"failures":[],"classes":[],"unknowns":[],"broken":[],"faults":[],"milestones":[],"times":{{"began":"x","state":"finished","elapsed_ms":5000,"spent_us":[1]}}}}"#
    );
    put(&folder.join("results.json"), &results);
    put(&folder.join("index.html"), "the night");
    let entries = Catalogue::new(sandbox.path().to_owned()).entries();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.size, entry.is_campaign, entry.is_running), (8, true, false));
    assert_eq!((&*entry.verdict, &*entry.system, &*entry.why), ("invalid", "vr", "one failed"));
    assert_eq!(entry.href, "/store/torture/2026-11-27T01-02-03.004Z/index.html");
}
