//! References that payers write into free bank text: structured ones, proven by their check
//! digits, and those of a shape that the host declared.

use super::reference::ReferenceRules;

/// The references in `text`, best proven first: as written, then without their check digits.
///
/// Each has to be looked up as a whole. A number with a good check digit is found by chance in one
/// text of ten, so it means something only if an order answers to it.
pub(crate) fn references(text: &str, rules: &ReferenceRules) -> Vec<String> {
    let mut found = Vec::new();
    if rules.structured {
        creditor_references(text, &mut found);
        numbers(text, &mut found);
    }
    for pattern in &rules.patterns {
        by_pattern(text, pattern, &mut found);
    }
    found
}

/// ISO 11649 creditor references: `RF`, two check digits, up to 21 letters and digits, mod 97,
/// written in one piece or in groups of four.
fn creditor_references(text: &str, found: &mut Vec<String>) {
    let words: Vec<&str> = words(text).collect();
    for (first, word) in words.iter().enumerate() {
        let starts = word.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("RF"));
        if !starts {
            continue;
        }
        // The paper form is cut in groups, so that following words may belong to it.
        let mut joined = String::new();
        let mut longest = None;
        for part in words.iter().skip(first) {
            joined.push_str(&part.to_ascii_uppercase());
            if joined.len() > 25 {
                break;
            }
            if is_creditor_reference(&joined) {
                longest = Some(joined.clone());
            }
        }
        if let Some(reference) = longest {
            let body = reference.get(4..).unwrap_or_default();
            found.push(body.trim_start_matches('0').to_owned());
            found.push(body.to_owned());
            found.insert(0, reference);
        }
    }
}

/// Whether the text is an ISO 11649 creditor reference with a right check sum.
pub(crate) fn is_creditor_reference(text: &str) -> bool {
    let well_formed = (5..=25).contains(&text.len())
        && text.starts_with("RF")
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    let (head, body) = text.split_at_checked(4).unwrap_or((text, ""));
    let digits = head.bytes().skip(2).all(|b| b.is_ascii_digit());
    well_formed && digits && mod_97(body.bytes().chain(head.bytes())) == 1
}

/// ISO/IEC 7064 MOD 97-10, with letters as 10 to 35.
fn mod_97(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0, |sum, byte| match byte {
        b'0'..=b'9' => (sum * 10 + u32::from(byte - b'0')) % 97,
        _ => (sum * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97,
    })
}

/// A shorter number among words is a day, a count or a price: one in five of them has a good check
/// digit, and where orders are counted from 1 there is an order of that number too.
const IN_TEXT_MIN: usize = 5;

/// Norwegian KID (2 to 25 digits, mod 10 or mod 11, where `-` stands for 10) and Swedish OCR (2 to
/// 25 digits, mod 10): whole numbers whose last character proves the rest.
fn numbers(text: &str, found: &mut Vec<String>) {
    let pieces = text.split(|c: char| !(c.is_ascii_digit() || c == '-'));
    let is_alone = |piece: &str| piece == text.trim();
    let may_be = |piece: &&str| {
        let least = if is_alone(piece) { 2 } else { IN_TEXT_MIN };
        (least..=25).contains(&piece.len())
    };
    for piece in pieces.filter(may_be) {
        if has_mod_10(piece) || has_mod_11(piece) {
            found.push(piece.to_owned());
            found.extend(piece.get(..piece.len() - 1).map(str::to_owned));
        }
    }
}

/// Whether the last digit is right by the Luhn formula (ISO/IEC 7812-1 annex B).
pub(crate) fn has_mod_10(number: &str) -> bool {
    let sum = number
        .bytes()
        .rev()
        .enumerate()
        .try_fold(0, |sum, (place, byte)| {
            let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
            let weighted = if place % 2 == 0 { digit } else { digit * 2 };
            Some(sum + weighted / 10 + weighted % 10)
        });
    sum.is_some_and(|sum| sum % 10 == 0)
}

/// Whether the last character is right by mod 11 with weights 2 to 7 from the right, as KID uses
/// it; `-` stands for 10.
pub(crate) fn has_mod_11(number: &str) -> bool {
    let Some((body, check)) = number.split_at_checked(number.len().saturating_sub(1)) else {
        return false;
    };
    let sum = body
        .bytes()
        .rev()
        .zip((2..=7).cycle())
        .try_fold(0, |sum, (byte, weight)| {
            let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
            Some(sum + digit * weight)
        });
    let Some(sum) = sum.filter(|_| !body.is_empty()) else {
        return false;
    };
    match (11 - sum % 11) % 11 {
        10 => check == "-",
        right => check == right.to_string(),
    }
}

