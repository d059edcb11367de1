//! What was found, printed line by line as it is found.

use crate::exit::Exit;

/// Counts what is not well.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    ill: usize,
}

impl Sheet {
    /// Something is as it should be.
    pub(super) fn well(&self, what: &str, says: &str) {
        println!("  ok    {what:<34} {says}");
    }

    /// Something is neither well nor wrong.
    pub(super) fn note(&self, what: &str, says: &str) {
        println!("  note  {what:<34} {says}");
    }

    /// Something is wrong; with what to do.
    pub(super) fn ill(&mut self, what: &str, says: &str, hint: &str) {
        self.ill += 1;
        println!("  FAIL  {what:<34} {says}");
        println!("        {:<34} hint: {hint}", "");
    }

    /// The end: `worst` where something could not be looked at, else whether all was well.
    pub(super) fn exit(&self, worst: Exit) -> Exit {
        match self.ill {
            0 => println!("\nall is well: coexist e2e --subject … runs the cases"),
            1 => println!("\n1 thing to mend"),
            many => println!("\n{many} things to mend"),
        }
        match (worst, self.ill) {
            (Exit::AsExpected, 0) => Exit::AsExpected,
            (Exit::AsExpected, _) => Exit::NotAsExpected,
            (worst, _) => worst,
        }
    }
}
