//! How faulty a run is: the rates among its flags.

use super::config::SimulateArgs;
use super::draws::Rate;
use super::error::SimulateError;

/// The rates.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knobs {
    pub(crate) duplicates: Rate,
    pub(crate) out_of_order: Rate,
    pub(crate) late: Rate,
    pub(crate) abandoned: Rate,
    pub(crate) binge: Rate,
    pub(crate) garbage: Rate,
    pub(crate) damage: Rate,
}

impl Knobs {
    /// Reads them from the flags.
    pub(crate) fn new(args: &SimulateArgs) -> Result<Self, SimulateError> {
        let share = |share: f64, flag: &str| {
            Rate::new(share).ok_or_else(|| {
                SimulateError::Usage(format!("{flag} {share}: a share lies between 0 and 1"))
            })
        };
        Ok(Self {
            duplicates: share(args.duplicates, "--duplicates")?,
            out_of_order: share(args.out_of_order, "--out-of-order")?,
            late: share(args.late, "--late")?,
            abandoned: share(args.abandoned, "--abandoned")?,
            binge: share(args.binge, "--binge")?,
            garbage: share(args.garbage, "--garbage")?,
            damage: share(args.damage, "--damage")?,
        })
    }
}
