//! A good component, corrupted two hundred times.
//!
//! The corruptions come from a seed, so each run meets the same ones of the same file. What is still a valid component may
//! serve: other code, other data, another name inside of it or another section for people is another plugin, and no host can
//! tell that it is not what its author meant. Of each that serves it is asserted that it exports what the good one does, and
//! that it keeps within its limits as any other plugin.

use super::places::{self, PLACES};
use super::{Den, file};
use crate::guests::stepper;
use crate::world::{INSTANCES, patient};
use dragoman_wasm::{Fault, LoadStep, Runtime, RuntimeOptions};
use std::collections::BTreeMap;

const SEED: u64 = 0x00D1_A60B_A202_6112;
const CORRUPTIONS: usize = 200;
const LIMIT_MS: u64 = 2000;

/// A generator of numbers that is the same everywhere: xorshift64*.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % bound
    }
}

/// The ways of corrupting, in turn.
const WAYS: [&str; 8] =
    ["a bit", "many bits", "cut off", "a length", "two bytes swapped", "a piece left out", "a piece twice", "zeros"];

fn corrupt(good: &[u8], way: &str, chance: &mut Chance) -> Vec<u8> {
    let mut wasm = good.to_vec();
    let at = chance.below(wasm.len() - 64);
    match way {
        "a bit" => wasm[at] ^= 1 << chance.below(8),
        "many bits" => {
            for _ in 0..32 {
                let at = chance.below(wasm.len());
                wasm[at] ^= 1 << chance.below(8);
            }
        }
        "cut off" => wasm.truncate(at),
        "a length" => {
            let sections = sections(good);
            let at = sections[chance.below(sections.len())];
            wasm[at] = wasm[at].wrapping_add(1 + u8::try_from(chance.below(100)).unwrap());
        }
        "two bytes swapped" => {
            let other = chance.below(wasm.len());
            wasm.swap(at, other);
        }
        "a piece left out" => drop(wasm.drain(at..at + 1 + chance.below(63))),
        "a piece twice" => {
            let piece = wasm[at..at + 1 + chance.below(63)].to_vec();
            wasm.splice(at..at, piece);
        }
        "zeros" => wasm[at..at + 16].fill(0),
        other => panic!("there is no way {other}"),
    }
    wasm
}

/// Where the lengths of the sections of a component stand.
fn sections(wasm: &[u8]) -> Vec<usize> {
    let (mut at, mut found) = (8, Vec::new());
    while at < wasm.len() {
        found.push(at + 1);
        let (mut length, mut shift) = (0_usize, 0);
        at += 1;
        loop {
            length |= usize::from(wasm[at] & 0x7f) << shift;
            shift += 7;
            at += 1;
            if wasm[at - 1] & 0x80 == 0 {
                break;
            }
        }
        at += length;
    }
    found
}

#[tokio::test]
async fn two_hundred_corruptions_are_refused_or_keep_within_their_limits() {
    let (good, mut chance) = (stepper(), Chance(SEED));
    let corrupted: Vec<_> =
        (0..CORRUPTIONS).map(|number| corrupt(&good, WAYS[number % WAYS.len()], &mut chance)).collect();
    let options = RuntimeOptions { deadline_ms: LIMIT_MS, load_deadline_ms: LIMIT_MS, ..patient() };
    let runtime = Runtime::new(options).unwrap();
    let den = Den::holding(runtime.clone(), [(file(CORRUPTIONS), good.clone())]).await;
    let roles = den.plugin("stepper").roles();
    let mut came_to: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    // Those that serve all have the name of the good one, so each is met in a folder of its own.
    for (number, wasm) in corrupted.into_iter().enumerate() {
        let way = WAYS[number % WAYS.len()];
        let den = Den::holding(runtime.clone(), [(file(number), wasm)]).await;
        let catalog = den.catalog();
        if let Some((step, why)) = den.refused(&file(number)) {
            assert!(catalog.plugins.is_empty(), "{number} is refused and serves");
            assert!(
                matches!(step, LoadStep::Component | LoadStep::Contract | LoadStep::Describe),
                "{number}: {step:?} {why}"
            );
            *came_to.entry((way, "refused")).or_default() += 1;
            continue;
        }
        let plugin =
            catalog.plugins.values().next().unwrap_or_else(|| panic!("{number} is neither refused nor serves"));
        // What stands between it and the host is as it was, whatever of its inside is not.
        assert_eq!(plugin.roles(), roles, "{number} ({way}) serves with other exports");
        for place in PLACES {
            let Err(error) = places::call(&den, plugin, place).await else { continue };
            // What is wrong is the plugin's fault, or it has no such export.
            assert!(error.is_fault() || error.fault == Fault::NoSuchExport, "{number}: {error}");
        }
        assert_eq!(runtime.instances_free(), INSTANCES as usize, "{number}");
        *came_to.entry((way, "serves")).or_default() += 1;
    }
    let times = |way, what| came_to.get(&(way, what)).copied().unwrap_or(0);
    for way in WAYS {
        assert_eq!(times(way, "refused") + times(way, "serves"), CORRUPTIONS / WAYS.len(), "{way}");
    }
    // No compiler lays a file out so that one of these is still a component.
    for way in ["many bits", "cut off", "a length", "a piece left out", "a piece twice"] {
        assert_eq!(times(way, "serves"), 0, "{way}: {came_to:?}");
    }
    // Both outcomes are met, or this has shown only half.
    assert!(times("a bit", "refused") > 5 && times("a bit", "serves") > 1, "{came_to:?}");
}
