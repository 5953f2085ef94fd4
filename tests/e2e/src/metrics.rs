//! Counters and gauges as `/metrics` shows them.

use std::collections::BTreeMap;

/// One look at every series: name with labels, and value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    series: BTreeMap<String, f64>,
}

impl Metrics {
    /// Reads the text exposition format; what is no sample is passed over.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let series = samples
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect();
        Self { series }
    }

    /// The sum of all series of that name that carry all these labels; 0 where there is none yet.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series
            .iter()
            .filter(|(key, _)| {
                let (found, rest) = key.split_once('{').unwrap_or((key, ""));
                found == name && labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
            })
            .map(|(_, value)| value)
            .sum()
    }

    /// Names with labels whose value grew since an earlier look, and by how much.
    pub fn grown_since(&self, earlier: &Self) -> BTreeMap<String, f64> {
        let before = |name: &String| earlier.series.get(name).copied().unwrap_or(0.0);
        self.series
            .iter()
            .filter(|(name, value)| **value > before(name))
            .map(|(name, value)| (name.clone(), value - before(name)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn series_are_read_summed_and_compared() {
        let before = Metrics::parse("# TYPE a counter\na{x=\"1\",y=\"2\"} 3\nb 1\n");
        let after = Metrics::parse("a{x=\"1\",y=\"2\"} 5\na{x=\"2\",y=\"2\"} 1\nb 1\n");
        assert_eq!(after.sum("a", &[("y", "2")]), 6.0);
        assert_eq!(after.sum("a", &[("x", "1")]), 5.0);
        assert_eq!(after.sum("c", &[]), 0.0);
        let grown: Vec<_> = after.grown_since(&before).into_iter().collect();
        assert_eq!(grown, [("a{x=\"1\",y=\"2\"}".to_owned(), 2.0), ("a{x=\"2\",y=\"2\"}".to_owned(), 1.0)]);
    }
}
