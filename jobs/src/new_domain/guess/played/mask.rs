//! The form of texts: what in them is a digit, a hexadecimal digit, a letter, and what is always the same. In a mask `#` is a digit, `%` a
//! hexadecimal one, `@` a small letter, `*` a small letter or a digit; what stands behind `\` is itself.

/// Hexadecimal digits from which on a run of them is an identifier and no word.
const HEXADECIMAL: usize = 12;
/// Letters and digits from which on a mixture of both is an identifier.
const MIXED: usize = 10;

/// The form of a text: digits are free, words are kept. `words`: whether they are free as well.
pub(super) fn mask(text: &str, words: bool) -> String {
    let hexadecimal = is_hexadecimal(text);
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest
            .find(|letter: char| !letter.is_alphanumeric())
            .unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end.max(if end == 0 { first.len_utf8() } else { 0 }));
        if end == 0 {
            same(&mut out, first);
        } else {
            of_run(&mut out, run, hexadecimal, words);
        }
        rest = behind;
    }
    out
}

/// Whether the text is hexadecimal digits, in groups perhaps, as those of a UUID.
fn is_hexadecimal(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| *byte != b'-');
    text.len() >= HEXADECIMAL && digits.clone().all(is_hex) && text.bytes().any(is_digit)
}

fn of_run(out: &mut String, run: &str, hexadecimal: bool, words: bool) {
    let letters = run.bytes().any(|byte| byte.is_ascii_alphabetic());
    let digits = run.bytes().filter(|byte| is_digit(*byte)).count();
    let count = run.chars().count();
    let identifier = letters && digits > 0;
    if letters && (hexadecimal || identifier && count >= HEXADECIMAL && run.bytes().all(is_hex)) {
        out.extend(std::iter::repeat_n('%', count));
    } else if identifier && digits >= 2 && count >= MIXED {
        out.extend(std::iter::repeat_n('*', count));
    } else {
        for letter in run.chars() {
            match letter {
                _ if letter.is_ascii_digit() && hexadecimal => out.push('%'),
                _ if letter.is_ascii_digit() => out.push('#'),
                _ if words => out.push('@'),
                _ => same(out, letter),
            }
        }
    }
}

/// A letter that stands for itself.
fn same(out: &mut String, letter: char) {
    if "#%@*\\".contains(letter) {
        out.push('\\');
    }
    out.push(letter);
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// How many different texts have a form, as a power of ten.
pub(super) fn room(mask: &str) -> f64 {
    let mut quoted = false;
    let mut room = 0.0;
    for letter in mask.chars() {
        room += match letter {
            _ if quoted => 0.0,
            '#' => 1.0,
            '%' => 1.2,
            '@' => 1.4,
            '*' => 1.5,
            _ => 0.0,
        };
        quoted = letter == '\\' && !quoted;
    }
    room
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_identifiers_are_free_and_words_are_kept() {
        for (text, form) in [
            ("P12", "P##"),
            ("user-7", "user-#"),
            (
                "00000000-0000-4000-8000-00000000000a",
                "%%%%%%%%-%%%%-%%%%-%%%%-%%%%%%%%%%%%",
            ),
            ("ajs-next-3f2a1b0c4d5e", "ajs-next-%%%%%%%%%%%%"),
            ("01hz3k9q2x7t", "************"),
            ("https://x.example/p?id=9", "https://x.example/p?id=#"),
            ("50% @ #1", "##\\% \\@ \\##"),
            ("caf\u{e9} 2", "caf\u{e9} #"),
            ("", ""),
        ] {
            assert_eq!(mask(text, false), form, "{text}");
        }
        assert_eq!(mask("Ann.Lee@x.io 1", true), "@@@.@@@\\@@.@@ #");
        assert!((room("P##\\#") - 2.0).abs() < 1e-9);
    }
}
