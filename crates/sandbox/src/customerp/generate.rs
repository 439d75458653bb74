//! Sample records made up from a seed.

use super::options::Options;
use super::store::Store;

pub(crate) fn fill(_: &mut Store, _: &Options) {}
