// There are two modes.
use counterfoil::{Mode, ModeKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Staging {}

impl Mode for Staging {
    const KIND: ModeKind = ModeKind::Live;
}

fn main() {}
