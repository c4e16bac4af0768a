//! Card numbers are recognised only to be kept out.

/// Whether the text as a whole reads as a card number: 13 to 19 digits, perhaps in groups, that
/// begin as the large networks' do (2 to 6) and pass the Luhn check (ISO/IEC 7812-1).
pub(crate) fn is_card_number(text: &str) -> bool {
    let mut digits = Vec::with_capacity(19);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' if digits.len() < 19 => digits.push(u32::from(byte - b'0')),
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    let doubled = |d: u32| if d > 4 { d * 2 - 9 } else { d * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            if place % 2 == 1 {
                doubled(digit)
            } else {
                digit
            }
        })
        .sum();
    digits.len() >= 13 && matches!(digits.first(), Some(2..=6)) && sum.is_multiple_of(10)
}

/// Whether a text has a card number anywhere in it.
pub(crate) fn has_card_number(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    text.split(|c| !is_part(c)).any(|run| {
        let starts = run
            .char_indices()
            .filter(|(_, c)| c.is_ascii_digit())
            .map(|(at, _)| at);
        let ends: Vec<usize> = run
            .char_indices()
            .filter(|(_, c)| c.is_ascii_digit())
            .map(|(at, _)| at + 1)
            .collect();
        // A run of digits longer than any card number is something else and is not searched.
        ends.len() <= 40
            && starts.enumerate().any(|(first, start)| {
                (13..=19).any(|length| {
                    let end = ends.get(first + length - 1);
                    end.and_then(|&end| run.get(start..end))
                        .is_some_and(is_card_number)
                })
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::OrderId;

    #[test]
    fn card_numbers_are_recognised() {
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "3782-822463-10005",
        ] {
            assert!(is_card_number(text), "{text}");
            assert!(OrderId::new(text).is_err());
            assert!(has_card_number(&format!("card {text}, thanks")), "{text}");
        }
        for text in [
            "4242424242424241",
            "A4242424242424242",
            "1700000000000",
            "42424242",
        ] {
            assert!(!is_card_number(text), "{text}");
            assert!(OrderId::new(text).is_ok());
        }
        assert!(!has_card_number("order 1001 of 2026-11-22"));
    }
}
