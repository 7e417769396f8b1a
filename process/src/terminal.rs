//! Text that others wrote, as it may be shown on a terminal: a value of an event, a name of a file, an error that quotes them. It can hold
//! codes that move the cursor, change the title, turn the direction of reading or hide what follows. Every binary prints such text through
//! here. Not here: CSV, which programs read.

use std::borrow::Cow;

/// One line: every code is written out, also a line's end and a tab.
pub fn escaped(text: &str) -> Cow<'_, str> {
    write_out(text, |_| false)
}

/// Several lines that were put together here, with the ends of lines and tabs left alone.
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    write_out(text, |c| c == '\n' || c == '\t')
}

/// Lines of JSON, in which a code inside a text is written as JSON writes it, so that it means the same.
pub fn escaped_json(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c != '\n' && is_code(c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            let units = c.encode_utf16(&mut [0; 2]).to_vec();
            out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn write_out(text: &str, kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let harmful = |c: char| is_code(c) && !kept(c);
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            _ if !harmful(c) => out.push(c),
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            _ => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Controls of terminals (C0, DEL, C1), ends of lines and paragraphs, marks that change the direction of reading, and letters that no
/// terminal shows.
fn is_code(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_out_and_everything_else_stays() {
        for (text, shown) in [
            ("plain, ünïcode, 한국어, 👩‍👧", "plain, ünïcode, 한국어, 👩‍👧"),
            ("\x1b]0;title\x07\x1b[2J", "\\u{1b}]0;title\\u{7}\\u{1b}[2J"),
            ("\u{9b}2J\u{7f}\0", "\\u{9b}2J\\u{7f}\\u{0}"),
            ("one\r\ntwo\tthree", "one\\r\\ntwo\\tthree"),
            (
                "\u{202e}fdp.exe\u{2066}\u{200f}",
                "\\u{202e}fdp.exe\\u{2066}\\u{200f}",
            ),
            ("a\u{2028}b\u{feff}", "a\\u{2028}b\\u{feff}"),
        ] {
            assert_eq!(escaped(text), shown);
        }
        assert_eq!(escaped_lines("a\n\tb\x1b"), "a\n\tb\\u{1b}");
        assert_eq!(
            escaped_json("{\"a\":\"\u{9b}\u{202e}\u{e0041}é\"}\n"),
            "{\"a\":\"\\u009b\\u202e\\udb40\\udc41é\"}\n"
        );
        assert!(matches!(escaped("plain"), Cow::Borrowed(_)));
    }
}
