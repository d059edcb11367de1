//! Each role in its seat, as a process runs it: its own listeners, a directory behind HTTP, servers behind.

mod front_end_2010;
mod front_end_2013;
mod health;
mod seated;
