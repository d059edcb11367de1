//! The facts as they are now, sign-in checks, tickets, and the doors to them
