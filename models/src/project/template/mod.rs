//! The four things that may be templated in a model: `config`, `ref`, `source` and `var`.
//!
//! dbt would run any Jinja; we refuse the rest, so that a model stays plain SQL that two engines read the same way and so that the
//! graph is known without running anything. Expressions are evaluated by minijinja with an empty environment: no filters, no tests,
//! no other functions. `{% %}` and `{# #}` are refused before it sees them.

mod calls;
mod environment;
mod inspect;
mod render;
mod vars;

#[cfg(test)]
mod tests;

pub(crate) use inspect::inspect;
pub(crate) use render::render;
pub use vars::Vars;
