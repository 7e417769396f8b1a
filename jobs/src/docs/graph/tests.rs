use super::layout::columns;
use super::*;

fn node(name: &str, reads: &[&str], shelf: u8) -> Node {
    Node {
        name: name.into(),
        label: name.into(),
        group: "g".into(),
        link: None,
        reads: reads.iter().map(|parent| (*parent).to_owned()).collect(),
        shelf,
    }
}

fn sample() -> Vec<Node> {
    vec![
        node("topic", &[], 0),
        node("events", &["topic"], 0),
        node("quarantine", &["topic"], 0),
        node("seed", &[], 1),
        node("silver", &["events", "seed"], 0),
        node("gold1", &["silver"], 0),
        node("gold2", &["silver"], 0),
        node("gold3", &["gold2", "silver"], 0),
        node("view1", &["topic"], 2),
        node("view2", &["topic"], 2),
    ]
}

#[test]
fn columns_follow_what_is_read() {
    let nodes = sample();
    let names = |column: &Vec<usize>| {
        column
            .iter()
            .map(|at| nodes[*at].name.clone())
            .collect::<Vec<_>>()
    };
    let found: Vec<_> = columns(&nodes).iter().map(names).collect();
    let expected = [
        vec!["topic"],
        vec!["events", "quarantine", "seed", "view1", "view2"],
        vec!["silver"],
        vec!["gold1", "gold2"],
        vec!["gold3"],
    ];
    assert_eq!(found, expected);
}

#[test]
fn no_two_boxes_touch_and_none_is_outside() {
    for nodes in [sample(), around(&sample(), "gold1"), sample()[..1].to_vec()] {
        let drawing = draw("g", &nodes, None);
        let number = |text: &str| text.parse::<f64>().unwrap();
        for one in &drawing.boxes {
            assert!(
                number(&one.y) >= 0.0 && number(&one.y) + HEIGHT <= number(&drawing.height),
                "{drawing:#?}"
            );
            assert!(
                number(&one.x) + number(&one.width) <= number(&drawing.width),
                "{drawing:#?}"
            );
            for other in drawing
                .boxes
                .iter()
                .filter(|other| other.number != one.number && other.x == one.x)
            {
                assert!(
                    (number(&one.y) - number(&other.y)).abs() > HEIGHT,
                    "{} and {}",
                    one.name,
                    other.name
                );
            }
        }
    }
}

#[test]
fn the_surroundings_are_ancestors_and_descendants() {
    let names = |name: &str| {
        around(&sample(), name)
            .into_iter()
            .map(|node| node.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names("gold3"),
        ["topic", "events", "seed", "silver", "gold2", "gold3"]
    );
    assert_eq!(names("view1"), ["topic", "view1"]);
    assert_eq!(names("seed"), ["seed", "silver", "gold1", "gold2", "gold3"]);
}

#[test]
fn a_line_is_lit_by_the_lineages_it_is_in() {
    let drawing = draw("g", &sample(), None);
    // topic -> events is in the lineage of everything that comes from the events, and not in the views'.
    assert_eq!(drawing.lines[0].lit_by, [0, 1, 4, 5, 6, 7]);
    assert_eq!(drawing.lines.len(), 10);
}
