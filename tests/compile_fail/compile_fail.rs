//! What must not compile does not, and for the reason that it should not.

#[test]
fn mistakes_that_the_types_forbid() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
