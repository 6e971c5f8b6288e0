"""Checks the examples for ECS against the model of its API in botocore, as the
AWS command line does before it sends a request. Nothing is sent."""

import json
import pathlib
import sys

import botocore.session
from botocore.validate import ParamValidator

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "ecs"
OPERATIONS = {
    "task-definition-at-most-once.json": "RegisterTaskDefinition",
    "task-definition-exactly-once.json": "RegisterTaskDefinition",
    "service-at-most-once.json": "CreateService",
    "service-exactly-once.json": "CreateService",
}

model = botocore.session.get_session().get_service_model("ecs")
failed = {path.name for path in FOLDER.glob("*.json")} ^ OPERATIONS.keys()
for name in failed:
    print(f"{name}: not checked, or not there")
for name, operation in OPERATIONS.items():
    parameters = json.loads((FOLDER / name).read_text())
    shape = model.operation_model(operation).input_shape
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        failed.add(name)
        print(f"{name}: {report.generate_report()}")
    else:
        print(f"{name}: sound")
sys.exit(bool(failed))
