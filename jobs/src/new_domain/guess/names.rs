//! From the names of a producer to names of columns and features.

/// Words that are no column names in one of the SQL dialects that read our tables.
const RESERVED: [&str; 121] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "both",
    "by",
    "case",
    "cast",
    "check",
    "cluster",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "date",
    "day",
    "default",
    "delete",
    "desc",
    "distinct",
    "do",
    "drop",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "filter",
    "for",
    "foreign",
    "from",
    "full",
    "grant",
    "group",
    "grouping",
    "having",
    "hour",
    "if",
    "in",
    "index",
    "initially",
    "inner",
    "insert",
    "intersect",
    "interval",
    "into",
    "is",
    "join",
    "key",
    "last_value",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "minute",
    "month",
    "natural",
    "not",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "pivot",
    "position",
    "primary",
    "qualify",
    "range",
    "references",
    "returning",
    "right",
    "row",
    "rows",
    "sample",
    "second",
    "select",
    "session_user",
    "set",
    "some",
    "sort",
    "symmetric",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "top",
    "trailing",
    "true",
    "union",
    "unique",
    "unnest",
    "update",
    "user",
    "using",
    "values",
    "variadic",
    "view",
    "when",
    "where",
    "window",
    "with",
    "within",
    "year",
];

/// The words of a name, in lowercase: `anonymousId`, `$session_id`, `Page Viewed`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (index, letter) in letters.iter().enumerate() {
        let previous = index.checked_sub(1).map(|before| letters[before]);
        let next = letters.get(index + 1);
        let hump = letter.is_uppercase()
            && (previous.is_some_and(|before| before.is_lowercase() || before.is_ascii_digit())
                || previous.is_some_and(char::is_uppercase)
                    && next.is_some_and(|after| after.is_lowercase()));
        if (hump || !letter.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A name in lowercase letters, digits and `_`, which begins with a letter; at most `most` bytes.
pub(crate) fn snake(name: &str, most: usize) -> String {
    let plain = words(name).join("_");
    let plain: String = plain
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    let plain: Vec<&str> = plain.split('_').filter(|part| !part.is_empty()).collect();
    let mut plain = plain.join("_");
    if !plain.starts_with(|first: char| first.is_ascii_lowercase()) {
        plain.insert_str(0, if plain.is_empty() { "field" } else { "f_" });
    }
    plain.truncate(most);
    plain.trim_end_matches('_').to_owned()
}

/// Keys that say little without the one before them.
const GENERAL: [&str; 20] = [
    "category", "class", "code", "count", "height", "id", "index", "key", "kind", "label", "level",
    "name", "size", "status", "title", "type", "url", "value", "version", "width",
];

/// The name of a column for the value at a path, other than all names in `taken`: the last key, the keys before it if need be, or a number.
/// `shared`: another place ends with the same key.
pub(crate) fn column_name(path: &[String], taken: &[String], shared: bool) -> String {
    const LONGEST: usize = 48;
    let mut name = String::new();
    let last = path.last().map_or("", String::as_str);
    let vague = path.len() > 1 && (shared || GENERAL.contains(&snake(last, LONGEST).as_str()));
    let shortest = path.len() - usize::from(vague);
    for from in (0..shortest).rev() {
        name = snake(&path[from..].join("_"), LONGEST);
        if RESERVED.contains(&name.as_str()) && from == 0 {
            name.push_str("_value");
        }
        let free = !taken.contains(&name) && !RESERVED.contains(&name.as_str());
        if free && !name.contains("__") {
            return name;
        }
    }
    numbered(&name, taken)
}

/// The name, with a number behind it if it is taken.
pub(crate) fn numbered(name: &str, taken: &[String]) -> String {
    let numbers = 2..;
    let names = numbers.map(|number| format!("{name}_{number}"));
    std::iter::once(name.to_owned())
        .chain(names)
        .find(|name| !taken.contains(name))
        .expect("there are more numbers than columns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_spelling() {
        for (name, expected) in [
            ("anonymousId", "anonymous id"),
            ("$session_id", "session id"),
            ("Product Viewed", "product viewed"),
            ("userID", "user id"),
            ("HTTPStatus", "http status"),
            ("utm-source", "utm source"),
            ("", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn names_of_columns_are_plain_and_different() {
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let taken = ["price".to_owned(), "item_price".to_owned()];
        assert_eq!(column_name(&path(&["amount"]), &taken, false), "amount");
        assert_eq!(
            column_name(&path(&["item", "price"]), &taken, false),
            "item_price_2"
        );
        assert_eq!(
            column_name(&path(&["cart", "price"]), &taken, false),
            "cart_price"
        );
        assert_eq!(column_name(&path(&["user"]), &[], false), "user_value");
        assert_eq!(
            column_name(&path(&["context", "user"]), &[], false),
            "context_user"
        );
        assert_eq!(
            column_name(&path(&["context", "app", "version"]), &[], false),
            "app_version"
        );
        assert_eq!(
            column_name(&path(&["from", "city"]), &[], true),
            "from_city"
        );
        assert_eq!(column_name(&path(&["2nd"]), &[], false), "f_2nd");
        assert_eq!(column_name(&path(&["가격"]), &[], false), "field");
        assert_eq!(snake("com.shop.order.placed", 48), "com_shop_order_placed");
    }
}
