//! Files of shops, providers and banks, by every reader.

#![no_main]

use counterfoil::matching::readers::csv::{self, CsvMapping};
use counterfoil::matching::readers::{
    Format, ReadOptions, adyen, camt, mt940, paypal, stripe, unpacked,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut options = ReadOptions::default();
    options.file_bytes_max = 1 << 20;
    options.row_bytes_max = 1 << 16;
    let _ = Format::of(data);
    let Some((which, file)) = data.split_first() else {
        return;
    };
    let Ok(file) = unpacked(file) else {
        return;
    };
    let mapping = CsvMapping::default();
    match which % 15 {
        0 => drop(csv::orders(file, &mapping, &options)),
        1 => drop(csv::entries(file, &mapping, &options)),
        2 => drop(csv::payouts(file, &mapping, &options)),
        3 => drop(csv::report(file, &mapping, &options)),
        4 => drop(stripe::report(file, &options)),
        5 => drop(stripe::payouts(file, &options)),
        6 => drop(stripe::entries(file, &options)),
        7 => drop(adyen::report(file, &options)),
        8 => drop(adyen::payouts(file, &options)),
        9 => drop(adyen::entries(file, &options)),
        10 => drop(paypal::entries(file, &options)),
        11 => drop(camt::entries(file, &options)),
        12 => drop(camt::payouts(file, &options)),
        13 => drop(mt940::entries(file, &options)),
        _ => drop(mt940::payouts(file, &options)),
    }
});
