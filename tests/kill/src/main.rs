//! The two programs that the suite starts and kills: `counterfoil-kill host CONFIG` and
//! `counterfoil-kill simulator CONFIG`, each with its configuration as JSON.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    counterfoil_kill::end_with_parent();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["host", config] => counterfoil_kill::host::run(config),
        ["simulator", config] => counterfoil_kill::simulator::run(config),
        _ => {
            eprintln!("usage: counterfoil-kill host|simulator CONFIG");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
