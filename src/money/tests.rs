use super::*;

#[test]
fn decimal_text_is_exact_both_ways_for_every_exponent() {
    for (code, text, minor) in [
        ("EUR", "8.20", 820),
        ("JPY", "100", 100),
        ("KWD", "18.600", 18_600),
        ("CLF", "0.0001", 1),
        ("EUR", "-0.05", -5),
        ("EUR", "92233720368547758.07", i64::MAX),
        ("EUR", "-92233720368547758.08", i64::MIN),
    ] {
        let currency = Currency::from_code(code).unwrap();
        let money = Money::parse_decimal(text, currency).unwrap();
        assert_eq!(money.minor(), minor, "{text} {code}");
        assert_eq!(money.to_decimal(), text);
        assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
    }
    assert_eq!(
        Money::parse_decimal("8.2", Currency::EUR).unwrap().minor(),
        820
    );
}

#[test]
fn every_cent_up_to_a_hundred_survives() {
    for minor in -10_000..=10_000 {
        let text = decimal_from_minor(minor, 2);
        assert_eq!(minor_from_decimal(&text, 2), Ok(minor), "{text}");
    }
    assert_eq!(decimal_from_minor(0, 2), "0.00");
}

#[test]
fn text_that_is_not_a_plain_decimal_is_refused() {
    for text in [
        "", "-", ".", "1.", ".5", "1,00", "+1", " 1", "1 ", "1e3", "--1", "1.0.0", "٣", "0x1",
    ] {
        let read = Money::parse_decimal(text, Currency::EUR);
        assert_eq!(read, Err(MoneyError::NotDecimal), "{text:?}");
    }
    let too_precise = Err(MoneyError::TooPrecise { exponent: 2 });
    assert_eq!(Money::parse_decimal("1.000", Currency::EUR), too_precise);
    let overflow = Money::parse_decimal("92233720368547758.08", Currency::EUR);
    assert_eq!(overflow, Err(MoneyError::Overflow));
}

#[test]
fn arithmetic_is_checked() {
    let most = Money::new(i64::MAX, Currency::EUR);
    let cent = Money::new(1, Currency::EUR);
    assert_eq!(most.checked_add(cent), Err(MoneyError::Overflow));
    assert_eq!(
        Money::new(i64::MIN, Currency::EUR).checked_neg(),
        Err(MoneyError::Overflow)
    );
    assert!(matches!(
        cent.checked_add(Money::new(1, Currency::USD)),
        Err(MoneyError::CurrencyMismatch { .. })
    ));
    assert!(PositiveMoney::new(Money::zero(Currency::EUR)).is_err());
    assert!(PositiveMoney::new(Money::new(-1, Currency::EUR)).is_err());
}

#[test]
fn currencies_are_read_in_any_case_and_need_a_minor_unit() {
    assert_eq!(Currency::from_code("jpy"), Ok(Currency::JPY));
    for code in ["", "EU", "EURO", "XAU", "XTS", "€€€", "éa", "E R"] {
        assert!(Currency::from_code(code).is_err(), "{code}");
    }
    assert_eq!((Currency::ISK.exponent(), Currency::UGX.exponent()), (0, 0));
}

