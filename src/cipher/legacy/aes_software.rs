//! AES without the processor's instructions, as most processors had it when the published comparisons
//! were made: for evaluation only.
//!
//! It is bit-sliced: eight blocks cost what one does, so that CBC, a chain, runs at an eighth of the
//! speed of CTR. Results are those of AES with hardware.
//!
//! # Sources
//!
//! A. Adomnicai and T. Peyrin, "Fixslicing AES-like Ciphers", CHES 2021; the cipher is `RustCrypto`'s
//! `aes` 0.7, which can be told to leave the hardware alone.

use ::aes::cipher::common::{KeySizeUser, ParBlocks, ParBlocksSizeUser};
use ::aes::cipher::consts::{U8, U16, U32};
use ::aes::cipher::{
    Block, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
    BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, InOut, Key, KeyInit,
};
use aes_without_hardware::cipher::consts::{U8 as OldU8, U16 as OldU16};
use aes_without_hardware::cipher::{BlockDecrypt, BlockEncrypt, NewBlockCipher};
use aes_without_hardware::{Aes128, Aes256, Block as OldBlock, ParBlocks as OldBlocks};

use crate::cipher::aes_ctr::AesCtr;
use crate::cipher::cbc::Cbc;
use crate::cipher::{Algorithm, Make};

/// AES-128-CBC without hardware.
pub static AES_128_CBC: Algorithm = algorithm("aes-128-cbc-software", 16, 16, |key| {
    Ok(Box::new(Cbc::<Software<Aes128>>::new(&AES_128_CBC, key)))
});

/// AES-256-CBC without hardware.
pub static AES_256_CBC: Algorithm = algorithm("aes-256-cbc-software", 32, 16, |key| {
    Ok(Box::new(Cbc::<Software<Aes256>>::new(&AES_256_CBC, key)))
});

/// AES-128-CTR without hardware.
pub static AES_128_CTR: Algorithm = algorithm("aes-128-ctr-software", 16, 1, |key| {
    Ok(Box::new(AesCtr::<Software<Aes128>>::new(&AES_128_CTR, key)))
});

/// AES-256-CTR without hardware.
pub static AES_256_CTR: Algorithm = algorithm("aes-256-ctr-software", 32, 1, |key| {
    Ok(Box::new(AesCtr::<Software<Aes256>>::new(&AES_256_CTR, key)))
});

const fn algorithm(name: &'static str, key_len: usize, block_len: usize, make: Make) -> Algorithm {
    let longest = 1 << 60;
    let key_len = key_len..=key_len;
    Algorithm { name, key_len, nonce_len: 16, tag_len: 0, block_len, longest, make }
}

/// The old crate's cipher behind the new crates' traits.
#[derive(Clone)]
struct Software<C>(C);

impl KeySizeUser for Software<Aes128> {
    type KeySize = U16;
}

impl KeySizeUser for Software<Aes256> {
    type KeySize = U32;
}

impl KeyInit for Software<Aes128> {
    fn new(key: &Key<Self>) -> Self {
        Self(Aes128::new(key.as_slice().into()))
    }
}

impl KeyInit for Software<Aes256> {
    fn new(key: &Key<Self>) -> Self {
        Self(Aes256::new(key.as_slice().into()))
    }
}

impl<C> BlockSizeUser for Software<C> {
    type BlockSize = U16;
}

impl<C> ParBlocksSizeUser for Software<C> {
    type ParBlocksSize = U8;
}

impl<C> BlockCipherEncBackend for Software<C>
where
    C: BlockEncrypt<BlockSize = OldU16, ParBlocks = OldU8>,
{
    fn encrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut work = OldBlock::from(<[u8; 16]>::from(block.clone_in()));
        self.0.encrypt_block(&mut work);
        block.get_out().copy_from_slice(&work);
    }

    fn encrypt_par_blocks(&self, mut blocks: InOut<'_, '_, ParBlocks<Self>>) {
        let mut work = OldBlocks::default();
        for (old, new) in work.iter_mut().zip(blocks.get_in()) {
            old.copy_from_slice(new);
        }
        self.0.encrypt_par_blocks(&mut work);
        for (old, new) in work.iter().zip(blocks.get_out()) {
            new.copy_from_slice(old);
        }
    }
}

impl<C> BlockCipherDecBackend for Software<C>
where
    C: BlockDecrypt<BlockSize = OldU16, ParBlocks = OldU8>,
{
    fn decrypt_block(&self, mut block: InOut<'_, '_, Block<Self>>) {
        let mut work = OldBlock::from(<[u8; 16]>::from(block.clone_in()));
        self.0.decrypt_block(&mut work);
        block.get_out().copy_from_slice(&work);
    }

    fn decrypt_par_blocks(&self, mut blocks: InOut<'_, '_, ParBlocks<Self>>) {
        let mut work = OldBlocks::default();
        for (old, new) in work.iter_mut().zip(blocks.get_in()) {
            old.copy_from_slice(new);
        }
        self.0.decrypt_par_blocks(&mut work);
        for (old, new) in work.iter().zip(blocks.get_out()) {
            new.copy_from_slice(old);
        }
    }
}

impl<C> BlockCipherEncrypt for Software<C>
where
    C: BlockEncrypt<BlockSize = OldU16, ParBlocks = OldU8>,
{
    fn encrypt_with_backend(&self, f: impl BlockCipherEncClosure<BlockSize = U16>) {
        f.call(self);
    }
}

impl<C> BlockCipherDecrypt for Software<C>
where
    C: BlockDecrypt<BlockSize = OldU16, ParBlocks = OldU8>,
{
    fn decrypt_with_backend(&self, f: impl BlockCipherDecClosure<BlockSize = U16>) {
        f.call(self);
    }
}
