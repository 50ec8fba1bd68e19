//! Counter mode over a block cipher, on all cores.

use ::ctr::cipher::{
    BlockCipherEncrypt, BlockSizeUser, InnerIvInit, StreamCipher, StreamCipherCoreWrapper,
    consts::U16,
};
use ::ctr::{CtrCore, flavors};

use super::{PIECE, in_pieces};

/// One piece of a message, under a counter of 32 bits (GCM's `inc32`): SP 800-38D section 6.5.
pub(super) fn piece_32<C>(cipher: &C, start: [u8; 16], input: &[u8], output: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let core = CtrCore::<_, flavors::Ctr32BE>::inner_iv_init(cipher, &start.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream_b2b(input, output);
}

/// A whole message, under a counter of 32 bits with the lowest byte first, which begins as a tag does:
/// RFC 8452 section 4.
pub(super) fn whole_32<C>(cipher: &C, tag: [u8; 16], input: &[u8], output: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Sync,
{
    let [a, b, c, d, rest @ ..] = tag;
    let first = u32::from_le_bytes([a, b, c, d]);
    in_pieces(input, output, |number, input, output| {
        #[expect(clippy::cast_possible_truncation, reason = "messages have at most 2^32 blocks")]
        let counter = first.wrapping_add((number * (PIECE / 16)) as u32);
        let mut start = [0; 16];
        start[..4].copy_from_slice(&counter.to_le_bytes());
        start[4..].copy_from_slice(&rest);
        start[15] |= 0x80;
        let core = CtrCore::<_, flavors::Ctr32LE>::inner_iv_init(cipher, &start.into());
        StreamCipherCoreWrapper::from_core(core).apply_keystream_b2b(input, output);
    });
}

/// A whole message, under a counter of 128 bits: SP 800-38A section 6.5.
pub(super) fn whole<C>(cipher: &C, start: [u8; 16], input: &[u8], output: &mut [u8])
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Sync,
{
    let start = u128::from_be_bytes(start);
    in_pieces(input, output, |number, input, output| {
        let counter = start.wrapping_add((number * (PIECE / 16)) as u128);
        let start = counter.to_be_bytes().into();
        let core = CtrCore::<_, flavors::Ctr128BE>::inner_iv_init(cipher, &start);
        StreamCipherCoreWrapper::from_core(core).apply_keystream_b2b(input, output);
    });
}

#[cfg(test)]
mod tests {
    use ::aes::cipher::KeyInit;
    use aes::Aes128;

    use super::*;

    #[test]
    fn a_counter_of_32_bits_wraps_within_a_message_and_carries_nothing() {
        let cipher = Aes128::new(&[7; 16].into());
        let mut tag = [0xff; 16];
        tag[15] = 0x7f;
        let mut output = vec![0; PIECE + 48];
        whole_32(&cipher, tag, &vec![0; PIECE + 48], &mut output);
        for block in [0, 1, 2, PIECE / 16, PIECE / 16 + 2] {
            let mut expected = [0xff; 16];
            let counter = u32::MAX.wrapping_add(u32::try_from(block).expect("it is small"));
            expected[..4].copy_from_slice(&counter.to_le_bytes());
            let mut expected = expected.into();
            cipher.encrypt_block(&mut expected);
            assert_eq!(output[16 * block..16 * block + 16], expected[..]);
        }
    }
}
