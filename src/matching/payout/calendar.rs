//! When a payment is paid out: the cut-off, the business days and the holidays, as declared.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::clock::Timestamp;

const DAY_S: i64 = 86_400;
/// Holidays in a row that are believed. More than this and no business day is ever found.
const CLOSED_DAYS_MAX: u32 = 60;

/// A calendar day, written as `2026-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(jiff::civil::Date);

impl Day {
    /// The day of `year`, `month` (1 to 12) and `day` of the month, if there is one.
    #[must_use]
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        jiff::civil::Date::new(year, month, day).ok().map(Self)
    }

    /// The day in which `instant` falls, `utc_offset_s` seconds east of UTC.
    #[must_use]
    pub fn of(instant: Timestamp, utc_offset_s: i32) -> Option<Self> {
        let local = instant.unix().checked_add(i64::from(utc_offset_s))?;
        let days = i32::try_from(local.div_euclid(DAY_S)).ok()?;
        let epoch = jiff::civil::date(1970, 1, 1);
        let days = jiff::Span::new().try_days(days).ok()?;
        epoch.checked_add(days).ok().map(Self)
    }

    /// Midnight UTC at the start of the day.
    #[must_use]
    pub fn start_utc(self) -> Timestamp {
        let zoned = self.0.to_datetime(jiff::civil::Time::midnight());
        let instant = jiff::tz::TimeZone::UTC.to_timestamp(zoned);
        Timestamp::from_unix(instant.map_or(0, |instant| instant.as_second()))
    }

    fn next(self) -> Option<Self> {
        self.0.tomorrow().ok().map(Self)
    }

    /// 0 for Monday to 6 for Sunday.
    fn weekday(self) -> u8 {
        u8::try_from(self.0.weekday().to_monday_zero_offset()).unwrap_or(0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        // Exactly `2026-11-22`: what jiff would also read, such as times, is not a day.
        if text.len() != 10 {
            return Err(DayError);
        }
        text.parse().map(Self).map_err(|_| DayError)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// The text is not a day such as `2026-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a day: write it as 2026-11-22")]
pub struct DayError;

/// The days on which a provider closes its books and pays out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Calendar {
    /// From this second of the day on, a payment counts as the next day's. 86,400, the default,
    /// is midnight.
    pub cut_off_s: u32,
    /// How far the provider's days lie east of UTC, in seconds. 0 unless set.
    pub utc_offset_s: i32,
    /// The days of the week without business, 0 for Monday to 6 for Sunday. Saturday and Sunday
    /// unless set.
    pub weekend: BTreeSet<u8>,
    /// Other days without business.
    pub holidays: BTreeSet<Day>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            cut_off_s: 86_400,
            utc_offset_s: 0,
            weekend: BTreeSet::from([5, 6]),
            holidays: BTreeSet::new(),
        }
    }
}

impl Calendar {
    /// The day whose books `instant` falls into.
    #[must_use]
    pub fn book_day(&self, instant: Timestamp) -> Option<Day> {
        let day = Day::of(instant, self.utc_offset_s)?;
        let local = instant.unix() + i64::from(self.utc_offset_s);
        if local.rem_euclid(DAY_S) >= i64::from(self.cut_off_s) {
            day.next()
        } else {
            Some(day)
        }
    }

    /// The business day that lies `count` business days after `day`; for 0, the first one that is
    /// not before `day`.
    ///
    /// `None` if the calendar has no business days there, or where time ends.
    #[must_use]
    pub fn business_days_after(&self, day: Day, count: u8) -> Option<Day> {
        let mut found = if count == 0 {
            self.business_day_from(day)?
        } else {
            day
        };
        for _ in 0..count {
            found = self.business_day_from(found.next()?)?;
        }
        Some(found)
    }

    fn business_day_from(&self, mut day: Day) -> Option<Day> {
        for _ in 0..CLOSED_DAYS_MAX {
            if !self.weekend.contains(&day.weekday()) && !self.holidays.contains(&day) {
                return Some(day);
            }
            day = day.next()?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str, hour: i64) -> Timestamp {
        let start = day.parse::<Day>().unwrap().start_utc().unix();
        Timestamp::from_unix(start + hour * 3600)
    }

    #[test]
    fn the_cut_off_moves_a_payment_to_the_next_day() {
        let calendar = Calendar {
            cut_off_s: 21 * 3600,
            ..Calendar::default()
        };
        let book = |hour| calendar.book_day(at("2016-10-06", hour)).unwrap();
        assert_eq!(book(20).to_string(), "2016-10-06");
        assert_eq!(book(21).to_string(), "2016-10-07");
    }

    #[test]
    fn the_cut_off_is_told_by_the_clock_of_the_provider() {
        let calendar = Calendar {
            cut_off_s: 21 * 3600,
            utc_offset_s: -3 * 3600,
            ..Calendar::default()
        };
        // 23:00 in UTC is 20:00 there, and 00:00 of the next day is 21:00.
        let book = |hour| calendar.book_day(at("2016-10-06", hour)).unwrap();
        assert_eq!(book(23).to_string(), "2016-10-06");
        assert_eq!(book(24).to_string(), "2016-10-07");
    }

    #[test]
    fn weekends_and_holidays_are_stepped_over() {
        let friday: Day = "2016-10-07".parse().unwrap();
        let mut calendar = Calendar::default();
        let after = |calendar: &Calendar, n| calendar.business_days_after(friday, n).unwrap();
        assert_eq!(after(&calendar, 0), friday);
        assert_eq!(after(&calendar, 1).to_string(), "2016-10-10");
        calendar.holidays.insert("2016-10-10".parse().unwrap());
        assert_eq!(after(&calendar, 1).to_string(), "2016-10-11");
    }

    #[test]
    fn a_calendar_without_business_days_ends() {
        let calendar = Calendar {
            weekend: (0..7).collect(),
            ..Calendar::default()
        };
        let day: Day = "2016-10-07".parse().unwrap();
        assert_eq!(calendar.business_days_after(day, 1), None);
    }

    #[test]
    fn times_out_of_range_have_no_day() {
        for unix in [i64::MIN, i64::MAX] {
            assert_eq!(
                Calendar::default().book_day(Timestamp::from_unix(unix)),
                None
            );
        }
        assert_eq!(
            Day::of(at("2016-10-06", 23), 7200).unwrap().to_string(),
            "2016-10-07"
        );
        for text in ["", "2016-13-01", "2016-10-06T00:00", "20161006"] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
