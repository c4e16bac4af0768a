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

/// Whether a text has a card number anywhere in it: alone, or in groups of three digits and more,
/// so that dates and parts of longer numbers are not taken for one.
pub(crate) fn has_card_number(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    text.split(|c| !is_part(c)).any(|run| {
        let groups: Vec<&str> = run.split([' ', '-']).filter(|g| !g.is_empty()).collect();
        (0..groups.len()).any(|first| {
            let mut number = String::new();
            for group in groups.iter().skip(first) {
                number.push_str(group);
                if number.len() > 19 {
                    return false;
                }
                if group.len() < 3 {
                    return false;
                }
                if is_card_number(&number) {
                    return true;
                }
            }
            false
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
        // Dates, and a long number that a card number could be cut out of.
        assert!(is_card_number("2026 11 01 2026 11 05"));
        assert!(!has_card_number("2026-11-01 2026-11-05"));
        assert!(!has_card_number("id 94242424242424242"));
        assert!(has_card_number("2026-11-22 4242 4242 4242 4242 12 27"));
        assert!(has_card_number(&format!(
            "{} 4242424242424242",
            "7 ".repeat(50)
        )));
    }
}
