//! What clients connect to.
//!
//! * `connections`: accepts them, cuts slow ones, lets them finish at the end. `routes`: the table of endpoints. `app`: what they share.
//! * `tokens`: who may read what, how often. `body`: limits of size and time. `reply`: what an answer looks like.
//! * `online`: `POST /get-online-features`. `look`: `GET /features/…`. `stream`: `GET /stream/…`. `listing`: `GET /services`, `GET /openapi.json`.

mod app;
mod body;
mod connections;
mod listing;
mod look;
mod online;
mod reply;
mod routes;
mod stream;
mod tokens;

pub(crate) use app::App;
pub(crate) use connections::serve;
pub(crate) use routes::router;
pub(crate) use tokens::Access;
