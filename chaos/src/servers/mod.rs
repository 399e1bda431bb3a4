//! The servers that Marquee needs.

mod postgres;
mod redis;

pub(crate) use self::{
    postgres::{PostgresServer, find_postgres},
    redis::RedisServer,
};
