//! Every pair: five application sides command five lamps. The lamp itself says that it has the level.

use super::applications::{self, Applications};
use super::lamps::LAMPS;
use super::stage::Addresses;
use crate::process::say;
use anyhow::Context;

/// The level of the first lamp; every further one is one brighter.
const FIRST_LEVEL: u32 = 11;

/// Plays the 25 cells; ends at the first wrong answer. `has_level` waits until a lamp says that it has that level.
pub(crate) fn play(
    addresses: &Addresses,
    mut has_level: impl FnMut(&str, u32) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    println!();
    say("every application side commands every device side: a lamp behind each of five platforms is set");
    let mut applications = Applications::connect(addresses)?;
    let mut level = FIRST_LEVEL;
    for (platform, set) in applications::ALL {
        for lamp in &LAMPS {
            println!("\n  {platform} commands the lamp of {}", lamp.platform);
            let exchange = set(&mut applications, lamp, level)
                .with_context(|| format!("wrong answer: {platform} commands the lamp of {}", lamp.platform))?;
            println!("  > {}\n  < {}", exchange.sent, exchange.heard);
            has_level(lamp.id, level)?;
            println!("  = {} has level {level}", lamp.id);
            level += 1;
        }
    }
    Ok(())
}
