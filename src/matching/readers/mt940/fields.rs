//! The fields of an MT940 or MT942 file, however its lines end and whatever stands around them.

/// A field: its tag, its text over one line or more, and where it begins.
pub(super) struct Field {
    pub(super) line: u64,
    pub(super) tag: String,
    pub(super) value: String,
}

/// The tags of statements and interim reports. A text may have lines such as `:12:30 Uhr` too.
const TAGS: [&str; 22] = [
    "13", "13D", "20", "21", "25", "25P", "28", "28C", "34F", "60F", "60M", "61", "62F", "62M",
    "64", "65", "86", "90C", "90D", "NS", "940", "942",
];

/// Whether a line begins with the tag of a field.
pub(in super::super) fn is_tagged(line: &str) -> bool {
    tagged(line).is_some()
}

fn tagged(line: &str) -> Option<(&str, &str)> {
    let (tag, value) = line.strip_prefix(':')?.split_once(':')?;
    TAGS.contains(&tag).then_some((tag, value))
}

/// Splits the text at the lines that begin with a tag, such as `:61:`.
pub(super) fn fields(text: &str) -> Vec<Field> {
    let text = with_line_feeds(text);
    let lines: Vec<&str> = text.split('\n').map(plain).collect();
    let mut fields: Vec<Field> = Vec::new();
    let mut is_between = false;
    for (at, line) in lines.iter().enumerate() {
        let number = at as u64 + 1;
        // The envelope of SWIFT may precede the first field on its line.
        let line = line.split_once("{4:").map_or(*line, |(_, rest)| rest);
        if let Some((tag, value)) = tagged(line) {
            is_between = false;
            fields.push(Field {
                line: number,
                tag: tag.to_owned(),
                value: value.to_owned(),
            });
            continue;
        }
        is_between |= ends_message(line, lines.get(at + 1..).unwrap_or_default());
        if let Some(field) = fields.last_mut().filter(|_| !is_between) {
            field.value.push('\n');
            field.value.push_str(line.trim_end());
        }
    }
    fields
}

/// A line without what is no text: control characters around it, and the mark of UTF-8.
fn plain(line: &str) -> &str {
    line.trim_matches(|c: char| (c.is_control() && c != '\t') || c == '\u{feff}')
}

/// Whether a message ends with this line. A text may have lines that begin with a dash too, and
/// one that has nothing else, so that what follows decides.
fn ends_message(line: &str, after: &[&str]) -> bool {
    if line.starts_with("-}") || line.starts_with("{1:") || line.starts_with("{5:") {
        return true;
    }
    let next = after.iter().find_map(|line| tagged(line));
    line.trim_end() == "-"
        && next.is_none_or(|(tag, _)| !matches!(tag, "61" | "86" | "62F" | "62M"))
}

/// The text with a line feed after each line: they may end with carriage returns, or with `@@`.
fn with_line_feeds(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let starts = text.trim_start_matches('\u{feff}').trim_start();
    if starts.starts_with("@@") || (!text.contains('\n') && text.contains("@@:")) {
        return text.replace("@@", "\n");
    }
    text
}
