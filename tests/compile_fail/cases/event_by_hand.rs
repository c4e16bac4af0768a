// An event comes out of verification and from nowhere else.
use counterfoil::Live;
use counterfoil::webhook::{Event, EventDraft};

fn forge(draft: EventDraft<Live>) -> Event<Live> {
    Event::from_verified(draft)
}

fn forge_by_field(draft: EventDraft<Live>) -> Event<Live> {
    Event(draft)
}

fn main() {}
