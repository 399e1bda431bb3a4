//! Baseline of a first load on PostgreSQL: `COPY` of the same rows into an empty database.

use std::time::{Duration, Instant};

use bytes::Bytes;
use entity::ConnectionRole;
use futures_util::StreamExt;
use migration::testing::{Backend, TestDatabase};
use sqlx::Executor;

use super::TABLES;
use crate::Failure;

/// The time to copy all rows, encoded beforehand, to an empty database in one transaction.
pub(crate) async fn time_rows(loaded: &TestDatabase) -> Result<Duration, Failure> {
    let tables = read(loaded).await?;
    let empty = TestDatabase::migrated(Backend::Postgres).await;
    let outcome = write(&empty, tables).await;
    empty.remove().await;
    outcome
}

/// The rows of each table in the binary format, the fastest for the server.
async fn read(loaded: &TestDatabase) -> Result<Vec<(&'static str, Vec<Bytes>)>, Failure> {
    let connection = loaded.connect(ConnectionRole::Worker).await;
    let mut held = connection.get_postgres_connection_pool().acquire().await?;
    let mut tables = Vec::new();
    for table in TABLES {
        let mut rows = held.copy_out_raw(&format!("COPY \"{table}\" TO STDOUT (FORMAT binary)")).await?;
        let mut chunks = Vec::new();
        while let Some(chunk) = rows.next().await {
            chunks.push(chunk?);
        }
        drop(rows);
        tables.push((table, chunks));
    }
    drop(held);
    connection.close().await?;
    Ok(tables)
}

async fn write(empty: &TestDatabase, tables: Vec<(&'static str, Vec<Bytes>)>) -> Result<Duration, Failure> {
    let connection = empty.connect(ConnectionRole::Worker).await;
    let mut held = connection.get_postgres_connection_pool().acquire().await?;
    // The server sends one message per row, and receives larger messages faster.
    let tables: Vec<(&str, Vec<Vec<u8>>)> = tables.into_iter().map(|(table, chunks)| (table, joined(&chunks))).collect();
    let started = Instant::now();
    held.execute("BEGIN").await?;
    for (table, chunks) in tables {
        let mut rows = held.copy_in_raw(&format!("COPY \"{table}\" FROM STDIN (FORMAT binary)")).await?;
        for chunk in chunks {
            rows.send(chunk).await?;
        }
        rows.finish().await?;
    }
    held.execute("COMMIT").await?;
    let elapsed = started.elapsed();
    drop(held);
    connection.close().await?;
    Ok(elapsed)
}

/// The size of a `COPY` message.
const MESSAGE_BYTES: usize = 64 * 1024;

fn joined(chunks: &[Bytes]) -> Vec<Vec<u8>> {
    let mut messages = vec![Vec::with_capacity(MESSAGE_BYTES)];
    for chunk in chunks {
        if messages.last().is_some_and(|last| last.len() + chunk.len() > MESSAGE_BYTES) {
            messages.push(Vec::with_capacity(MESSAGE_BYTES));
        }
        if let Some(last) = messages.last_mut() {
            last.extend_from_slice(chunk);
        }
    }
    messages
}