/// Whole words of the declared shape.
fn by_pattern(text: &str, pattern: &str, found: &mut Vec<String>) {
    let shape: Vec<char> = pattern.chars().collect();
    let letters: Vec<char> = text.chars().collect();
    if shape.is_empty() {
        return;
    }
    let edge = |at: Option<&char>| at.is_none_or(|c| !c.is_alphanumeric());
    for (start, window) in letters.windows(shape.len()).enumerate() {
        let before = start.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(start + shape.len());
        let fits = shape.iter().zip(window).all(|(want, is)| match want {
            '#' => is.is_ascii_digit(),
            '@' => is.is_ascii_alphabetic(),
            '?' => is.is_ascii_alphanumeric(),
            other => other.eq_ignore_ascii_case(is),
        });
        if fits && edge(before) && edge(after) {
            found.push(window.iter().collect());
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_prove_and_refuse() {
        for good in ["RF18539007547034", "RF712348231", "RF45G72UUR"] {
            assert!(is_creditor_reference(good), "{good}");
        }
        for bad in [
            "RF18539007547035",
            "RF",
            "RF00",
            "rf18539007547034",
            "RFé8539",
            // The sum is right, and the form is not: too short, too long, no RF, no check digits.
            "RF04",
            "RF191234567890123456789012",
            "RX43123456",
            "RFI5123456",
        ] {
            assert!(!is_creditor_reference(bad), "{bad}");
        }
        assert!(has_mod_10("12345678903") && !has_mod_10("12345678904"));
        // Worked by hand: 1234567 weighs 7*2+6*3+5*4+4*5+3*6+2*7+1*2 = 106, and 11 - 106 % 11 = 4.
        assert!(has_mod_11("12345674") && !has_mod_11("12345675") && !has_mod_11("4"));
        // 100004 weighs 4*2+1*7 = 15, and 11 - 15 % 11 = 7; 1000005 weighs 12, and 10 is `-`.
        assert!(has_mod_11("1000047") && has_mod_11("1000005-") && !has_mod_11("10000050"));
    }

    #[test]
    fn references_are_found_whole_in_free_text() {
        let rules = ReferenceRules::default().with_pattern("INV-####");
        let found = |text: &str| references(text, &rules);
        assert_eq!(found("pay RF18 5390 0754 7034 ok")[0], "RF18539007547034");
        assert!(found("KID 12345678903.").contains(&"12345678903".to_owned()));
        assert!(found("thanks for inv-1001!").contains(&"inv-1001".to_owned()));
        assert!(
            found("thanks for INV-10012")
                .iter()
                .all(|r| !r.contains("INV"))
        );
        assert!(found("no number here").is_empty());
    }

    #[test]
    fn a_number_is_looked_up_with_its_check_digit_and_without() {
        let rules = ReferenceRules::default();
        for (kind, number, body) in [
            ("mod 10", "12345678903", "1234567890"),
            ("mod 11", "1000047", "100004"),
        ] {
            let found = references(&format!("paid {number}, thanks"), &rules);
            assert_eq!(found, [number, body], "{kind}");
        }
        assert!(references("paid 1000048, thanks", &rules).is_empty());
    }

    #[test]
    fn a_short_number_counts_only_if_nothing_else_is_written() {
        let rules = ReferenceRules::default();
        for text in ["thanks for 18 November", "18.", "26/11", "table 4242"] {
            assert!(references(text, &rules).is_empty(), "{text}");
        }
        assert_eq!(references(" 18 ", &rules), ["18", "1"]);
        assert_eq!(references("4242", &rules), ["4242", "424"]);
        assert_eq!(references("order 42424", &rules), ["42424", "4242"]);
    }

    #[test]
    fn a_creditor_reference_may_have_25_characters_and_be_cut_in_groups() {
        let rules = ReferenceRules::default();
        let cut = "RF40 1234 5678 9012 3456 7890 1";
        let found = references(cut, &rules);
        assert_eq!(found[0], "RF40123456789012345678901");
    }

    #[test]
    fn a_declared_shape_is_found_only_as_a_whole_word() {
        let mut rules = ReferenceRules::default().with_pattern("INV-####");
        rules.structured = false;
        for (text, expected) in [
            ("INV-1001", vec!["INV-1001"]),
            ("for inv-1001, and INV-1002!", vec!["inv-1001", "INV-1002"]),
            ("XINV-1001", vec![]),
            ("INV-10012", vec![]),
            ("INV-100", vec![]),
        ] {
            assert_eq!(references(text, &rules), expected, "{text}");
        }
    }
}
