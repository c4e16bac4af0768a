//! Holds the dependencies of the cases beside it.
