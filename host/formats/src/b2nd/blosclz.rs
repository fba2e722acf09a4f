//! Decompression of BloscLZ, the codec of a frame's index.

/// Matches that are at least this far away have their distance in two further bytes.
const FAR: usize = 8191;
/// Matches of fewer bytes are not coded.
const SHORTEST: usize = 3;

/// Decompresses into the whole of `out`; `None` if the input is damaged or gives another number of bytes.
pub(super) fn decompress(input: &[u8], out: &mut [u8]) -> Option<()> {
    let mut input = Input(input);
    let mut len = 0;
    // The first byte is always a run of literals.
    let mut control = usize::from(input.byte()? & 31);
    loop {
        if control < 32 {
            let literals = input.take(control + 1)?;
            out.get_mut(len..len + literals.len())?.copy_from_slice(literals);
            len += literals.len();
        } else {
            let (distance, count) = input.matched(control)?;
            let from = len.checked_sub(distance)?;
            if count > out.len() - len {
                return None;
            }
            // The source may overlap what is written.
            for i in 0..count {
                out[len + i] = out[from + i];
            }
            len += count;
        }
        match input.byte() {
            Some(next) => control = usize::from(next),
            None => return (len == out.len()).then_some(()),
        }
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Distance and length of a match.
    fn matched(&mut self, control: usize) -> Option<(usize, usize)> {
        let mut count = (control >> 5) - 1;
        if count == 6 {
            loop {
                let more = self.byte()?;
                count = count.checked_add(usize::from(more))?;
                if more < 255 {
                    break;
                }
            }
        }
        let (high, low) = ((control & 31) << 8, usize::from(self.byte()?));
        let is_far = low == 255 && high == 31 << 8;
        let distance = if is_far {
            (usize::from(self.byte()?) << 8) + usize::from(self.byte()?) + FAR
        } else {
            high + low
        };
        Some((distance + 1, count + SHORTEST))
    }
}
