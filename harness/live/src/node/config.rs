//! The config file of a node process.

use std::fs;
use std::path::Path;

use quorate_plan::NODES_MAX;

use crate::protocol::NodeConfig;

/// A config that no node can run with; one line that names the file and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadConfig(String);

/// Reads a node's config file.
pub fn load_config(path: &Path) -> Result<NodeConfig, BadConfig> {
    let bad = |why: String| BadConfig(format!("{}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let config: NodeConfig =
        serde_json::from_str(&text).map_err(|error| bad(format!("no node config: {error}")))?;
    check(&config).map_err(bad)?;
    Ok(config)
}

fn check(config: &NodeConfig) -> Result<(), String> {
    let NodeConfig { node, nodes, peers, .. } = config;
    if *nodes == 0 || *nodes > NODES_MAX {
        return Err(format!("`nodes` is {nodes}, and must be from 1 to {NODES_MAX}"));
    }
    if node >= nodes {
        return Err(format!("`node` is {node}, and must be below `nodes`, which is {nodes}"));
    }
    if peers.len() != usize::from(*nodes) {
        return Err(format!("`peers` has {} entries for {nodes} nodes", peers.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::testing::config;
    use super::*;

    fn load(text: &str) -> Result<NodeConfig, String> {
        let temp = TempDir::new().unwrap();
        let path = temp.path().join("node.json");
        fs::write(&path, text).unwrap();
        load_config(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn a_config_is_read_back() {
        let config = config(Path::new("/nowhere"));
        assert_eq!(load(&serde_json::to_string(&config).unwrap()), Ok(config));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_that_names_the_file() {
        let good = config(Path::new("/nowhere"));
        let changed = |change: fn(&mut NodeConfig)| {
            let mut config = good.clone();
            change(&mut config);
            serde_json::to_string(&config).unwrap()
        };
        let wrong = [
            ("{".to_owned(), "line 1"),
            ("{\"node\": 0, \"color\": 1}".to_owned(), "unknown field `color`"),
            (changed(|config| config.node = 3), "`node` is 3"),
            (changed(|config| config.nodes = 0), "`nodes` is 0"),
            (changed(|config| config.peers.truncate(2)), "`peers` has 2 entries for 3 nodes"),
        ];
        for (text, part) in wrong {
            let error = load(&text).unwrap_err();
            assert!(error.contains("node.json: ") && error.contains(part), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let error = load_config(Path::new("/nowhere/node.json")).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/node.json: "), "{error}");
    }
}
