// A secret cannot be written into a text, nor serialized.
use counterfoil::Secret;

fn main() {
    let secret = Secret::new("sk_test_1");
    println!("{secret}");
}
