//! The fields of the message, and its forms.

use std::cell::Cell;

use super::steps::Settings;
use crate::simulate::any::Any;
use crate::simulate::draws::Rate;
use crate::simulate::error::{SimulateError, script_error};
use crate::simulate::fields::{Field, Form, Source};
use crate::simulate::moment::Moment;
use crate::simulate::names::{Scope, Variables, json_text, rate};
use crate::simulate::script::{self, Script};
use crate::simulate::steps::Step;

/// The forms of a message; one without conditions where the script has only fields.
pub(super) fn compile_forms(
    variables: &Variables,
    script: &Script,
    steps: &[Step],
    settings: &[Settings],
) -> Result<Vec<Form>, SimulateError> {
    let names = Names {
        variables,
        columns: (script.catalogue.as_ref()).map_or(&[], |catalogue| &catalogue.variables[..]),
        numbered: Cell::new(0),
        steps,
        settings,
    };
    let message = &script.message;
    if message.fields.is_empty() == message.forms.is_empty() {
        return script_error("message: write fields or forms, one of them".to_owned());
    }
    if message.forms.is_empty() {
        return Ok(vec![Form {
            on: u64::MAX,
            needs: None,
            fields: names.fields(&message.fields, "message.fields", true)?,
        }]);
    }
    let mut forms = Vec::new();
    for form in &message.forms {
        let place = format!("message.forms: `{}`", form.name);
        forms.push(Form {
            on: names.on(form.on.as_deref(), &place)?,
            needs: names.needs(form.needs.as_deref(), &place)?,
            fields: names.fields(&form.fields, &place, true)?,
        });
    }
    match forms.last() {
        Some(last) if last.on == u64::MAX && last.needs.is_none() && forms.len() <= 250 => Ok(forms),
        _ => script_error("message.forms: the last has no on and no needs, so that every event has a form; at most 250".to_owned()),
    }
}

/// What a field may name.
struct Names<'a> {
    variables: &'a Variables,
    /// The columns of the catalogue.
    columns: &'a [String],
    /// Fields so far.
    numbered: Cell<u32>,
    steps: &'a [Step],
    settings: &'a [Settings],
}

impl Names<'_> {
    /// Fields of the message itself (`outer`), or of an object in it.
    fn fields(
        &self,
        fields: &[script::Field],
        list: &str,
        outer: bool,
    ) -> Result<Vec<Field>, SimulateError> {
        let mut compiled: Vec<Field> = Vec::new();
        for field in fields {
            let place = format!("{list}: `{}`", field.field);
            if field.field.is_empty() {
                return script_error(format!("{list}: a field without its name"));
            }
            let on = self.on(field.on.as_deref(), &place)?;
            let twice = |other: &Field| other.name == field.field && other.on & on != 0;
            if compiled.iter().any(twice) {
                return script_error(format!("{place} is written twice"));
            }
            // What is left out of the message is drawn with the event, a bit for each field.
            let field = self.field(field, &place, outer && compiled.len() < 64)?;
            compiled.push(field);
        }
        if compiled.is_empty() || compiled.len() > 1_000 {
            return script_error(format!("{list}: write 1 to 1000 fields"));
        }
        Ok(compiled)
    }

    fn field(
        &self,
        field: &script::Field,
        place: &str,
        drawn: bool,
    ) -> Result<Field, SimulateError> {
        let omit = rate(field.omit, &format!("{place}: omit"))?;
        let (omit, absent) = if drawn {
            (omit, Rate::NEVER)
        } else {
            (Rate::NEVER, omit)
        };
        let number = self.numbered.get();
        self.numbered.set(number + 1);
        Ok(Field {
            name: field.field.clone(),
            label: [&json_text(&field.field)[..], b":"].concat().into(),
            source: self.source(field, place)?,
            on: self.on(field.on.as_deref(), place)?,
            needs: self.needs(field.needs.as_deref(), place)?,
            omit,
            absent,
            number,
        })
    }

    fn source(&self, field: &script::Field, place: &str) -> Result<Source, SimulateError> {
        let ways = [
            field.from.is_some(),
            field.id,
            field.time.is_some(),
            field.measure.is_some(),
            field.fields.is_some(),
            field.items.is_some(),
            field.moment.is_some(),
            field.any.is_some(),
            field.list.is_some(),
        ];
        if ways.iter().filter(|way| **way).count() > 1 {
            return script_error(format!(
                "{place}: write only one of from, id, time, measure, fields, items, moment, any and list"
            ));
        }
        if field.text && field.fields.is_none() {
            return script_error(format!(
                "{place}: only an object of fields is written as text"
            ));
        }
        if field.id {
            return Ok(Source::Id);
        }
        if let Some(form) = field.time {
            return Ok(Source::Time(form));
        }
        if let Some(measure) = field.measure {
            return Ok(Source::Measure(measure));
        }
        if let Some(fields) = &field.fields {
            let fields = self.fields(fields, place, false)?;
            let text = field.text;
            return Ok(Source::Object { fields, text });
        }
        if let Some(fields) = &field.items {
            return Ok(Source::Items(self.fields(fields, place, false)?));
        }
        if let Some(moment) = &field.moment {
            return Ok(Source::Moment(Moment::compile(moment, place)?));
        }
        if let Some(any) = &field.any {
            return Ok(Source::Any(Any::compile(any, place)?));
        }
        if let Some(items) = &field.list {
            let item = |(index, item)| self.field(item, &format!("{place}: list[{index}]"), false);
            let items = items.iter().enumerate().map(item);
            return Ok(Source::List(items.collect::<Result<_, _>>()?));
        }
        let name = field.from.as_deref().unwrap_or(&field.field);
        if let Some(column) = self.columns.iter().position(|column| column == name) {
            return Ok(Source::Catalogue(column));
        }
        let (slot, scope) = self.variables.find(name, place)?;
        Ok(match scope {
            Scope::Step => {
                let constants = self.settings.iter().map(|set| set.get(&slot).cloned());
                Source::Step(constants.collect())
            }
            Scope::User | Scope::Session => Source::Variable(slot),
        })
    }

    fn on(&self, names: Option<&[String]>, place: &str) -> Result<u64, SimulateError> {
        let Some(names) = names else {
            return Ok(u64::MAX);
        };
        let mut on = 0;
        for name in names {
            let bits = (0..self.steps.len())
                .filter(|index| self.steps[*index].name == *name)
                .fold(0, |bits, index| bits | (1 << index));
            if bits == 0 {
                return script_error(format!("{place}: on: no step `{name}`"));
            }
            on |= bits;
        }
        Ok(on)
    }

    fn needs(&self, name: Option<&str>, place: &str) -> Result<Option<usize>, SimulateError> {
        let Some(name) = name else {
            return Ok(None);
        };
        match self.variables.find(name, place)? {
            (_, Scope::Step) => script_error(format!(
                "{place}: needs: use `on` for what changes with the step"
            )),
            (slot, _) => Ok(Some(slot)),
        }
    }
}
