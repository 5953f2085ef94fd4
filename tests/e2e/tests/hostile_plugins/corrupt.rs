//! Corruptions of a good plugin, by a seed.

/// A generator of numbers that is the same everywhere: xorshift64*.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap_or(0);
        number % bound
    }
}

/// One corruption, of four ways in turn.
pub(crate) fn corrupt(good: &[u8], number: usize, chance: &mut Chance) -> Vec<u8> {
    let mut wasm = good.to_vec();
    let at = 8 + chance.below(wasm.len() - 80);
    match number % 4 {
        0 => wasm[at] ^= 1 << chance.below(8),
        1 => wasm.truncate(at),
        2 => drop(wasm.drain(at..at + 1 + chance.below(63))),
        _ => wasm[at..at + 16].fill(0xff),
    }
    wasm
}
