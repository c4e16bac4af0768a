//! Field 86: the text of an entry, in the ways of the banks.

/// What field 86 says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// The text, with a line break where the bank cut it.
    pub(super) text: String,
    /// The name of the other side.
    pub(super) payer: Option<String>,
    /// The account of the other side.
    pub(super) payer_account: Option<String>,
    /// The transaction code of German and Polish banks, such as 166.
    pub(super) code: Option<u16>,
}

/// Reads the text of field 86.
pub(super) fn details(value: &str) -> Details {
    let value = trimmed_lines(value);
    marked(&value)
        .or_else(|| slashed(&value))
        .unwrap_or_else(|| plain(&value))
}

/// The lines without padding, and without those that are empty.
fn trimmed_lines(value: &str) -> String {
    let lines = value.split('\n').map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Subfields with a mark and two digits, such as `?20` or `~20`, after three digits of code. The
/// text is in 20 to 29 and 60 to 65, the other side's account in 31 or 38, its name in 32 and 33.
///
/// A subfield is full after 27 characters, wherever in a word that is, and lines are too.
fn marked(value: &str) -> Option<Details> {
    let head = value
        .get(..3)
        .filter(|head| head.bytes().all(|b| b.is_ascii_digit()));
    let rest = head.map_or(value, |_| value.get(3..).unwrap_or_default());
    let rest = rest.trim_start();
    let mark = rest
        .chars()
        .next()
        .filter(|c| is_mark(*c, head.is_some()))?;
    let fields = subfields(rest, mark);
    let first = fields.first()?;
    if !starts_with_mark(rest, mark) || (head.is_none() && fields.len() < 2) {
        return None;
    }
    let _ = first;
    let of = |wanted: fn(u8) -> bool| {
        let found = fields.iter().filter(move |(number, _)| wanted(*number));
        found
            .map(|(_, text)| text.as_str())
            .filter(|text| !text.trim().is_empty())
            .collect::<Vec<_>>()
    };
    let text = of(|number| matches!(number, 20..=29 | 60..=65));
    let names = of(|number| matches!(number, 32 | 33));
    let accounts = of(|number| matches!(number, 38));
    let accounts = accounts.into_iter().chain(of(|number| number == 31));
    let all: Vec<&str> = text.iter().chain(&names).copied().collect();
    Some(Details {
        text: if all.is_empty() {
            value.to_owned()
        } else {
            all.join("\n")
        },
        payer: name(&names),
        payer_account: accounts.filter_map(account).next(),
        code: head.and_then(|head| head.parse().ok()),
    })
}

/// Without a code before it, only what banks are known to use is taken for a mark.
fn is_mark(c: char, has_code: bool) -> bool {
    match c {
        '?' | '~' | '<' | '>' | '^' => true,
        _ => has_code && c.is_ascii_punctuation() && !matches!(c, ',' | '.' | '-'),
    }
}

fn starts_with_mark(rest: &str, mark: char) -> bool {
    let digits: String = rest
        .chars()
        .filter(|c| *c != '\n')
        .skip(1)
        .take(2)
        .collect();
    rest.starts_with(mark) && is_number(&digits)
}

fn is_number(digits: &str) -> bool {
    matches!(digits.parse::<u8>(), Ok(0..=39 | 60..=65)) && digits.len() == 2
}

/// The subfields by number. A line may end within a mark.
fn subfields(text: &str, mark: char) -> Vec<(u8, String)> {
    let mut fields: Vec<(u8, String)> = Vec::new();
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    while let Some(c) = chars.get(at) {
        let mut digits = String::new();
        let mut end = at + 1;
        while *c == mark && digits.len() < 2 {
            match chars.get(end) {
                Some('\n') => {}
                Some(digit) if digit.is_ascii_digit() => digits.push(*digit),
                _ => break,
            }
            end += 1;
        }
        if is_number(&digits)
            && let Ok(number) = digits.parse()
        {
            fields.push((number, String::new()));
            at = end;
            continue;
        }
        if let Some((_, text)) = fields.last_mut() {
            text.push(*c);
        }
        at += 1;
    }
    for (_, text) in &mut fields {
        let kept = text.trim_matches('\n').to_owned();
        *text = kept;
    }
    fields
}

/// A name over two subfields: a full one goes on in the next.
fn name(parts: &[&str]) -> Option<String> {
    const FULL: usize = 27;
    let mut name = String::new();
    for part in parts {
        let whole = part.replace('\n', "");
        name.push_str(&whole);
        if whole.chars().count() != FULL {
            name.push(' ');
        }
    }
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// An account as banks write it, without spaces; `None` if it says nothing.
fn account(text: &str) -> Option<String> {
    let account: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let says_something = account.bytes().any(|b| b.is_ascii_digit() && b != b'0');
    says_something.then_some(account)
}

/// Words between slashes, as Dutch banks and SWIFT write them: `/IBAN/…/NAME/…/REMI/…`. The text is
/// kept whole.
fn slashed(value: &str) -> Option<Details> {
    let joined = value.replace('\n', "");
    let parts: Vec<&str> = joined.strip_prefix('/')?.split('/').collect();
    let after = |word: &str| {
        let at = parts.iter().position(|part| *part == word)?;
        let mut values = parts.iter().skip(at + 1).filter(|part| !part.is_empty());
        values.next().map(|value| value.trim().to_owned())
    };
    const WORDS: [&str; 9] = [
        "IBAN", "NAME", "REMI", "EREF", "TRTP", "CNTP", "BENM", "ORDP", "OCMT",
    ];
    if !parts.iter().any(|part| WORDS.contains(part)) {
        return None;
    }
    // ING: account, bank, name and town.
    let counterparty = parts.iter().position(|part| *part == "CNTP");
    let of_counterparty = |nth: usize| {
        let value = parts.get(counterparty? + nth)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    Some(Details {
        text: value.to_owned(),
        payer: of_counterparty(3).or_else(|| after("NAME")),
        payer_account: of_counterparty(1)
            .or_else(|| after("IBAN"))
            .and_then(|text| account(&text)),
        code: None,
    })
}

/// Any other text. Some Dutch banks begin it with the account and the name of the other side.
fn plain(value: &str) -> Details {
    let line = value.split('\n').next().unwrap_or_default();
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let iban = Some(first).filter(|first| is_iban(first));
    let name = Some(rest.trim()).filter(|rest| iban.is_some() && !rest.is_empty());
    Details {
        text: value.to_owned(),
        payer: name.map(str::to_owned),
        payer_account: iban.map(str::to_owned),
        code: None,
    }
}

/// Whether a word looks like an IBAN: country, check digits, account.
fn is_iban(word: &str) -> bool {
    let bytes = word.as_bytes();
    (15..=34).contains(&bytes.len())
        && bytes.iter().take(2).all(u8::is_ascii_uppercase)
        && bytes.iter().skip(2).take(2).all(u8::is_ascii_digit)
        && bytes
            .iter()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && bytes.iter().skip(4).any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> (String, Option<String>, Option<String>) {
        let found = details(value);
        (found.text, found.payer, found.payer_account)
    }

    #[test]
    fn details_with_marks_give_text_name_and_account() {
        for (value, text, payer, account) in [
            (
                "166?00GUTSCHRIFT?20Rechnung A-00?2117 danke?30COBADEFF?31DE021203?32Kari Nordmann",
                "Rechnung A-00\n17 danke\nKari Nordmann",
                Some("Kari Nordmann"),
                Some("DE021203"),
            ),
            (
                "020~00BKTRPRZELEW~20za A-00~2117~30101000~38PL101000~32KARI",
                "za A-00\n17\nKARI",
                Some("KARI"),
                Some("PL101000"),
            ),
            (
                "020<00Przelew<20A-00<2117<27KARI",
                "A-00\n17\nKARI",
                None,
                None,
            ),
            (
                "000>100133967858\n>20 HUUR>21 KANTOOR>310390123456",
                " HUUR\n KANTOOR",
                None,
                Some("0390123456"),
            ),
            ("166^00CREDIT^20A-17", "A-17", None, None),
            ("?20A-17?32KARI", "A-17\nKARI", Some("KARI"), None),
            // A line ends within a mark, and within a word.
            (
                "166?00CREDIT?2\n0A-1\n7?3\n2KARI",
                "A-1\n7\nKARI",
                Some("KARI"),
                None,
            ),
            // A question that is no mark.
            (
                "166?20really? 5 of 7?32KARI",
                "really? 5 of 7\nKARI",
                Some("KARI"),
                None,
            ),
            (
                "166?20A-1?32Kari Nordmann und Partner G?33mbH",
                "A-1\nKari Nordmann und Partner G\nmbH",
                Some("Kari Nordmann und Partner GmbH"),
                None,
            ),
        ] {
            let expected = (
                text.to_owned(),
                payer.map(str::to_owned),
                account.map(str::to_owned),
            );
            assert_eq!(shown(value), expected, "{value}");
        }
        assert_eq!(details("166?20A-1").code, Some(166));
    }

    #[test]
    fn details_without_marks_stay_whole() {
        for value in [
            "INV 17\nKARI",
            "911 TRANSFER; ID: 7",
            "what?\nnothing",
            "166",
            "",
            "051 2 pieces",
            "?",
        ] {
            assert_eq!(shown(value), (value.to_owned(), None, None), "{value}");
        }
        assert_eq!(details("a   \n   \nb  ").text, "a\nb");
    }

    #[test]
    fn details_of_dutch_banks_give_name_and_account() {
        let both = (
            Some("K Nordmann".to_owned()),
            Some("NL91ABNA0417164300".to_owned()),
        );
        for value in [
            "/TRTP/SEPA OVERBOEKING/IBAN/NL91ABNA0417164300/BIC/ABNA/NAME/K Nordmann/REMI/A-1",
            "/EREF/NOTPROVIDED//CNTP/NL91ABNA0417164300/ABNANL2A/K Nordmann///REMI/USTD//A-1/",
            "/IBAN/NL91ABNA0417164300/NAME/K Nord\nmann/REMI/A-1",
            "NL91ABNA0417164300 K Nordmann\nA-1",
        ] {
            let (text, payer, account) = shown(value);
            assert_eq!((text.as_str(), (payer, account)), (value, both.clone()));
        }
    }
}
