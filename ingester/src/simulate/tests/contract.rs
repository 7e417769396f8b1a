//! The decoder made from the domain's contract takes every valid message and turns away every other, for the reason that
//! `simulation.yml` promises.

use std::collections::BTreeMap;

use userflow_models::contract::Contract;
use userflow_models::decode::Decoder;

use super::super::compile::load;
use super::super::draws::Streams;
use super::super::event::Event;
use super::super::message::Scene;
use super::super::plan::Plan;
use super::super::session::{Player, Session, Visit};
use super::{MIXED, args, models, play};

fn decoder() -> Decoder {
    Decoder::new(&Contract::load(&models().join("webtoon/contract.json")).unwrap())
}

#[test]
fn the_decoder_finds_what_the_summary_tells() {
    let (sent, truth) = play(&MIXED.replace("--garbage 0.03", "--garbage 0.2"));
    let mut decoder = decoder();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for one in &sent {
        if let Err(rejection) = decoder.decode(&one.bytes, one.time_ms) {
            *reasons
                .entry(rejection.reason().as_str().to_owned())
                .or_default() += 1;
        }
        assert!(!one.bytes.contains(&b'\n') && !one.bytes.is_empty());
    }
    assert_eq!(reasons, truth.garbage_by_reason);
    assert_eq!(decoder.rows() as u64, truth.events + truth.duplicates);
}

#[test]
fn the_decoder_takes_every_damaged_event() {
    let (sent, truth) = play("--sessions 300 --damage 1");
    assert_eq!(truth.damaged, truth.events);
    let mut decoder = decoder();
    for one in &sent {
        let answer = decoder.decode(&one.bytes, one.time_ms);
        assert!(answer.is_ok(), "{}", String::from_utf8_lossy(&one.bytes));
    }
}

#[test]
fn every_variant_of_garbage_has_the_reason_of_its_kind() {
    let args = args("--sessions 40");
    let program = load(&args.models.models, &args.domain).unwrap();
    let streams = Streams::new(9);
    let plan = Plan::new(&args, &program, &streams).unwrap();
    let mut player = Player::new(&program, &plan, &streams);
    let mut session = Session::default();
    let mut decoder = decoder();
    let place = program.catalogue.draw_place(
        &mut streams.open(super::super::draws::Family::Visit, 0),
        &[],
        1,
    );
    for user in 0..40 {
        player.play(
            &Visit {
                number: user,
                sessions: 1,
                user,
                place,
            },
            0,
            plan.start,
            &mut session,
        );
        for event in session.events.clone() {
            for (index, variant) in program.garbage.variants.iter().enumerate() {
                let event = Event {
                    variant: Some(index as u16),
                    damage: None,
                    ..event
                };
                let mut bytes = Vec::new();
                let scene = Scene {
                    program: &program,
                    values: &session.values,
                    zone: &plan.zones[session.zone],
                    events: &session.events,
                };
                scene.write(&mut bytes, &event, Some(variant));
                let kind = &program.garbage.kinds[variant.kind];
                let text = String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).into_owned();
                let rejection = decoder.decode(&bytes, event.at).expect_err(&text);
                assert_eq!(
                    rejection.reason().as_str(),
                    kind.reason,
                    "{}: {text}",
                    kind.name
                );
            }
        }
    }
}
