//! The messages of serde and toml in the words of plans.

/// A message about `source`, which is the text at its place. What is not known stays as it is.
pub(super) fn plain(message: &str, source: &str) -> String {
    unknown(message)
        .or_else(|| missing(message))
        .or_else(|| alone_or_not(message, source))
        .or_else(|| wrong_value(message))
        .unwrap_or_else(|| message.to_owned())
}

/// What a message says was found: the first thing that it quotes, unless that is missing.
pub(super) fn found(message: &str) -> Option<&str> {
    let open = message.find(['`', '"'])?;
    if message.starts_with("missing") || message.starts_with("expected") {
        return None;
    }
    let (quote, rest) = message.get(open..)?.split_at_checked(1)?;
    rest.split(quote).next()
}

/// A field or a name that there is not.
fn unknown(message: &str) -> Option<String> {
    let (what, rest) = if let Some(rest) = message.strip_prefix("unknown field ") {
        ("no field", rest)
    } else {
        ("no", message.strip_prefix("unknown variant ")?)
    };
    let (name, allowed) = rest.split_once(", ")?;
    let allowed = match allowed.strip_prefix("expected ") {
        Some(allowed) => names(allowed.strip_prefix("one of ").unwrap_or(allowed)),
        None => "none".to_owned(),
    };
    Some(format!("there is {what} {name} here; allowed: {allowed}"))
}

/// ``"`a`, `b`"`` and ``"`a` or `b`"`` as `a, b`.
fn names(quoted: &str) -> String {
    let names: Vec<&str> = quoted.split('`').skip(1).step_by(2).collect();
    names.join(", ")
}

fn missing(message: &str) -> Option<String> {
    Some(format!("the field {} is missing", message.strip_prefix("missing field ")?))
}

/// A choice that needs something with it and has nothing, or the other way round.
fn alone_or_not(message: &str, source: &str) -> Option<String> {
    let name = source.trim_matches(['"', '\'']);
    match message {
        "invalid type: unit variant, expected newtype variant" if name.is_empty() => {
            Some("it needs something with it: { name = … }".to_owned())
        }
        "invalid type: unit variant, expected newtype variant" => {
            Some(format!("`{name}` needs something with it; allowed: {{ {name} = … }}"))
        }
        "wanted exactly 1 element, found 0 elements"
        | "wanted exactly 1 element, more than 1 element" => {
            Some("allowed: a table with exactly one entry".to_owned())
        }
        _ if message.starts_with("expected table, found ") => {
            Some("nothing can stand here; allowed: the name alone, in quotes".to_owned())
        }
        _ => None,
    }
}

/// A value of the wrong type, or out of its bounds.
fn wrong_value(message: &str) -> Option<String> {
    let (is_type, rest) = match message.strip_prefix("invalid type: ") {
        Some(rest) => (true, rest),
        None => (false, message.strip_prefix("invalid value: ")?),
    };
    let (there, needed) = rest.rsplit_once(", expected ")?;
    let wrong = if is_type { "cannot stand here" } else { "is out of bounds" };
    let most = if is_type { None } else { greatest(needed).map(|most| format!(" to {most}")) };
    let needed = format!("{}{}", needed_in_words(needed), most.unwrap_or_default());
    Some(format!("{} {wrong}; allowed: {needed}", in_words(there)))
}

fn in_words(there: &str) -> String {
    if let Some(text) = there.strip_prefix("string ") {
        return format!("the text {text}");
    }
    for number in ["integer `", "floating point `", "boolean `"] {
        if let Some(rest) = there.strip_prefix(number) {
            return rest.trim_end_matches('`').to_owned();
        }
    }
    match there {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "unit value" => "nothing".to_owned(),
        other => other.to_owned(),
    }
}

fn needed_in_words(needed: &str) -> &str {
    match needed {
        "u8" | "u16" | "u32" | "u64" => "a whole number from 0",
        "i64" => "a whole number",
        "a string" | "string or table" => "a text in quotes",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        _ if needed.starts_with("struct ") || needed.starts_with("internally tagged enum ") => {
            "a table"
        }
        other => other,
    }
}

/// The greatest number of a type.
fn greatest(needed: &str) -> Option<u64> {
    match needed {
        "u8" => Some(u8::MAX.into()),
        "u16" => Some(u16::MAX.into()),
        "u32" => Some(u32::MAX.into()),
        "u64" => Some(u64::MAX),
        _ => None,
    }
}
