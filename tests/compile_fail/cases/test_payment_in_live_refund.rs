// A test payment cannot be refunded by a live provider.
use counterfoil::id::{CommandId, PaymentId};
use counterfoil::money::PositiveMoney;
use counterfoil::request::RefundRequest;
use counterfoil::{Live, Provider, Test};

async fn refund(live: Provider<Live>, payment: PaymentId<Test>, amount: PositiveMoney) {
    let command = CommandId::new("refund-1").unwrap();
    let _ = live.refund(&RefundRequest::new(payment, amount, command)).await;
}

fn main() {}
