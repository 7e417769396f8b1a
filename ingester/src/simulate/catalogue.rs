//! What users pick from: the rows of a CSV file in groups, some groups far more popular than others.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use super::draws::{Draws, Rate, Weights};
use super::error::{SimulateError, script_error};
use super::names::{json_text, rate};
use super::script;

#[derive(Debug)]
pub(crate) struct Catalogue {
    /// Per row the values of the script's catalogue variables, as JSON text.
    rows: Vec<Vec<Box<[u8]>>>,
    groups: Vec<Range<usize>>,
    popularity: Weights,
    row_skew: u32,
    pub(crate) favourites: u32,
    favourite_rate: Rate,
}

/// A place in the catalogue: a group and a row of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    group: usize,
    row: usize,
}

impl Catalogue {
    /// A single row of nothing, where there is nothing to pick.
    pub(crate) fn none() -> Self {
        Self {
            rows: vec![Vec::new()],
            groups: std::iter::once(0..1).collect(),
            popularity: Weights::new([1]).expect("one is a weight"),
            row_skew: 1,
            favourites: 0,
            favourite_rate: Rate::NEVER,
        }
    }

    pub(crate) fn load(domain: &Path, script: &script::Catalogue) -> Result<Self, SimulateError> {
        let path = domain.join(&script.file);
        let fail = |problem: String| SimulateError::Model(format!("{}: {problem}", path.display()));
        let mut reader = csv::Reader::from_path(&path).map_err(|error| fail(error.to_string()))?;
        let header = reader
            .headers()
            .map_err(|error| fail(error.to_string()))?
            .clone();
        let column = |name: &str| {
            header
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| {
                    let known: Vec<&str> = header.iter().collect();
                    fail(format!(
                        "no column `{name}`; the columns are {}",
                        known.join(", ")
                    ))
                })
        };
        let group = column(&script.group)?;
        let columns = script
            .variables
            .iter()
            .map(|name| column(name))
            .collect::<Result<Vec<_>, _>>()?;
        for name in &script.numbers {
            if !script.variables.contains(name) {
                return script_error(format!(
                    "catalogue.numbers: `{name}` is none of catalogue.variables"
                ));
            }
        }
        let numbers = script.variables.iter();
        let numbers: Vec<bool> = numbers.map(|name| script.numbers.contains(name)).collect();

        let mut rows = Vec::new();
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut seen = HashSet::new();
        let mut current = None;
        for record in reader.records() {
            let record = record.map_err(|error| fail(error.to_string()))?;
            let name = record[group].to_owned();
            if current.as_ref() != Some(&name) {
                if !seen.insert(name.clone()) {
                    let line = record.position().map_or(0, csv::Position::line);
                    return Err(fail(format!(
                        "line {line}: the rows of {} `{name}` do not stand together",
                        script.group
                    )));
                }
                groups.push(rows.len()..rows.len());
                current = Some(name);
            }
            rows.push(
                (columns.iter().zip(&numbers))
                    .map(|(column, number)| match number {
                        false => Ok(json_text(&record[*column])),
                        true => number_text(&record[*column]).ok_or_else(|| {
                            let line = record.position().map_or(0, csv::Position::line);
                            fail(format!("line {line}: `{}` is no number", &record[*column]))
                        }),
                    })
                    .collect::<Result<_, _>>()?,
            );
            if let Some(last) = groups.last_mut() {
                last.end = rows.len();
            }
        }
        if rows.is_empty() {
            return Err(fail("no rows, so there is nothing to pick".to_owned()));
        }
        if !(0.0..=4.0).contains(&script.zipf) {
            return script_error(format!(
                "catalogue.zipf is {}; write a number from 0 to 4",
                script.zipf
            ));
        }
        // Rounded to whole weights, so that a last bit of `powf` that differs between machines changes nothing.
        let weight =
            |rank: usize| ((1e6 * ((rank + 1) as f64).powf(-script.zipf)).round() as u64).max(1);
        let popularity = Weights::new((0..groups.len()).map(weight))
            .ok_or_else(|| fail("no groups".to_owned()))?;
        let favourite_rate = rate(script.favourites.rate, "catalogue.favourites.rate")?;
        Ok(Self {
            rows,
            groups,
            popularity,
            row_skew: script.row_skew,
            favourites: script.favourites.count,
            favourite_rate,
        })
    }

    /// A group by popularity.
    pub(crate) fn draw_group(&self, draws: &mut Draws) -> usize {
        self.popularity.draw(draws)
    }

    /// Where a visit of `sessions` rows begins: one of the user's favourites or any group, and a row after which there are
    /// enough others if the group is that long.
    pub(crate) fn draw_place(
        &self,
        draws: &mut Draws,
        favourites: &[usize],
        sessions: u32,
    ) -> Place {
        let any = self.draw_group(draws);
        let own = draws.chance(self.favourite_rate);
        let pick = draws.bits32() as usize;
        let group = if own && !favourites.is_empty() {
            favourites[pick % favourites.len()]
        } else {
            any
        };
        let length = self.groups[group].len() as u64;
        let starts = length.saturating_sub(u64::from(sessions) - 1).max(1);
        Place {
            group,
            row: draws.lowest(starts, self.row_skew) as usize,
        }
    }

    /// The row that stands `ahead` rows after a place (from the group's end it goes on at its start).
    pub(crate) fn row(&self, place: Place, ahead: u32) -> u32 {
        let group = &self.groups[place.group];
        (group.start + (place.row + ahead as usize) % group.len()) as u32
    }

    /// A row of any group, by popularity.
    pub(crate) fn draw_row(&self, draws: &mut Draws) -> u32 {
        let group = self.draw_group(draws);
        let length = self.groups[group].len() as u64;
        let row = draws.lowest(length, self.row_skew) as usize;
        self.row(Place { group, row }, 0)
    }

    /// The values of a row.
    pub(crate) fn values(&self, row: u32) -> &[Box<[u8]>] {
        &self.rows[row as usize]
    }

    /// A column as whole numbers, if it holds nothing else.
    pub(crate) fn whole_numbers(&self, column: usize) -> Option<Vec<i64>> {
        let number = |row: &Vec<Box<[u8]>>| std::str::from_utf8(&row[column]).ok()?.parse().ok();
        self.rows.iter().map(number).collect()
    }
}

/// A number as it is written in JSON.
fn number_text(text: &str) -> Option<Box<[u8]>> {
    let number: serde_json::Number = serde_json::from_str(text.trim()).ok()?;
    Some(number.to_string().into_bytes().into())
}
