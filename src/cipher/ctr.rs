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
