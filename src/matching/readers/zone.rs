//! Time zones as provider reports name them.

use jiff::tz::{Offset, TimeZone};

use super::value::cut;
use crate::clock::Timestamp;
use crate::matching::payout::Day;

/// A time as a report writes it beside its zone: the instant, and the day on its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Local {
    pub(super) at: Timestamp,
    pub(super) day: Day,
}

/// Reads a date and time without an offset, on the clock of `zone`. Without a zone it is UTC.
pub(super) fn local(text: &str, zone: Option<&str>) -> Result<Local, String> {
    let wrong = || format!("time “{}” is not one", cut(text));
    let civil: jiff::civil::DateTime = text.trim().parse().map_err(|_| wrong())?;
    let zone = match zone {
        Some(zone) => named(zone.trim())?,
        None => TimeZone::UTC,
    };
    // An hour that the clock has twice, or skips, is read by the rules before the change.
    let instant = zone.to_ambiguous_timestamp(civil).compatible();
    let instant = instant.map_err(|_| wrong())?;
    let midnight = civil.date().to_datetime(jiff::civil::Time::midnight());
    let midnight = TimeZone::UTC.to_timestamp(midnight).map_err(|_| wrong())?;
    let day = Day::of(Timestamp::from_unix(midnight.as_second()), 0);
    Ok(Local {
        at: Timestamp::from_unix(instant.as_second()),
        day: day.ok_or_else(wrong)?,
    })
}

/// A zone by its name in the time zone database, by a usual abbreviation or by its offset.
fn named(name: &str) -> Result<TimeZone, String> {
    if let Some(offset) = offset(name) {
        return Ok(TimeZone::fixed(offset));
    }
    let region = match name {
        // The name of the clock of winter stands for the whole year in some reports. It gives the
        // same instant in winter, and the right one in summer.
        "CET" | "MET" => "Europe/Brussels",
        "EET" => "Europe/Athens",
        "WET" => "Europe/Lisbon",
        "PST" => "America/Los_Angeles",
        "MST" => "America/Denver",
        "CST" => "America/Chicago",
        "EST" => "America/New_York",
        "AEST" => "Australia/Sydney",
        "NZST" => "Pacific/Auckland",
        other => other,
    };
    TimeZone::get(region).map_err(|_| {
        let name = cut(name);
        format!("time zone “{name}” is not known: expected a name such as Europe/Amsterdam or CET")
    })
}

fn offset(name: &str) -> Option<Offset> {
    let minutes = match name {
        "UTC" | "GMT" | "Z" => 0,
        "BST" | "WEST" | "WAT" => 60,
        "CEST" | "MEST" | "CAT" | "SAST" => 2 * 60,
        "EEST" | "MSK" | "EAT" | "TRT" => 3 * 60,
        "GST" => 4 * 60,
        "IST" => 5 * 60 + 30,
        "ICT" | "WIB" => 7 * 60,
        "SGT" | "HKT" | "MYT" | "PHT" | "AWST" => 8 * 60,
        "JST" | "KST" => 9 * 60,
        "AEDT" => 11 * 60,
        "NZDT" => 13 * 60,
        "BRT" | "ART" => -3 * 60,
        "EDT" => -4 * 60,
        "CDT" | "COT" | "PET" => -5 * 60,
        "MDT" => -6 * 60,
        "PDT" => -7 * 60,
        "HST" => -10 * 60,
        other => return written(other),
    };
    Offset::from_seconds(minutes * 60).ok()
}

/// An offset such as `+01:00`, `+0100`, `GMT+1` or `UTC-03:30`.
fn written(name: &str) -> Option<Offset> {
    let bare = name
        .strip_prefix("GMT")
        .or_else(|| name.strip_prefix("UTC"));
    let bare = bare.unwrap_or(name);
    let (sign, digits) = match bare.as_bytes().first()? {
        b'+' => (1, bare.get(1..)?),
        b'-' => (-1, bare.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if hours > 18 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 60 + minutes) * 60).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_on_the_clock_of_its_zone() {
        for (text, zone, instant, day) in [
            (
                "2026-03-05 00:30:00",
                Some("CET"),
                "2026-03-04T23:30:00Z",
                "2026-03-05",
            ),
            (
                "2026-07-05 00:30:00",
                Some("CET"),
                "2026-07-04T22:30:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 00:30:00",
                Some("CEST"),
                "2026-07-04T22:30:00Z",
                "2026-07-05",
            ),
            (
                "2026-03-05 23:30:00",
                Some("PST"),
                "2026-03-06T07:30:00Z",
                "2026-03-05",
            ),
            (
                "2026-07-05 23:30:00",
                Some("PDT"),
                "2026-07-06T06:30:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 00:30:00",
                Some("Europe/Amsterdam"),
                "2026-07-04T22:30:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 09:00:00",
                Some("Asia/Singapore"),
                "2026-07-05T01:00:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 00:30:00",
                Some("GMT+1"),
                "2026-07-04T23:30:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 00:30:00",
                Some("-03:30"),
                "2026-07-05T04:00:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 00:30:00",
                Some("+0530"),
                "2026-07-04T19:00:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05",
                Some("UTC"),
                "2026-07-05T00:00:00Z",
                "2026-07-05",
            ),
            (
                "2026-07-05 00:30:00",
                None,
                "2026-07-05T00:30:00Z",
                "2026-07-05",
            ),
        ] {
            let read = local(text, zone).unwrap();
            let found = (read.at.to_string(), read.day.to_string());
            assert_eq!(
                found,
                (instant.to_owned(), day.to_owned()),
                "{text} {zone:?}"
            );
        }
    }

    #[test]
    fn a_zone_that_is_not_known_is_named() {
        for zone in ["Mars/Olympus", "", "GMT+", "+99:00", "+1:x"] {
            let error = local("2026-03-05 00:30:00", Some(zone)).unwrap_err();
            assert!(
                error.starts_with(&format!("time zone “{zone}” is not known")),
                "{error}"
            );
        }
        assert_eq!(local("soon", None).unwrap_err(), "time “soon” is not one");
    }
}
