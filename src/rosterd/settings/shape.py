"""What a settings class looks like from outside: its fields, tables and named tables, by annotation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from rosterd.fields import Anchor


@dataclass(frozen=True)
class Shape:
    """One place of the settings: a table, one of several kinds of tables, named tables, or a value."""

    models: Mapping[str, type[BaseModel]] = field(default_factory=dict)  # kind → class; "" → the only class
    named: Any = None  # the annotation of each named table
    listed: bool = False  # a list of values
    secret: bool = False
    anchor: Anchor | None = None

    @property
    def is_value(self) -> bool:
        """Whether it is a value or a list of values rather than a table."""
        return not self.models and self.named is None

    def model(self, raw: object) -> type[BaseModel] | None:
        """The class of a table, chosen by its `kind` where there are several."""
        if len(self.models) == 1:
            return next(iter(self.models.values()))
        kind = raw.get("kind") if isinstance(raw, Mapping) else None
        return self.models.get(kind) if isinstance(kind, str) else None

    def fields(self, raw: object) -> dict[str, FieldInfo]:
        """The fields a table may have; while its kind is not known, those of every kind."""
        chosen = self.model(raw)
        models = [chosen] if chosen else self.models.values()
        return {name: info for model in models for name, info in model.model_fields.items()}

    def below(self, key: str, raw: object) -> Shape:
        """The shape under a key of this place; a value when there is no such key."""
        if self.named is not None:
            return shape(self.named)
        info = self.fields(raw).get(key)
        return of_field(info) if info else Shape()


_CACHE: dict[int, tuple[FieldInfo, Shape]] = {}


def of_field(info: FieldInfo) -> Shape:
    """The shape of a field."""
    known = _CACHE.get(id(info))
    if known is None:
        # The field itself is kept beside its shape, so that its id cannot be given to another one.
        known = _CACHE[id(info)] = (info, shape(info.annotation, info.metadata))
    return known[1]


def shape(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:
    """The shape of an annotation."""
    anchor = next((mark for mark in metadata if isinstance(mark, Anchor)), None)
    options = list(_options(annotation))
    models = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
    if len(models) == 1:
        return Shape(models={"": models[0]})
    if models:
        return Shape(models={str(model.model_fields["kind"].default): model for model in models})
    origins = {get_origin(option) for option in options}
    if dict in origins:
        return Shape(named=get_args(options[0])[1])
    return Shape(listed=tuple in origins, secret=SecretStr in options, anchor=anchor)


def _options(annotation: Any) -> Iterator[Any]:
    """The types of a union, without None and without annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _options(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for option in get_args(annotation):
            yield from _options(option)
    elif annotation is not NoneType:
        yield annotation


def child(raw: object, key: str) -> object:
    """What stands under a key of a tree, None when there is nothing."""
    return raw.get(key) if isinstance(raw, Mapping) else None


def leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value of a tree with its path; an empty table counts as one."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def put(tree: dict[str, Any], path: Sequence[str], value: object) -> None:
    """Sets a value in a tree, making the tables on the way."""
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value
