use super::*;

#[test]
fn tags_of_several_records_are_those_of_each_block_after_block() {
    let author = Author::new(&Key::from_bytes(&[7; 32]).unwrap());
    let context = [3; 32];
    let bytes: Vec<u8> = (0..=255).collect();
    let lengths = [0, 1, 15, 16, 17, 31, 32, 48, 63, 64, 65, 200];
    let records: Vec<(Handle, &[u8])> = (0_u8..)
        .zip(lengths)
        .map(|(at, length)| (Handle::from(at) << 64, &bytes[..length]))
        .collect();
    let expected: Vec<[u8; AUTHOR_LEN]> = records
        .iter()
        .map(|&(handle, sealed)| {
            let mut hash = author.hash.clone();
            let padded = sealed.len().next_multiple_of(16) - sealed.len();
            let length = (sealed.len() as u128).to_le_bytes();
            let message =
                [&associated(&context, handle)[..], sealed, &vec![0; padded], &length].concat();
            for block in message.as_chunks::<16>().0 {
                hash.update(&[(*block).into()]);
            }
            let mut tag = hash.finalize();
            author.tag.encrypt_block(&mut tag);
            tag.into()
        })
        .collect();
    let of = author.of(&context);
    assert_eq!(of.of(records.iter().copied()), expected);
    for (&record, tag) in records.iter().zip(&expected) {
        assert_eq!(of.of([record].into_iter()), [*tag]);
        assert!(is_tag(tag, tag));
        assert!(!is_tag(tag, &tag[..15]) && !is_tag(tag, &[tag[0] ^ 1; 16]));
    }
    assert_eq!(of.of([].into_iter()), Vec::<[u8; AUTHOR_LEN]>::new());
}
