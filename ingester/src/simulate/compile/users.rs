//! Who the users are: their draws, and the one among them that decides the time zone.

use chrono_tz::Tz;
use serde_json::Value;

use super::draws::compile_draws;
use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::names::{Scope, Variables};
use crate::simulate::program::Users;
use crate::simulate::script;

pub(super) fn compile_users(
    variables: &mut Variables,
    script: &script::Users,
) -> Result<Users, SimulateError> {
    let draws = compile_draws(variables, Scope::User, &script.draws, "users.draws")?;
    if script.sessions_per_user == 0 {
        return script_error("users.sessions_per_user must be 1 or more".to_owned());
    }
    let deciding = script.draws.iter().enumerate().find_map(|(index, draw)| {
        let choices = draw.choose.as_ref()?;
        choices
            .iter()
            .any(|choice| choice.set.contains_key(&script.zone))
            .then_some((index, choices))
    });
    let Some((zone_draw, choices)) = deciding else {
        return script_error(format!(
            "users.zone: no choice of users.draws sets `{}`",
            script.zone
        ));
    };
    let mut zones: Vec<Tz> = Vec::new();
    let mut zone_weights = Vec::new();
    let mut zone_of_option = Vec::new();
    for choice in choices {
        let name = choice
            .set
            .get(&script.zone)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let Ok(zone) = name.parse::<Tz>() else {
            return script_error(format!(
                "users.draws[{zone_draw}]: `{name}` is no time zone; write one such as Asia/Seoul in every choice"
            ));
        };
        let index = zones
            .iter()
            .position(|known| *known == zone)
            .unwrap_or_else(|| {
                zones.push(zone);
                zone_weights.push(0);
                zones.len() - 1
            });
        zone_weights[index] += choice.weight;
        zone_of_option.push(index);
    }
    Ok(Users {
        sessions_per_user: script.sessions_per_user,
        skew: script.skew,
        draws,
        zones,
        zone_draw,
        zone_of_option,
        zone_weights,
    })
}
