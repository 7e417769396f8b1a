//! Numbers and identifiers as JSON text.

/// Two decimals if they tell it all, else three; whole numbers with one.
pub(super) fn write_thousandths(out: &mut Vec<u8>, thousandths: u16) {
    let digit = |place: u16| b'0' + (thousandths / place % 10) as u8;
    out.extend_from_slice(&[digit(1000), b'.']);
    if thousandths.is_multiple_of(1000) {
        out.push(b'0');
        return;
    }
    out.extend_from_slice(&[digit(100), digit(10)]);
    if !thousandths.is_multiple_of(10) {
        out.push(digit(1));
    }
}

/// A whole number.
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut text = [0; 20];
    let mut from = text.len();
    loop {
        from -= 1;
        text[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[from..]);
}

/// A quoted version 4 UUID.
pub(super) fn write_id(out: &mut Vec<u8>, [high, low]: [u64; 2]) {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    out.push(b'"');
    write_hex(out, high >> 32, 8);
    out.push(b'-');
    write_hex(out, high >> 16, 4);
    out.push(b'-');
    write_hex(out, high, 4);
    out.push(b'-');
    write_hex(out, low >> 48, 4);
    out.push(b'-');
    write_hex(out, low, 12);
    out.push(b'"');
}

/// The lowest `digits` hexadecimal digits, at most 16.
pub(super) fn write_hex(out: &mut Vec<u8>, bits: u64, digits: usize) {
    let mut text = [0; 16];
    let mut rest = bits;
    for place in text[..digits].iter_mut().rev() {
        *place = b"0123456789abcdef"[(rest & 15) as usize];
        rest >>= 4;
    }
    out.extend_from_slice(&text[..digits]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_keep_the_digits_that_tell_something() {
        let text = |thousandths| {
            let mut out = Vec::new();
            write_thousandths(&mut out, thousandths);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            [0, 5, 50, 295, 300, 945, 1000].map(text),
            ["0.0", "0.005", "0.05", "0.295", "0.30", "0.945", "1.0"]
        );
    }

    #[test]
    fn identifiers_are_version_4_uuids() {
        let mut out = Vec::new();
        write_id(&mut out, [u64::MAX, u64::MAX]);
        write_id(&mut out, [0x0123_4567_89ab_cdef, 0]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"ffffffff-ffff-4fff-bfff-ffffffffffff\"\"01234567-89ab-4def-8000-000000000000\""
        );
    }

    #[test]
    fn numbers() {
        let mut out = Vec::new();
        for number in [0, 7, 1_234_567_890, u64::MAX] {
            write_number(&mut out, number);
            out.push(b' ');
        }
        assert_eq!(out, b"0 7 1234567890 18446744073709551615 ");
    }
}
