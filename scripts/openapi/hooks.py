"""Extends schemathesis: the rules of docs/openapi-rules.md, and media types that it cannot generate."""

import json
import pathlib
import uuid

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import negative_data_rejection as reject_invalid_data
from schemathesis.specs.openapi.checks import positive_data_acceptance as accept_valid_data
from schemathesis.specs.openapi.checks import response_schema_conformance as conform_to_schema

RULES = pathlib.Path(__file__).parents[2] / "docs" / "openapi-rules.md"
ALL = "all"
ALL_LISTS = "all lists"
ALL_LISTS_OF_EVENTS = "all lists of events"


def read_rules():
    """The operations and the error text of each rule."""
    rows = [line.strip("| \n").split(" | ") for line in RULES.read_text().splitlines() if line.startswith("| ")]
    return [(row[0].replace("`", "").split(", "), row[1]) for row in rows[1:]]


rules = read_rules()


def is_expected(case, response):
    """Whether each error of the response is one of a rule of the operation."""
    problem = json.loads(response.content)
    operation = case.operation.definition.raw
    names = {ALL, operation["operationId"]}
    parameters = {parameter.get("name") for parameter in operation.get("parameters", [])}
    if "cursor" in parameters:
        names.add(ALL_LISTS)
    if "bbox" in parameters:
        names.add(ALL_LISTS_OF_EVENTS)
    texts = [text for operations, text in rules if names.intersection(operations)]
    messages = [error["message"] for error in problem["errors"]] or [problem["detail"]]
    return all(any(text in message for text in texts) for message in messages)


def is_uuid(value):
    try:
        return bool(uuid.UUID(str(value)))
    except ValueError:
        return False


def has_valid_ids(case):
    """Whether each id in the path has its format. One that was taken from another response may be the id of something else."""
    parameters = case.operation.definition.raw.get("parameters", [])
    uuids = [parameter["name"] for parameter in parameters if parameter.get("schema", {}).get("format") == "uuid"]
    return all(is_uuid(value) for name, value in (case.path_parameters or {}).items() if name in uuids)


def is_of_sequence(case):
    """Whether it follows other requests, and has values of their responses, which may be the ids or numbers of something else."""
    return case.meta is not None and case.meta.phase.name.value == "stateful"


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Requests the oldest version instead of one that does not exist, for which the server waits."""
    version = (case.headers or {}).get("Marquee-Min-Version")
    if version is not None and str(version).isascii() and str(version).isdecimal():
        case.headers["Marquee-Min-Version"] = "0"


@schemathesis.check
def acceptance_of_valid_data(ctx, response, case):
    """The check `positive_data_acceptance`, except for the rules, and for events that another generated request has removed."""
    if response.status_code == 410 or not has_valid_ids(case) or (response.status_code == 400 and is_of_sequence(case)):
        return
    try:
        accept_valid_data(ctx, response, case)
    except Failure:
        if response.status_code not in (400, 409, 412, 413, 414, 422) or not is_expected(case, response):
            raise


@schemathesis.check
def rejection_of_invalid_data(ctx, response, case):
    """The check `negative_data_rejection`, except for empty query parameters, which are the same as absent ones, and sequences."""
    if "" not in dict(case.query or {}).values() and not is_of_sequence(case):
        reject_invalid_data(ctx, response, case)


@schemathesis.check
def conformance_of_responses(ctx, response, case):
    """The check `response_schema_conformance`, except for `fields`, which selects members that the schema of an event requires."""
    if "fields" not in dict(case.query or {}):
        conform_to_schema(ctx, response, case)


@schemathesis.serializer("application/x-ndjson", "text/csv")
def serialize_text(ctx, value):
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
