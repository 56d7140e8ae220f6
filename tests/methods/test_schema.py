import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.config.shipped import SHIPPED
from wsss_core.methods.schema import config_schema

REPOSITORY = Path(__file__).parents[2]
SCHEMA = config_schema()


def test_the_file_is_that_of_the_models():
    written = json.loads((REPOSITORY / "config.schema.json").read_text())
    assert written == SCHEMA, "`make schema` makes it anew"


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_configs_agree_with_it(file):
    jsonschema.validate(yaml.safe_load(file.read_text()), SCHEMA)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_editors_find_it(file):
    key, value = file.read_text().splitlines()[0].split("=")
    assert key == "# yaml-language-server: $schema"
    assert (file.parent / value).resolve() == REPOSITORY / "config.schema.json"


@pytest.mark.parametrize(
    "config",
    [
        {"dataset": {"nmae": "voc12"}},
        {"dataset": {"source": "web"}},
        {"methods": {"seam": {"epochs": "many"}}},
        {"archives": {"sbd": 3}},
    ],
    ids=["unknown key", "unknown choice", "text for a number", "number for text"],
)
def test_mistakes_are_found(config):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config, SCHEMA)
