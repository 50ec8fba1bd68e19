use super::*;
use crate::party::Indexed;
use crate::party::grants::{Grant, Share};
use crate::party::scene;
use crate::wire::Blobs;

/// A column of ages.
fn ages(dtype: &str, values: Values<'static>) -> Column<'static> {
    let is_valid = vec![true; 3].into();
    Column { name: "age".into(), dtype: dtype.into(), values, is_valid }
}

/// The owner, and a part with records 1 to 3 of a column, as a hospital sealed it.
fn sealed(columns: &[Column<'_>]) -> (Keyring, Part) {
    let mut owner = scene::owner(1);
    let hospital = owner.authorize("hospital", &[]).unwrap();
    let cloud = scene::Cloud::of(&mut owner);
    let indexed = [Indexed { field: "age", rows: &[0, 1, 2], plaintexts: &[40, 50, 60] }];
    let upload = scene::upload_of(&hospital, columns, &[1, 2, 3], &indexed).unwrap();
    cloud.receive(&upload).unwrap();
    let answer = cloud.answer(&scene::ask(&owner, &[scene::age(0, 120)])).unwrap();
    let [part] = <[Part; 1]>::try_from(answer.parts).unwrap();
    (owner, part)
}

/// The columns and causes of faults.
fn told(opened: &Opened) -> Vec<(Option<&str>, String)> {
    opened.faults.iter().map(|fault| (fault.column(), fault.cause())).collect()
}

#[test]
fn records_with_a_fault_are_left_out_and_named() {
    let (owner, mut part) = sealed(&[ages("Int16", Values::Int64(vec![40, 121, 60].into()))]);
    let all = [scene::age(0, 120)];
    let outside = "the value lies outside the domain".to_owned();
    let opened = owner.report_part(&part, &all);
    assert_eq!(told(&opened), [(Some("age"), outside.clone())]);
    assert_eq!((opened.handles.len(), opened.columns[0].rows(), opened.excess), (2, 2, 0));
    let at = part.handles.iter().position(|&handle| handle == opened.faults[0].handle);
    let position = at.unwrap();
    let error = Error::Value { field: "age".into(), position, why: "lies outside the domain" };
    assert_eq!(owner.open_part(&part, &all), Err(error));

    let other = (0..3).find(|&at| at != position).unwrap();
    let Portion { records: sealed, .. } = &part.portions[0];
    let mut records = Blobs::default();
    for at in 0..3 {
        let mut record = sealed.get(at).to_vec();
        record[20] ^= u8::from(at == other);
        records.push(&record);
    }
    part.portions[0].records = records;
    let opened = owner.report_part(&part, &all);
    let mut faults =
        [(position, Some("age"), outside), (other, None, "the record does not open".into())];
    faults.sort();
    assert_eq!(told(&opened), faults.map(|(_, column, cause)| (column, cause)));
    assert_eq!(opened.handles.len(), 1);
    let error = owner.open_part(&part, &all).unwrap_err();
    assert_eq!(error, opened.faults[0].error);
}

#[test]
fn a_layout_with_a_fault_names_every_record_that_was_granted() {
    let odd = ages("Int8", Values::UInt64(vec![40, 50, 60].into()));
    let (owner, part) = sealed(&[odd]);
    let why = "its values are not sealed as its type is";
    let opened = owner.report_part(&part, &[]);
    assert_eq!(told(&opened), vec![(Some("age"), why.to_owned()); 3]);
    assert_eq!(opened.faults.iter().map(|fault| fault.handle).collect::<Vec<_>>(), part.handles);
    let error = Error::Column { column: "age".into(), why };
    assert_eq!(owner.open_part(&part, &[]), Err(error));

    let mut grants = Grants::default();
    assert_eq!(told(&grants.report_part(&part, &[], &owner.schema, scene::NOW)).len(), 3);
    let ids = Some(Ids::Integers(&[2]));
    let share = Share { ids, portions: None, holder: b"", end: scene::NOW };
    let granted = owner.grant(&part.provider, &share).unwrap();
    grants.add(Grant::decode(&granted).unwrap(), scene::NOW).unwrap();
    let opened = grants.report_part(&part, &[], &owner.schema, scene::NOW);
    assert_eq!(told(&opened), [(Some("age"), why.to_owned())]);
}

#[test]
fn nulls_are_of_every_type_and_found_by_no_range() {
    let mut nulls = ages("String", Values::Text(Packed::new(vec![0; 3], vec![]).unwrap()));
    let all = [scene::age(0, 120)];
    let (owner, part) = sealed(std::slice::from_ref(&nulls));
    let error = Error::FieldType { field: "age".into(), dtype: "String" };
    assert_eq!(owner.open_part(&part, &all), Err(error));
    nulls.is_valid = vec![false; 3].into();
    let (owner, part) = sealed(&[nulls]);
    let opened = owner.report_part(&part, &all);
    let elsewhere = "the record lies in none of the cells that were asked for".to_owned();
    assert_eq!((opened.handles.len(), told(&opened)), (0, vec![(None, elsewhere); 3]));
    assert_eq!(owner.open_part(&part, &[]).unwrap().handles.len(), 3);
}

#[test]
fn a_field_that_is_asked_for_must_be_there() {
    let (owner, part) = sealed(&[]);
    let why = "there is none, and the query asks for it";
    let error = Error::Column { column: "age".into(), why };
    assert_eq!(owner.open_part(&part, &[scene::age(0, 1)]), Err(error));
}
