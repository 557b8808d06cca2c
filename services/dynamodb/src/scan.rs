//! Scan: a whole table or index, or a segment of it.

use fogbank_core::{Cx, Op, Reply, Result};

use crate::error::{language, validation};
use crate::item::{check_mixed, projection, schema_of, scope};
use crate::query::{filter, limit};
use crate::read::{Source, Wanted, reply, select};
use crate::schema::Place;
use crate::value::{self, Input};
use crate::{Dynamo, authz, keys};

pub const OPS: &[Op<Dynamo>] = &[Op {
    name: "Scan",
    run: |ddb, cx, v| Box::pin(scan(ddb, cx, Input::of(v))),
    authz: Some(|ddb, cx, v| Box::pin(authz::item(ddb, cx, v))),
}];

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>
async fn scan(ddb: &Dynamo, cx: &Cx, mut input: Input) -> Result<Reply> {
    let place = Place::of(cx, &input.text("TableName").unwrap_or_default())?;
    check_mixed(
        &input,
        &["ProjectionExpression", "FilterExpression"],
        &["AttributesToGet", "ScanFilter", "ConditionalOperator"],
    )?;
    let scope = scope(&mut input)?;
    let filter = filter(&mut input, &scope, "ScanFilter")?;
    let projection = projection(&mut input, &scope)?;
    scope.check_used().map_err(|e| language(&e))?;
    let limit = limit(&mut input)?;
    let segment = segment(&mut input)?;
    let consistent = input.flag("ConsistentRead").unwrap_or(false);
    let asked = input.text("ReturnConsumedCapacity");
    let schema = schema_of(ddb, cx, &place).await?;
    let source = Source::new(schema, input.text("IndexName").as_deref(), consistent)?;
    let (only_count, fetch) =
        select(&source, input.text("Select").as_deref(), projection.as_ref())?;
    let mut range = match segment {
        Some((n, of)) => keys::segment(source.id(), n, of),
        None => keys::all(source.id()),
    };
    if let Some(start) = input.take("ExclusiveStartKey") {
        let start = source.start(&value::item(start)?)?;
        if let Some((n, of)) = segment
            && !in_segment(&start, n, of)
        {
            return Err(validation(format!(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use \
                 ExclusiveStartKey with correct Segment. TotalSegments: {of} Segment: {n}"
            )));
        }
        range = range.after(&start);
    }
    let wanted = Wanted { filter, projection, limit, only_count, fetch };
    let page = ddb.page(&source, range, &wanted, consistent).await?;
    reply(cx, page, &place.name, asked.as_deref(), only_count)
}

fn segment(input: &mut Input) -> Result<Option<(u64, u64)>> {
    match (input.number("Segment"), input.number("TotalSegments")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        )),
        (None, Some(_)) => Err(validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
        )),
        (Some(n), Some(of)) if n >= of => Err(validation(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {n} is not less than TotalSegments: {of}"
        ))),
        (Some(n), Some(of)) => match (u64::try_from(n), u64::try_from(of)) {
            (Ok(n), Ok(of @ 1..=1_000_000)) => Ok(Some((n, of))),
            _ => Err(validation("Segment and TotalSegments are out of range")),
        },
    }
}

fn in_segment(row: &fogbank_store::Key, n: u64, of: u64) -> bool {
    let hash = row.parts().nth(1);
    let Some(fogbank_store::Part::U64(hash)) = hash else { return false };
    (u128::from(hash) * u128::from(of)) >> 64 == u128::from(n)
        || hash == (((u128::from(n) << 64) / u128::from(of.max(1))) as u64)
}
