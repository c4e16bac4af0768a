//! What rows are kept as, and which are not taken.

use super::*;
use crate::mode::Test;
use crate::money::Money;

type Row<'a> = EntryRow<'a, Test>;

fn at() -> Timestamp {
    Timestamp::from_unix(5)
}

fn euros() -> Money {
    Money::new(100, Currency::EUR)
}

fn paid(id: &str) -> Row<'_> {
    EntryRow::payment(id, euros(), at())
}

#[test]
fn every_text_of_a_row_is_found_again_whichever_others_there_are() {
    let mut table = Table::new(ReferenceRules::default());
    let text = |table: &Table, span: Option<Span>| span.map(|span| table.text(span).to_owned());
    for bits in 0..64_u8 {
        let has = |bit: u8| bits >> bit & 1 == 1;
        let mut row = paid("p-1");
        // A reference that has to be normalised, and one that has not.
        row.reference = has(0).then_some(if has(1) { "A-1" } else { "a1" });
        row.customer = has(2).then_some("customer");
        row.parent = has(3).then_some("parent");
        row.text = has(4).then_some("free text");
        row.other_ids = if has(5) { &["ch_1", "", "cs_22"] } else { &[] };
        let entry = table.push_entry(&row.with_source("psp", "main").with_rail("card"));
        let entry = *table.entry(entry.unwrap()).unwrap();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        assert_eq!(table.text(entry.id()), "p-1");
        assert_eq!(text(&table, entry.reference()), owned(row.reference));
        assert_eq!(text(&table, entry.key()), has(0).then(|| "a1".to_owned()));
        assert_eq!(entry.is_noisy(), has(0) && has(1));
        assert_eq!(text(&table, entry.customer()), owned(row.customer));
        assert_eq!(text(&table, entry.parent()), owned(row.parent));
        assert_eq!(text(&table, entry.free_text()), owned(row.text));
        let others: Vec<&str> = table.other_ids(&entry).map(|id| table.text(id)).collect();
        assert_eq!(
            others,
            if has(5) {
                vec!["ch_1", "cs_22"]
            } else {
                vec![]
            }
        );
        let names = (
            table.source(&entry),
            table.account(&entry),
            table.rail(entry.rail),
        );
        assert_eq!(names, ("psp", "main", "card"));
    }
    for (id, key) in [("A-1", "a1"), ("a1", "a1")] {
        for customer in [Some("c"), None] {
            let mut row = OrderRow::new(id, euros(), at());
            row.customer = customer;
            let order = table.push_order(&row).unwrap();
            let order = *table.order(order).unwrap();
            assert_eq!((table.text(order.id()), table.text(order.key())), (id, key));
            assert_eq!(text(&table, order.customer()).as_deref(), customer);
        }
    }
}

#[test]
fn a_row_without_an_id_or_with_too_long_a_text_is_not_taken() {
    let (longest, longer) = ("x".repeat(4_096), "x".repeat(4_097));
    let mut table = Table::new(ReferenceRules::default());
    let order = |id| OrderRow::new(id, euros(), at());
    assert_eq!(table.push_order(&order("")), Err(RowError::NoId));
    assert_eq!(table.push_order(&order(&longer)), Err(RowError::TooLong));
    let of = order("A").with_customer(&longer);
    assert_eq!(table.push_order(&of), Err(RowError::TooLong));
    assert_eq!(table.push_entry(&paid("")), Err(RowError::NoId));
    let sixteen = [&*longest; 16];
    for row in [
        paid(&longer),
        paid("p").with_reference(&longer),
        paid("p").with_customer(&longer),
        paid("p").with_parent(&longer),
        paid("p").with_text(&longer),
        paid("p").with_other_ids(&sixteen),
    ] {
        assert_eq!(table.push_entry(&row), Err(RowError::TooLong));
    }
    let link = |provider_id, order| ProviderLink { provider_id, order };
    for (link, error) in [
        (link("", "A"), RowError::NoId),
        (link("p", "--"), RowError::NoId),
        (link(&longer, "A"), RowError::TooLong),
        (link("p", &longer), RowError::TooLong),
    ] {
        assert_eq!(table.push_link(link), Err(error));
    }
    assert_eq!((table.rows(), table.links.len()), (0, 0));
    assert_eq!(table.push_order(&order(&longest)), Ok(0));
    let longest_row = paid(&longest)
        .with_text(&longest)
        .with_other_ids(&sixteen[1..]);
    assert_eq!(table.push_entry(&longest_row), Ok(0));
    assert_eq!(table.push_link(link(&longest, "A")), Ok(()));
    assert_eq!(table.rows(), 2);
}

