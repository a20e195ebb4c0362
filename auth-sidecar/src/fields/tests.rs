//! Input validation, against the contract's table on additionalFields and our own rules.

use serde_json::{Map, Value, json};

use super::*;

fn field(name: &str) -> Field {
    Field::new(name, Storage::Json)
}

fn levels() -> Field {
    let values = ["beginner", "intermediate", "advanced"].map(str::to_owned);
    Field { values: Some(values.to_vec()), ..field("software_background") }
}

fn parse(fields: &[Field], body: Value, action: Action) -> Result<Value, FieldError> {
    let Value::Object(body) = body else { panic!("a body is an object") };
    parse_input(fields, &body, action).map(Value::Object)
}

/// The answer for one field on sign-up.
fn create(field: Field, body: Value) -> Result<Value, String> {
    parse(&[field], body, Action::Create).map_err(|error| error.to_string())
}

/// The answer for one field on update-user.
fn update(field: Field, body: Value) -> Result<Value, String> {
    parse(&[field], body, Action::Update).map_err(|error| error.to_string())
}

fn refused<T>(message: &str) -> Result<T, String> {
    Err(message.to_owned())
}

#[test]
fn unknown_keys_are_dropped() {
    assert_eq!(create(field("plan"), json!({"other": 1, "role": "admin"})), Ok(json!({})));
    assert_eq!(update(field("plan"), json!({"other": 1})), Ok(json!({})));
}

#[test]
fn missing_required_field_is_refused_on_create_only() {
    let department = || Field { required: true, ..field("department") };
    assert_eq!(
        parse(&[department()], json!({}), Action::Create),
        Err(FieldError::Missing { key: "department".to_owned() })
    );
    assert_eq!(create(department(), json!({})), refused("department is required"));
    assert_eq!(update(department(), json!({})), Ok(json!({})));
}

#[test]
fn default_is_taken_on_create_even_when_required() {
    let plan = |required| Field { required, default: Some(json!("free")), ..field("plan") };
    assert_eq!(create(plan(false), json!({})), Ok(json!({"plan": "free"})));
    assert_eq!(create(plan(true), json!({})), Ok(json!({"plan": "free"})));
    assert_eq!(update(plan(true), json!({})), Ok(json!({})));
    assert_eq!(create(plan(true), json!({"plan": "pro"})), Ok(json!({"plan": "pro"})));
}

#[test]
fn null_clears_an_optional_field_and_is_missing_for_a_required_one() {
    let plan = || Field { default: Some(json!("free")), ..field("plan") };
    assert_eq!(create(plan(), json!({"plan": null})), Ok(json!({"plan": null})));
    assert_eq!(update(plan(), json!({"plan": null})), Ok(json!({"plan": null})));
    let required = || Field { required: true, ..field("plan") };
    assert_eq!(create(required(), json!({"plan": null})), refused("plan is required"));
    assert_eq!(update(required(), json!({"plan": null})), refused("plan is required"));
}

#[test]
fn blank_text_is_null_unless_it_is_kept() {
    for blank in ["", " ", " \t\n\u{a0}"] {
        assert_eq!(create(field("plan"), json!({"plan": blank})), Ok(json!({"plan": null})));
        let keep = Field { blank: Blank::Keep, required: true, ..field("plan") };
        assert_eq!(create(keep, json!({"plan": blank})), Ok(json!({"plan": blank})));
        let required = || Field { required: true, ..field("plan") };
        assert_eq!(create(required(), json!({"plan": blank})), refused("plan is required"));
        assert_eq!(update(required(), json!({"plan": blank})), refused("plan is required"));
    }
    assert_eq!(create(field("plan"), json!({"plan": " a "})), Ok(json!({"plan": " a "})));
}

#[test]
fn field_that_takes_no_input_refuses_truthy_values_only() {
    let hidden = || Field { input: false, ..field("no_input") };
    for truthy in [json!("x"), json!(1), json!(true), json!([]), json!({}), json!("0")] {
        for action in [Action::Create, Action::Update] {
            assert_eq!(
                parse(&[hidden()], json!({"no_input": truthy}), action),
                Err(FieldError::NotAllowed { key: "no_input".to_owned() })
            );
        }
    }
    for falsy in [json!(null), json!(""), json!(0), json!(-0.0), json!(false)] {
        assert_eq!(create(hidden(), json!({"no_input": falsy})), Ok(json!({})));
        assert_eq!(update(hidden(), json!({"no_input": falsy})), Ok(json!({})));
    }
    assert_eq!(create(hidden(), json!({"no_input": "x"})), refused("no_input is not allowed to be set"));
    let required = Field { required: true, ..hidden() };
    assert_eq!(create(required, json!({"no_input": ""})), Ok(json!({})), "as upstream");
}

