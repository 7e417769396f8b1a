//! Rows as CSV (RFC 4180) for programs: exact values, a null as nothing and an empty text as `""`.

/// A header and a line per row.
pub(super) fn of(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    let mut text = String::new();
    line(
        &mut text,
        columns.iter().map(|column| Some(column.as_str())),
    );
    for row in rows {
        line(&mut text, row.iter().map(Option::as_deref));
    }
    // The printer ends the last line.
    text.pop();
    text
}

fn line<'a>(text: &mut String, values: impl Iterator<Item = Option<&'a str>>) {
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        match value {
            None => {}
            Some(value) if value.is_empty() || value.contains([',', '"', '\n', '\r']) => {
                text.push('"');
                text.push_str(&value.replace('"', "\"\""));
                text.push('"');
            }
            Some(value) => text.push_str(value),
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_from_a_csv_reader() {
        let columns = ["a".to_owned(), "b,c".to_owned()];
        let values = ["x", "", "a\"b", "two\r\nlines", "\u{1b}[2J", " pads ", "é,"];
        let rows: Vec<Vec<Option<String>>> = values
            .iter()
            .map(|value| vec![Some((*value).to_owned()), None])
            .collect();
        let text = of(&columns, &rows);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), vec!["a", "b,c"]);
        let read: Vec<String> = reader
            .records()
            .map(|record| record.unwrap()[0].to_owned())
            .collect();
        assert_eq!(read, values);
        assert!(text.starts_with("a,\"b,c\"\nx,\n\"\",\n"), "{text}");
    }
}