#[test]
fn a_table_takes_65_536_names_and_4_billion_rows() {
    let mut table = Table::new(ReferenceRules::default());
    let mut push = |source: usize| {
        let source = source.to_string();
        table
            .push_entry(&paid("p").with_source(&source, "0"))
            .map(|_| ())
    };
    // Account 0 is source 0 too, and no rail is a name of its own.
    for source in 0..65_535 {
        assert_eq!(push(source), Ok(()));
    }
    assert_eq!(push(65_535), Err(RowError::TooManyNames));
    assert_eq!(push(65_534), Ok(()), "one that is known");
    assert_eq!(next_row(NONE as usize - 1), Ok(NONE - 1));
    assert_eq!(next_row(NONE as usize), Err(RowError::Full));
    assert_eq!(next_row(NONE as usize + 1), Err(RowError::Full));
}

#[test]
fn an_entry_of_another_table_says_the_same_if_all_of_it_is_alike() {
    let row = paid("p")
        .with_source("psp", "main")
        .with_reference("A-1")
        .with_rail("card");
    let mut table = Table::new(ReferenceRules::default());
    // Names have other numbers there.
    table
        .push_entry(&paid("x").with_source("main", "card"))
        .unwrap();
    let mut other = Table::new(ReferenceRules::default());
    other.push_entry(&row.with_parent("q")).unwrap();
    let entry = table.copies_of(&other).unwrap()[0];
    assert!(table.has_parents());
    let at_other_time = EntryRow::payment("p", euros(), Timestamp::from_unix(6));
    for (row, same) in [
        (row.with_parent("q"), true),
        (row, false),
        (row.with_parent("r"), false),
        (row.with_parent("q").with_reference("A-2"), false),
        (row.with_parent("q").with_source("psp", "card"), false),
        (row.with_parent("q").with_source("main", "main"), false),
        (row.with_parent("q").with_rail("psp"), false),
        (row.with_parent("q").with_day_only(), false),
        (at_other_time, false),
    ] {
        let mut stated = Table::new(ReferenceRules::default());
        stated.push_entry(&row).unwrap();
        let its = stated.entries[0];
        assert_eq!(table.says_the_same(&entry, &stated, &its), same, "{row:?}");
    }
}

#[test]
fn memory_is_that_of_the_rows_and_their_texts() {
    let mut table = Table::new(ReferenceRules::default());
    assert_eq!(table.memory(), 0);
    let (order, entry) = (size_of::<Order>(), size_of::<Entry>());
    let within = |memory: usize, least: usize| memory >= least && memory <= 4 * least;
    for _ in 0..1_000 {
        table
            .push_order(&OrderRow::new("a1", euros(), at()))
            .unwrap();
    }
    let orders = 1_000 * (order + "a1".len());
    assert!(within(table.memory(), orders), "{}", table.memory());
    for _ in 0..3_000 {
        table.push_entry(&paid("p1")).unwrap();
    }
    let all = orders + 3_000 * (entry + "p1".len());
    assert!(within(table.memory(), all), "{}", table.memory());
    let text = "x".repeat(4_000);
    for _ in 0..1_000 {
        table.push_entry(&paid("p1").with_text(&text)).unwrap();
    }
    let all = all + 1_000 * (entry + 4_002);
    assert!(within(table.memory(), all), "{}", table.memory());
}