#[test]
fn field_that_takes_no_input_replaces_the_value_by_its_default_on_create() {
    let plan = || Field { input: false, default: Some(json!("free")), ..field("plan") };
    assert_eq!(create(plan(), json!({"plan": "pro"})), Ok(json!({"plan": "free"})));
    assert_eq!(create(plan(), json!({})), Ok(json!({"plan": "free"})));
    assert_eq!(update(plan(), json!({"plan": "pro"})), refused("plan is not allowed to be set"));
    assert_eq!(update(plan(), json!({"plan": ""})), Ok(json!({})));
}

#[test]
fn wrong_types_are_refused_with_a_sentence_for_the_form() {
    let of = |kind| Field { kind, ..field("skill") };
    for wrong in [json!(1), json!(true), json!([]), json!({})] {
        assert_eq!(create(of(FieldType::String), json!({"skill": wrong})), refused("skill must be a string"));
    }
    for wrong in [json!("Python"), json!(1), json!([1]), json!(["a", null]), json!({})] {
        assert_eq!(
            create(of(FieldType::StringList), json!({"skill": wrong})),
            refused("skill must be a list of strings")
        );
    }
    for wrong in [json!("x"), json!("inf"), json!("NaN"), json!("1e999"), json!(true), json!([])] {
        assert_eq!(create(of(FieldType::Number), json!({"skill": wrong})), refused("skill must be a number"));
    }
    for wrong in [json!("yes"), json!(1), json!([])] {
        assert_eq!(create(of(FieldType::Boolean), json!({"skill": wrong})), refused("skill must be true or false"));
    }
}

#[test]
fn numbers_and_booleans_may_arrive_as_the_text_of_a_form() {
    let of = |kind| Field { kind, ..field("skill") };
    for (text, number) in [("12", json!(12)), (" -3 ", json!(-3)), ("1.5", json!(1.5)), ("1e3", json!(1000.0))] {
        assert_eq!(create(of(FieldType::Number), json!({"skill": text})), Ok(json!({"skill": number})));
        assert_eq!(create(of(FieldType::Number), json!({"skill": number})), Ok(json!({"skill": number})));
    }
    for (text, flag) in [("true", true), ("false", false)] {
        assert_eq!(create(of(FieldType::Boolean), json!({"skill": text})), Ok(json!({"skill": flag})));
        assert_eq!(create(of(FieldType::Boolean), json!({"skill": flag})), Ok(json!({"skill": flag})));
    }
    assert_eq!(create(of(FieldType::Number), json!({"skill": ""})), Ok(json!({"skill": null})));
}

#[test]
fn allowed_values_are_stored_in_their_declared_spelling() {
    for given in ["beginner", "Beginner", "BEGINNER"] {
        assert_eq!(
            create(levels(), json!({"software_background": given})),
            Ok(json!({"software_background": "beginner"}))
        );
    }
    for given in ["expert", " beginner", "beginners"] {
        assert_eq!(
            update(levels(), json!({"software_background": given})),
            refused("software_background must be one of: beginner, intermediate, advanced")
        );
    }
    assert_eq!(create(levels(), json!({"software_background": ""})), Ok(json!({"software_background": null})));
}

#[test]
fn length_counts_code_points() {
    let short = || Field { max_length: 4, ..field("plan") };
    assert_eq!(create(short(), json!({"plan": "🦀🦀🦀🦀"})), Ok(json!({"plan": "🦀🦀🦀🦀"})));
    assert_eq!(create(short(), json!({"plan": "🦀🦀🦀🦀a"})), refused("plan must be at most 4 characters"));
    assert_eq!(
        create(field("plan"), json!({"plan": "a".repeat(1001)})),
        refused("plan must be at most 1000 characters")
    );
    let list = Field { kind: FieldType::StringList, ..short() };
    assert_eq!(
        create(list, json!({"plan": ["abcd", "abcde"]})),
        refused("plan must have items of at most 4 characters")
    );
}

#[test]
fn nul_characters_are_refused() {
    assert_eq!(create(field("plan"), json!({"plan": "a\0b"})), refused("plan must not contain a NUL character"));
}

