//! The HTTP interface over real sockets, against a backend in memory. A file for each part of the URLs.

mod client;
mod commands;
mod fake;
mod hostile;
mod page;
mod shutdown;
mod tokens;
mod v1_feeds;
mod v1_ratings;
mod v1_ratings_batch;
mod v1_review;
mod v1_statistics;
mod well_known;
