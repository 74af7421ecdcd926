"""The JSON Schema of the settings, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from rosterd.settings.docs import default, explained
from rosterd.settings.files import WHOLE
from rosterd.settings.model import Settings
from rosterd.settings.shape import Shape, shape


def schema() -> dict[str, Any]:
    """The JSON Schema. A file of customers_dir is described by its `#/$defs/CustomerSettings`."""
    made = Settings.model_json_schema()
    for model in _models(WHOLE):
        described = made if model is Settings else made["$defs"][model.__name__]
        _describe(described, model)
    # customers_dir may hold the customers.
    made["required"].remove("customers")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _describe(described: dict[str, Any], model: type[BaseModel]) -> None:
    """Adds explanations, writes defaults as a file would, and leaves out null, which TOML has not."""
    texts = explained(model)
    for name in model.model_fields:
        setting = described["properties"][name]
        setting["description"] = texts[name]
        setting.pop("title", None)
        if "patternProperties" in setting:
            setting["additionalProperties"] = False
        if "default" in setting:
            setting["default"] = default(model, name)
            if setting["default"] is None:
                del setting["default"]
        options = [option for option in setting.get("anyOf", ()) if option != {"type": "null"}]
        if len(options) == 1:
            del setting["anyOf"]
            setting.update(options[0])
        if Shape(models={"": model}).below(name, None).secret and name in described.get("required", ()):
            described["required"].remove(name)  # it may come from a secret file or the environment
    if "kind" in model.model_fields:
        described["required"].insert(0, "kind")


def _models(place: Shape) -> dict[type[BaseModel], None]:
    """The classes below a place, each once."""
    found: dict[type[BaseModel], None] = {}
    if place.named is not None:
        return _models(shape(place.named))
    for model in place.models.values():
        found[model] = None
        for name in model.model_fields:
            found.update(_models(Shape(models={"": model}).below(name, None)))
    return found
