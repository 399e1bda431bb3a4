//! Rows of any table as JSON objects, for the previous state that an undo writes back.
//!
//! The names of columns are part of the stored form, so that a column that is added later is left as it is. Floats are stored as their bits:
//! not every JSON reader returns the float that was written.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ColumnType, DbErr, EntityTrait, IdenStatic, Iterable, ModelTrait, TryIntoModel, Value,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// One row: values by the names of their columns.
pub(super) type StoredRow = Map<String, Json>;

/// Encodes rows.
pub(super) fn encode_rows<'a, M: ModelTrait + 'a>(rows: impl Iterator<Item = &'a M>) -> Result<Vec<StoredRow>, DbErr> {
    rows.map(encode_row).collect()
}

/// Decodes rows.
pub(super) fn decode_rows<M>(stored: &[StoredRow]) -> Result<Vec<M>, DbErr>
where
    M: ModelTrait,
    <M::Entity as EntityTrait>::ActiveModel: TryIntoModel<M>,
{
    stored.iter().map(decode_row).collect()
}

/// The key of a row of a table with the key `id`.
pub(super) fn id_of(row: &StoredRow) -> Option<Uuid> {
    Uuid::parse_str(row.get("id")?.as_str()?).ok()
}

fn encode_row<M: ModelTrait>(row: &M) -> Result<StoredRow, DbErr> {
    let columns = <M::Entity as EntityTrait>::Column::iter();
    columns.map(|column| Ok((column.as_str().to_owned(), encode_value(row.get(column))?))).collect()
}

fn decode_row<M>(stored: &StoredRow) -> Result<M, DbErr>
where
    M: ModelTrait,
    <M::Entity as EntityTrait>::ActiveModel: TryIntoModel<M>,
{
    let mut row = <<M::Entity as EntityTrait>::ActiveModel as ActiveModelTrait>::default();
    for column in <M::Entity as EntityTrait>::Column::iter() {
        let value = stored.get(column.as_str()).unwrap_or(&Json::Null);
        row.set(column, decode_value(column.def().get_column_type(), value)?);
    }
    row.try_into_model()
}

fn encode_value(value: Value) -> Result<Json, DbErr> {
    Ok(match value {
        Value::Bool(value) => value.into(),
        Value::SmallInt(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::BigInt(value) => value.into(),
        Value::Double(value) => value.map(f64::to_bits).into(),
        Value::String(value) => value.into(),
        Value::Uuid(value) => value.map(|id| id.to_string()).into(),
        other => return Err(DbErr::Type(format!("no stored form of {other:?}"))),
    })
}

fn decode_value(column: &ColumnType, value: &Json) -> Result<Value, DbErr> {
    let integer = || value.as_i64();
    let decoded = match column {
        ColumnType::Boolean => Value::Bool(value.as_bool()),
        ColumnType::SmallInteger => Value::SmallInt(integer().and_then(|value| value.try_into().ok())),
        ColumnType::Integer => Value::Int(integer().and_then(|value| value.try_into().ok())),
        ColumnType::BigInteger => Value::BigInt(integer()),
        ColumnType::Double => Value::Double(value.as_u64().map(f64::from_bits)),
        ColumnType::Text | ColumnType::String(_) => Value::String(value.as_str().map(str::to_owned)),
        ColumnType::Uuid => Value::Uuid(value.as_str().and_then(|id| Uuid::parse_str(id).ok())),
        other => return Err(DbErr::Type(format!("no stored form of {other:?}"))),
    };
    if (decoded == decoded.as_null()) == value.is_null() {
        Ok(decoded)
    } else {
        Err(DbErr::Type(format!("{value} is not a stored {column:?}")))
    }
}
