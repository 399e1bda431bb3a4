"""Compares the operations that a client called with those of an OpenAPI document.

usage: check_calls.py OPENAPI_FILE CALLS_FILE

A line of CALLS_FILE is the method and the path of one request. Fails if an operation was not called, or if a request is not one
of the document.
"""

import json
import re
import sys

document_file, calls_file = sys.argv[1:]
with open(document_file) as file:
    paths = json.load(file)["paths"]
operations = {
    (method.upper(), path): operation["operationId"]
    for path, methods in paths.items()
    for method, operation in methods.items()
    if method in ("get", "put", "post", "delete", "patch", "head")
}


def find_operation(method: str, path: str) -> str:
    # A fixed path has precedence over a template that it also matches, and the longer one of two templates.
    templates = [template for verb, template in operations if verb == method]
    for template in sorted(templates, key=lambda template: ("{" in template, -len(template))):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template.replace(".", r"\.")), path):
            return operations[method, template]
    sys.exit(f"not an operation of {document_file}: {method} {path}")


with open(calls_file) as file:
    calls = [find_operation(*line.split()) for line in file]
missing = sorted(set(operations.values()) - set(calls))
if missing:
    sys.exit(f"operations that were not called: {', '.join(missing)}")
print(f"called all {len(operations)} operations in {len(calls)} requests")