#[test]
fn lists_keep_their_items_without_the_blank_ones() {
    let list = |blank| Field { kind: FieldType::StringList, blank, ..field("skills") };
    let given = || json!({"skills": ["Python", "", " ", "ROS 2"]});
    assert_eq!(create(list(Blank::Null), given()), Ok(json!({"skills": ["Python", "ROS 2"]})));
    assert_eq!(create(list(Blank::Keep), given()), Ok(given()));
    for empty in [json!([]), json!([""])] {
        assert_eq!(create(list(Blank::Null), json!({"skills": empty})), Ok(json!({"skills": null})));
        assert_eq!(create(list(Blank::Keep), json!({"skills": empty})), Ok(json!({"skills": empty})));
        let required = Field { required: true, ..list(Blank::Null) };
        assert_eq!(create(required, json!({"skills": empty})), refused("skills is required"));
    }
}

#[test]
fn lists_have_at_most_100_items_and_fit_their_column() {
    let list = |max_length| Field { kind: FieldType::StringList, max_length, ..field("skills") };
    assert!(create(list(1000), json!({"skills": vec!["a"; 100]})).is_ok());
    assert_eq!(create(list(1000), json!({"skills": vec!["a"; 101]})), refused("skills must have at most 100 items"));
    let item = "a".repeat(60_000);
    assert!(create(list(60_000), json!({"skills": [item]})).is_ok());
    assert_eq!(
        create(list(60_000), json!({"skills": [item, item]})),
        refused("skills must have at most 100000 characters in all")
    );
}

#[test]
fn every_item_of_a_list_has_to_be_an_allowed_value() {
    let list = || Field { kind: FieldType::StringList, ..levels() };
    assert_eq!(
        create(list(), json!({"software_background": ["Advanced", "beginner"]})),
        Ok(json!({"software_background": ["advanced", "beginner"]}))
    );
    assert_eq!(
        create(list(), json!({"software_background": ["advanced", "guru"]})),
        refused("software_background must contain only: beginner, intermediate, advanced")
    );
}

#[test]
fn result_is_in_declaration_order_under_the_wire_keys() {
    let renamed = Field { key: "hardwareBackground".to_owned(), ..field("hardware_background") };
    let fields = [renamed, Field { default: Some(json!("free")), ..field("plan") }, levels()];
    let body = json!({"software_background": "advanced", "hardwareBackground": "none", "hardware_background": "x"});
    let parsed = parse(&fields, body, Action::Create).unwrap();
    let parsed: Vec<_> = parsed.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(
        parsed,
        [("hardwareBackground", json!("none")), ("plan", json!("free")), ("software_background", json!("advanced"))]
    );
}

#[test]
fn first_refusal_in_declaration_order_wins() {
    let fields = [Field { required: true, ..field("department") }, levels()];
    let body = json!({"software_background": "guru"});
    let refused = parse(&fields, body, Action::Create);
    assert_eq!(refused, Err(FieldError::Missing { key: "department".to_owned() }));
}

#[test]
fn lookalikes_name_the_field_that_was_meant() {
    let registry = FieldRegistry::default();
    let found = |body: Value| -> Vec<(String, String)> {
        let body: Map<String, Value> = body.as_object().unwrap().clone();
        lookalikes(&registry.user, &body).into_iter().map(|(key, field)| (key, field.key.clone())).collect()
    };
    for key in ["softwareBackground", "SoftwareBackground", "software-background", "SOFTWARE_BACKGROUND"] {
        assert_eq!(found(json!({key: "x"})), [(key.to_owned(), "software_background".to_owned())]);
    }
    assert_eq!(found(json!({"software_background": "x", "name": "x", "software": "x"})), []);
    let renamed = [Field { key: "level".to_owned(), ..field("software_background") }];
    let body = json!({"software_background": "x", "level": "y"});
    let found = lookalikes(&renamed, body.as_object().unwrap());
    assert_eq!(found, [("software_background".to_owned(), &renamed[0])]);
}

#[test]
fn column_rules_follow_the_two_fields_only() {
    let mut registry = FieldRegistry::default();
    registry.user[0].values = levels().values;
    registry.user[0].max_length = 50;
    registry.user[1].kind = FieldType::StringList;
    registry.user[1].blank = Blank::Keep;
    registry.user.push(field("plan"));
    let rules = column_rules(&registry);
    assert_eq!(
        rules,
        [
            schema::ColumnRule {
                column: "software_background",
                max_length: 50,
                values: levels().values,
                allow_blank: false,
                list: false,
            },
            schema::ColumnRule {
                column: "hardware_background",
                max_length: 100_000,
                values: None,
                allow_blank: true,
                list: true,
            },
        ]
    );
}
