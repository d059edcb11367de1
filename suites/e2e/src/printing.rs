//! Printing that ends in nothing worse than silence where nobody reads: `coexist list cases | head -1`.
//!
//! These stand in for the macros of the standard library, which panic on a closed pipe. The command goes on, writes its report,
//! and ends with its own exit code. Nothing is reset to the signal's default instead: that would end the process at any
//! connection that a peer closed.

macro_rules! print {
    ($($said:tt)*) => { $crate::printing::heard_or_not(&mut ::std::io::stdout(), format_args!($($said)*)) };
}
macro_rules! println {
    () => { print!("\n") };
    ($($said:tt)*) => { print!("{}\n", format_args!($($said)*)) };
}
macro_rules! eprint {
    ($($said:tt)*) => { $crate::printing::heard_or_not(&mut ::std::io::stderr(), format_args!($($said)*)) };
}
macro_rules! eprintln {
    () => { eprint!("\n") };
    ($($said:tt)*) => { eprint!("{}\n", format_args!($($said)*)) };
}

pub(crate) fn heard_or_not(to: &mut impl std::io::Write, said: std::fmt::Arguments<'_>) {
    // Who reads a report's exit code and files needs no reader of the text.
    drop(to.write_fmt(said));
}
