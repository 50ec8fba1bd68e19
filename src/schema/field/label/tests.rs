use super::*;
use crate::schema::{Schema, Value};

/// The label of version 1, from its definition.
fn old(kind: u8, floats: [f64; 3], cell: u64, categories: &[&str]) -> Vec<u8> {
    let mut label = vec![kind];
    floats.iter().for_each(|float| label.extend(float.to_be_bytes()));
    label.extend(cell.to_be_bytes());
    label.extend(u32::try_from(categories.len()).unwrap().to_be_bytes());
    for category in categories {
        label.extend(u32::try_from(category.len()).unwrap().to_be_bytes());
        label.extend(category.as_bytes());
    }
    label
}

fn number(numbers: [&str; 3], cell: u64) -> Field {
    let [minimum, maximum, step] = numbers.map(|text| text.parse::<Rational>().unwrap());
    Field::new(Kind::Number, minimum, maximum, step, Some(cell)).unwrap()
}

#[derive(serde::Deserialize)]
struct Vectors {
    fields: Vec<Defined>,
    #[serde(with = "hex")]
    digest: [u8; 32],
}

#[derive(serde::Deserialize)]
struct Defined {
    name: String,
    kind: String,
    minimum: String,
    maximum: String,
    step: String,
    cell: u64,
    categories: Vec<String>,
    #[serde(with = "hex")]
    label: Vec<u8>,
}

#[test]
fn labels_and_digest_are_the_known_ones() {
    let json = include_str!("../../../../tests/vectors/fields.json");
    let Vectors { fields, digest } = serde_json::from_str(json).unwrap();
    let field = |defined: Defined| {
        let kind = match &defined.kind[..] {
            "number" => Kind::Number,
            "date" => Kind::Date,
            "boolean" => Kind::Boolean,
            _ => Kind::Category(defined.categories),
        };
        let [minimum, maximum, step] = [defined.minimum, defined.maximum, defined.step]
            .map(|text| text.parse::<Rational>().unwrap());
        let field = Field::new(kind, minimum, maximum, step, Some(defined.cell)).unwrap();
        assert_eq!(field.label(), defined.label, "{}", defined.name);
        assert_eq!(Field::of_label(&defined.label), Ok(field.clone()));
        (defined.name, field)
    };
    let schema = Schema::new(fields.into_iter().map(field).collect()).unwrap();
    assert_eq!(schema.digest(), digest);
}

#[test]
fn a_label_worked_by_hand() {
    let label = number(["-8", "100", "0.1"], 5).label();
    let expected = [
        &[0, 2, 1][..],
        &[1, 0, 0, 0, 1, 8, 0, 0, 0, 1, 1],
        &[0, 0, 0, 0, 1, 100, 0, 0, 0, 1, 1],
        &[0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 10],
        &[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0],
    ];
    assert_eq!(label, expected.concat());
    let field = Field::of_label(&label).unwrap();
    assert_eq!((field.label(), field), (label, number(["-8", "100", "1/10"], 5)));
}

#[test]
fn a_label_of_floats_is_kept_and_read_exactly() {
    let label = old(1, [8.0, 100.0, 0.1], 5, &[]);
    let field = Field::of_label(&label).unwrap();
    assert_eq!(field, number(["8", "100", "0.1"], 5));
    assert_eq!(field.label(), label);
    assert_eq!(27.3.place(&field), Ok(193));
    let schema = |field| Schema::new(vec![("bmi".into(), field)]).unwrap();
    let (kept, new) = (schema(field.clone()), schema(number(["8", "100", "0.1"], 5)));
    assert_eq!(kept, new);
    assert_ne!(kept.digest(), new.digest());
    assert_eq!(Schema::decode(&kept.encode()).unwrap().encode(), kept.encode());

    let health = old(4, [0.0, 2.0, 1.0], 1, &["poor", "fair", "good"]);
    let levels = ["poor", "fair", "good"].map(String::from).to_vec();
    let field = Field::of_label(&health).unwrap();
    assert_eq!(field, Field::new(Kind::Category(levels), 0, 2, 1, None).unwrap());
    assert_eq!(field.label(), health);
}

#[test]
fn floats_that_never_met_their_maximum_divide_the_domain() {
    let read = |floats| Field::of_label(&old(1, floats, 1, &[])).unwrap();
    assert_eq!(read([0.0, 1.0, 1.0 / 3.0]), number(["0", "1", "1/3"], 1));
    assert_eq!((1.0 / 3.0).place(&read([0.0, 1.0, 1.0 / 3.0])), Ok(1));
    let noisy = read([0.1 + 0.2, 10.3, 0.1]);
    assert_eq!(noisy.plaintexts(), 101);
    assert_eq!((0.1 + 0.2 + 7.0 * 0.1).place(&noisy), Ok(7));
    assert_eq!(read([5.0, 5.0 + 1e-9, 1.0]), number(["5", "5", "1"], 1));
    assert_eq!(
        (1_i64 << 59).place(
            &Field::of_label(&old(1, [0.0, 2_f64.powi(60), 2_f64.powi(40)], 2, &[])).unwrap()
        ),
        Ok(1 << 19)
    );
}

#[test]
fn what_is_no_label_is_refused() {
    let new = number(["0", "120", "1"], 1).label();
    let with = |at: usize, byte| {
        let mut label = new.clone();
        label[at] = byte;
        label
    };
    for label in [
        vec![],
        with(1, 1),
        with(1, 3),
        with(2, 0),
        with(2, 5),
        new[..new.len() - 1].to_vec(),
        [&new[..], &[0]].concat(),
        old(1, [-0.0, 120.0, 1.0], 1, &[]),
        old(1, [0.0, f64::INFINITY, 1.0], 1, &[]),
        old(1, [f64::NAN, 120.0, 1.0], 1, &[]),
        old(1, [0.0, 120.0, 0.0], 1, &[]),
        old(1, [0.0, 120.0, f64::NAN], 1, &[]),
        old(1, [0.0, 10.0, 3.0], 1, &[]),
        old(1, [0.0, 1e300, 1.0], 1, &[]),
        old(1, [0.0, 120.0, 1.0], 0, &[]),
        old(5, [0.0, 120.0, 1.0], 1, &[]),
    ] {
        assert!(Field::of_label(&label).is_err(), "{label:?}");
    }
}
