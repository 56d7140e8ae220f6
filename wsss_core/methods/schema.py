"""Writes the JSON schema of config files, with which editors complete keys and mark mistakes.

    python -m wsss_core.methods.schema > config.schema.json

The schema is less strict than the models. It does not check keys against each other, and it accepts
the keys of one kind in a method of another kind. The workflow checks both when it starts.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic import create_model

from wsss_core.config.experiment import Experiment, MethodName
from wsss_core.config.methods import MethodEntry
from wsss_core.methods import cam, seam, smoothing

KINDS = (cam, seam, smoothing)


def config_schema() -> dict[str, Any]:
    """Builds the schema. No key is required, since config files are merged over config.yaml.

    Returns:
        A JSON schema, draft 2020-12.
    """
    keys = {
        name: (field.annotation, field)
        for kind in KINDS
        for name, field in kind.Config.model_fields.items()
        if name not in MethodEntry.model_fields
    }
    method: Any = create_model("Method", __base__=MethodEntry, **keys)  # type: ignore[call-overload]
    model = create_model("Config", __base__=Experiment, methods=(dict[MethodName, method], ...))
    schema: dict[str, Any] = _without_required(model.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _without_required(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_required(item) for item in node]
    if not isinstance(node, dict):
        return node
    is_list_of_keys = isinstance(node.get("required"), list)
    return {
        key: _without_required(value)
        for key, value in node.items()
        if not (key == "required" and is_list_of_keys)
    }


if __name__ == "__main__":
    json.dump(config_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")