#[test]
fn serde_keeps_integers_and_refuses_nonsense() {
    let money = Money::new(1999, Currency::EUR);
    let json = serde_json::to_string(&money).unwrap();
    assert_eq!(json, r#"{"minor":1999,"currency":"EUR"}"#);
    assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
    assert!(serde_json::from_str::<Money>(r#"{"minor":19.99,"currency":"EUR"}"#).is_err());
    assert!(serde_json::from_str::<PositiveMoney>(r#"{"minor":0,"currency":"EUR"}"#).is_err());
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

#[test]
fn amounts_are_added_compared_and_turned() {
    let usd = Money::new(5, Currency::USD);
    assert_eq!(eur(5).checked_add(eur(7)), Ok(eur(12)));
    assert_eq!(eur(5).checked_sub(eur(7)), Ok(eur(-2)));
    assert_eq!(eur(5).checked_neg(), Ok(eur(-5)));
    assert_eq!(eur(5).checked_cmp(eur(7)), Ok(Ordering::Less));
    assert!(eur(5).checked_cmp(usd).is_err());
    assert_eq!(Money::sum(Currency::EUR, [1, 2, -4].map(eur)), Ok(eur(-1)));
    assert_eq!(
        Money::sum(Currency::USD, []),
        Ok(Money::zero(Currency::USD))
    );
    assert!(Money::sum(Currency::EUR, [usd]).is_err());
    for (minor, is_zero, is_positive) in [(-1, false, false), (0, true, false), (1, false, true)] {
        let money = eur(minor);
        assert_eq!(
            (money.is_zero(), money.is_positive()),
            (is_zero, is_positive)
        );
        assert_eq!((money.minor(), money.currency()), (minor, Currency::EUR));
    }
}

#[test]
fn units_of_other_decimals_are_whole_or_refused() {
    let yen = Money::new(5, Currency::JPY);
    for (money, exponent, units) in [
        (eur(1999), 2, 1999),
        (eur(1999), 3, 19_990),
        (eur(-1990), 1, -199),
        (eur(2000), 0, 20),
        (yen, 2, 500),
        (yen, 0, 5),
    ] {
        assert_eq!(money.to_units(exponent), Ok(units), "{money} {exponent}");
        let back = Money::from_units(units, exponent, money.currency());
        assert_eq!(back, Ok(money), "{units} {exponent}");
    }
    let too_precise = |exponent| MoneyError::TooPrecise { exponent };
    assert_eq!(eur(1999).to_units(1), Err(too_precise(1)));
    assert_eq!(eur(1990).to_units(0), Err(too_precise(0)));
    assert_eq!(
        Money::from_units(19_995, 3, Currency::EUR),
        Err(too_precise(2))
    );
    assert_eq!(
        Money::from_units(150, 2, Currency::JPY),
        Err(too_precise(0))
    );
    for exponent in [3, 99] {
        assert_eq!(eur(i64::MAX).to_units(exponent), Err(MoneyError::Overflow));
    }
    let read = Money::from_units(i64::MAX, 0, Currency::EUR);
    assert_eq!(read, Err(MoneyError::Overflow));
}

#[test]
fn positive_money_is_the_money_that_it_was_made_of() {
    let positive = PositiveMoney::new(eur(1999)).unwrap();
    assert_eq!(positive.money(), eur(1999));
    assert_eq!(Money::from(positive), eur(1999));
    assert_eq!(PositiveMoney::try_from(eur(1999)), Ok(positive));
    assert_eq!(
        (positive.minor(), positive.currency()),
        (1999, Currency::EUR)
    );
    let json = serde_json::to_string(&positive).unwrap();
    assert_eq!(
        serde_json::from_str::<PositiveMoney>(&json).unwrap(),
        positive
    );
    assert_eq!(
        PositiveMoney::new(eur(0)),
        Err(MoneyError::NotPositive(eur(0)))
    );
}

#[test]
fn what_is_shown_is_what_is_read() {
    let money = eur(-1999);
    assert_eq!(format!("{money} {money:?}"), "-19.99 EUR -19.99 EUR");
    let positive = PositiveMoney::new(eur(1)).unwrap();
    assert_eq!(positive.to_string(), "0.01 EUR");
    let yen = Currency::JPY;
    assert_eq!(format!("{yen} {yen:?} {}", yen.code()), "JPY JPY JPY");
    assert_eq!("jpy".parse::<Currency>(), Ok(yen));
    assert_eq!(serde_json::to_string(&yen).unwrap(), "\"JPY\"");
    assert_eq!(serde_json::from_str::<Currency>("\"JPY\"").unwrap(), yen);
    assert_eq!(
        "19.99".parse::<Money>(),
        Err(MoneyError::MissingCurrency("19.99".into()))
    );
    assert_eq!(
        "1 XTS".parse::<Money>(),
        Err(MoneyError::UnknownCurrency("XTS".into()))
    );
}
