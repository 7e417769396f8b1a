//! The `.yml` files of a project: the twin of a model (its meaning and its columns), the declarations of seeds and of sources.
//!
//! The format is dbt's. A key that neither dbt nor we give a meaning is refused, because a misspelt `colums:` would otherwise
//! silently declare nothing.

mod lines;
mod model;
mod parse;
mod seeds;
mod sources;
mod table;
mod test;

pub(crate) use model::model;
pub(crate) use seeds::seeds;
pub(crate) use sources::sources;
