//! References that payers write into free bank text: structured ones, proven by their check
//! digits, and those of a shape that the host declared.

use super::reference::ReferenceRules;

/// The references in `text`, best proven first: as written, then without their check digits.
///
/// A line break stands where a bank cut the text, between words or within one: references are
/// looked for both with the break and without it.
///
/// Each has to be looked up as a whole. A number with a good check digit is found by chance in one
/// text of ten, so it means something only if an order answers to it.
pub(crate) fn references(text: &str, rules: &ReferenceRules) -> Vec<String> {
    let text = tight_breaks(text);
    let mut found = Vec::new();
    if rules.structured {
        creditor_references(&text, &mut found);
        numbers(&text, &mut found);
    }
    for pattern in &rules.patterns {
        by_pattern(&text, pattern, rules, &mut found);
    }
    found
}

/// The text without the spaces around its breaks, which are padding.
fn tight_breaks(text: &str) -> String {
    let lines = text.split(['\n', '\r']).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
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

/// Over so many breaks one number may go.
const PIECES_MAX: usize = 4;

/// Norwegian KID (2 to 25 digits, mod 10 or mod 11, where `-` stands for 10) and Swedish OCR (2 to
/// 25 digits, mod 10): whole numbers whose last character proves the rest.
fn numbers(text: &str, found: &mut Vec<String>) {
    let is_digit = |c: char| c.is_ascii_digit() || c == '-';
    let whole = text.replace('\n', "");
    let may_be = |number: &str| {
        let least = if number == whole { 2 } else { IN_TEXT_MIN };
        (least..=25).contains(&number.len())
    };
    let runs = text.split(|c: char| !is_digit(c) && c != '\n');
    for run in runs {
        let pieces: Vec<&str> = run.split('\n').collect();
        for first in 0..pieces.len() {
            let mut number = String::new();
            for piece in pieces.iter().skip(first).take(PIECES_MAX) {
                number.push_str(piece);
                if piece.is_empty() {
                    break;
                }
                if may_be(&number) && (has_mod_10(&number) || has_mod_11(&number)) {
                    found.push(number.clone());
                    found.extend(number.get(..number.len() - 1).map(str::to_owned));
                }
            }
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

/// Whole words of the declared shape. Where the shape has a separator, the text may have another,
/// or a few, and between letters and digits none at all.
fn by_pattern(text: &str, pattern: &str, rules: &ReferenceRules, found: &mut Vec<String>) {
    let shape: Vec<char> = pattern.chars().collect();
    let letters: Vec<char> = text.chars().collect();
    if shape.is_empty() {
        return;
    }
    for start in 0..letters.len() {
        let before = start.checked_sub(1).and_then(|at| letters.get(at));
        if !is_edge(before) {
            continue;
        }
        if let Some((reference, end)) = fitting(&shape, &letters, start, rules)
            && is_edge(letters.get(end))
            && !found.contains(&reference)
        {
            found.push(reference);
        }
    }
}

fn is_edge(at: Option<&char>) -> bool {
    at.is_none_or(|c| !c.is_alphanumeric())
}

/// So many separators may stand where the shape has one.
const SEPARATORS_MAX: usize = 3;

/// What of `letters` from `start` on fits the shape, and where it ends.
fn fitting(
    shape: &[char],
    letters: &[char],
    start: usize,
    rules: &ReferenceRules,
) -> Option<(String, usize)> {
    let parts = |c: char| rules.separators.contains(c) && !c.is_alphanumeric();
    let mut reference = String::new();
    let mut at = start;
    for (place, want) in shape.iter().enumerate() {
        if parts(*want) && !matches!(want, '#' | '@' | '?') {
            let is_one = |c: &&char| parts(**c) || **c == '\n' || is_dash(**c);
            let rest = letters.get(at..).unwrap_or_default().iter();
            let count = rest.take(SEPARATORS_MAX).take_while(is_one).count();
            let before = place.checked_sub(1).and_then(|place| shape.get(place));
            let after = shape.get(place + 1);
            let may_lack = before
                .zip(after)
                .is_some_and(|(a, b)| is_number(*a) != is_number(*b));
            if count == 0 && !may_lack {
                return None;
            }
            at += count;
            reference.push(*want);
            continue;
        }
        // The bank may have cut the text here.
        if at > start && letters.get(at) == Some(&'\n') {
            at += 1;
        }
        let is = *letters.get(at)?;
        let fits = match want {
            '#' => is.is_ascii_digit(),
            '@' => is.is_ascii_alphabetic(),
            '?' => is.is_ascii_alphanumeric(),
            other => other.eq_ignore_ascii_case(&is),
        };
        if !fits {
            return None;
        }
        reference.push(is);
        at += 1;
    }
    Some((reference, at))
}

/// Whether a character of a shape stands for a digit.
const fn is_number(shape: char) -> bool {
    matches!(shape, '#' | '0'..='9')
}

/// Dashes that programs put in the place of a hyphen.
const fn is_dash(c: char) -> bool {
    matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{a0}' | ':')
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
    fn numbers_cut_by_a_break_are_looked_up_with_it_and_without() {
        let rules = ReferenceRules::default();
        let found = references("paid 1234567\n8903\n55 thanks", &rules);
        assert!(found.contains(&"12345678903".to_owned()), "{found:?}");
        assert_eq!(references("10000\n47", &rules), ["1000047", "100004"]);
        assert_eq!(references("1000047\nthanks", &rules), ["1000047", "100004"]);
        let found = references("RF18 5390 0754 70\n34\nCustomer", &rules);
        assert_eq!(found[0], "RF18539007547034");
        let many = "12\n".repeat(50);
        assert!(references(&many, &rules).len() < 200);
    }

    #[test]
    fn separators_between_digits_are_never_left_out() {
        let mut rules = ReferenceRules::default().with_pattern("##-##");
        rules.structured = false;
        assert_eq!(references("12-34", &rules), ["12-34"]);
        assert_eq!(references("12/34", &rules), ["12-34"]);
        assert!(references("1234", &rules).is_empty(), "any four digits");
    }

    #[test]
    fn a_declared_shape_is_found_only_as_a_whole_word() {
        let mut rules = ReferenceRules::default().with_pattern("INV-####");
        rules.structured = false;
        for (text, expected) in [
            ("INV-1001", vec!["INV-1001"]),
            ("for inv-1001, and INV-1002!", vec!["inv-1001", "INV-1002"]),
            ("XINV-1001", vec![]),
            // Another separator, several, or none between letters and digits.
            ("inv 1001", vec!["inv-1001"]),
            ("INV1001 thanks", vec!["INV-1001"]),
            ("INV - 1001", vec!["INV-1001"]),
            ("INV\u{2013}1001", vec!["INV-1001"]),
            ("invoice_INV_1001_x", vec!["INV-1001"]),
            ("INV    1001", vec![]),
            // Cut within it, and cut on either side.
            ("Invoice INV-10\n01 of May", vec!["INV-1001"]),
            ("INV-\n1001", vec!["INV-1001"]),
            ("IN \n V-1001", vec!["INV-1001"]),
            ("INV-1001\nCUSTOMER", vec!["INV-1001"]),
            ("CUSTOMER\nINV-1001", vec!["INV-1001"]),
            ("INV-1\n0\n0\n1", vec!["INV-1001"]),
            ("INV-1001\n2 pieces", vec!["INV-1001"]),
            ("INV-10 01", vec![]),
            ("INV-10012", vec![]),
            ("INV-100", vec![]),
        ] {
            assert_eq!(references(text, &rules), expected, "{text}");
        }
    }
}
