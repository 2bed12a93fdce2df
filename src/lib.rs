//! # Zhenping (真评)
//!
//! Zhenping stands between the intake of public-service ratings (政务服务"好差评") and the official
//! statistics. It scores each rating as it arrives, answers within the request, and lets only
//! ratings that it can stand behind into the figures.
//!
//! ## The life of one rating
//!
//! ```text
//! rating ─▶ validate ─▶ pseudonymise ─▶ state, features ─▶ rules, models ─▶ verdict ─▶ ratings around it ─▶ LOG ─▶ answer
//!           rating      observe         features           rules  models    policy     lookback            log     service
//!           (a) parallel                (b) one thread     (c) parallel                (d) ordered commit
//! ```
//!
//! The modules stand in the order of that path, and each imports only modules above it in this
//! list (`tests/floors.rs` keeps that):

pub mod time;

pub mod date;

pub mod wire;

pub mod version;

mod json;

mod hashed;

pub mod rating;

pub mod pseudonym;

pub mod observation;

pub mod observe;

pub mod catalogue;

pub mod expression;

pub mod features;

pub mod rules;

pub mod models;

pub mod lookback;

pub mod incidents;

pub mod verdict;

pub mod policy;

pub mod scoring;

pub mod broker;

pub mod log;

pub mod vault;

pub mod cluster;

pub mod statistics;

pub mod review;

pub mod config;

pub mod access;

pub mod metrics;

pub mod service;

pub mod http;

pub mod lab;

pub mod cli;
