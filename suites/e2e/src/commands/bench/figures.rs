//! Figures of several rounds: least, median, most.

use std::time::Duration;

/// What the rounds came to.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<f64>);

impl Figures {
    pub(super) fn add(&mut self, figure: f64) {
        self.0.push(figure);
        self.0.sort_by(f64::total_cmp);
    }

    pub(super) fn add_time(&mut self, took: Duration) {
        self.add(took.as_secs_f64() * 1000.0);
    }

    /// The one in the middle; of two, the lesser. None of none.
    pub(super) fn median(&self) -> Option<f64> {
        self.0.get(self.0.len().saturating_sub(1) / 2).copied()
    }

    /// `suite     min   1032.1   median   1100.4   max   1209.0  ms`
    pub(super) fn line(&self, what: &str, unit: &str) -> String {
        let (least, most) = (self.0.first().copied().unwrap_or(0.0), self.0.last().copied().unwrap_or(0.0));
        let median = self.median().unwrap_or(0.0);
        format!("  {what:<28} min {least:>9.1}   median {median:>9.1}   max {most:>9.1}  {unit}\n")
    }
}

/// One median over another.
pub(super) fn ratio(what: &str, above: &Figures, below: &Figures, budget: &str) -> String {
    match (above.median(), below.median()) {
        (Some(above), Some(below)) if below > 0.0 => {
            format!("  {what:<28} {:.2}   (budget: {budget})\n", above / below)
        }
        _ => format!("  {what:<28} none\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_and_a_ratio_is_of_medians() {
        let of = |figures: &[f64]| {
            let mut all = Figures::default();
            figures.iter().for_each(|figure| all.add(*figure));
            all
        };
        assert_eq!(of(&[5.0, 1.0, 3.0]).median(), Some(3.0));
        assert_eq!(of(&[4.0, 2.0]).median(), Some(2.0));
        assert_eq!(of(&[]).median(), None);
        let said = ratio("suite over bare", &of(&[3.0, 9.0, 4.0]), &of(&[2.0]), "at most 1.5");
        assert!(said.contains("2.00   (budget: at most 1.5)"), "{said}");
    }
}
