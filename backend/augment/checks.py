"""What is wrong with a recipe's steps, each problem as one sentence that names the step and how to put it right."""

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from backend.augment.offer import HIDDEN, REFUSED
from backend.augment.ops import OpFactory
from backend.augment.transforms import Parameter, Transform, offered, transforms
from backend.core.errors import shown
from backend.core.recipe import Recipe, Step

Extra = Mapping[str, OpFactory | None]
DRAWS = "draws at random, and preprocessing must be the same for every image"


def problems(recipe: Recipe, extra: Extra) -> Iterator[str]:
    """Yield what is wrong with names, parameters and values, in the order of the document."""
    for part, steps in (("preprocess", recipe.preprocess), ("step", recipe.steps)):
        for position, step in enumerate(steps, 1):
            found = list(_step(step, extra))
            for problem in found:
                yield f"{part} {position} {shown(step.name, quoted=False)}: {problem}"
            if part == "preprocess" and not found and _left_to_chance(step, extra.get(step.name)):
                yield f"{part} {position} {step.name}: {DRAWS}"
            if part == "preprocess" and step.params.get("p", 1) != 1:
                yield f"{part} {position} {step.name}: p: preprocessing is for every image; remove p"
    yield from _variants(recipe)


def _variants(recipe: Recipe) -> Iterator[str]:
    most = recipe.most_variants
    if most and not recipe.steps:
        yield f"variants: {most} variants without any step would be copies; add steps, or write variants: 0"
    if not most and not recipe.keep_originals:
        yield "variants: 0 with keep_originals: false leaves nothing to write; change one of them"


def _step(step: Step, extra: Extra) -> Iterator[str]:
    if step.name in extra:
        yield from _extra(step, extra[step.name])
        return
    transform = transforms().get(step.name)
    if transform is None or transform.refused:
        yield _refusal(step.name, extra)
        return
    named = list(_names(step, transform))
    yield from named
    yield from _values(step, transform, by_schema=not named)


def _refusal(name: str, extra: Extra) -> str:
    lower = {known.lower(): known for known in REFUSED}
    if name.lower() in lower:
        return f"refused: {REFUSED[lower[name.lower()]]}"
    known = [*(t.name for t in offered()), *extra]
    near = _nearest(name, known)
    return "no such transform" + (f"; did you mean '{near}'?" if near else "; `labelloom recipe` lists them all")


def _nearest(name: str, known: Iterable[str]) -> str | None:
    lower = {k.lower(): k for k in known}
    found = get_close_matches(name.lower(), lower, n=1)
    return lower[found[0]] if found else None


def _extra(step: Step, factory: OpFactory | None) -> Iterator[str]:
    params, chance = dict(step.params), Parameter("p", "number", low=0, high=1)
    p = params.pop("p", 0.5)
    if isinstance(p, int | float):
        yield from _numbers("p", p, chance)
    else:
        yield _needs("p", chance, p)
    if factory is not None:
        yield from factory.problems(params)


def _left_to_chance(step: Step, factory: OpFactory | None) -> bool:
    return factory is not None and factory.draws({k: v for k, v in step.params.items() if k != "p"})


def _names(step: Step, transform: Transform) -> Iterator[str]:
    known = [p.name for p in transform.parameters]
    for name in step.params:
        if name in HIDDEN:
            yield f"{name}: cannot be set: {HIDDEN[name]}"
        elif name not in known:
            near = _nearest(name, known)
            yield f"{name}: unknown parameter; " + (f"did you mean '{near}'?" if near else f"known: {', '.join(known)}")
    for parameter in transform.parameters:
        if parameter.required and parameter.name not in step.params:
            yield f"{parameter.name}: missing; needs {parameter.accepts}"


def _values(step: Step, transform: Transform, *, by_schema: bool) -> Iterator[str]:
    found: dict[str, str] = {}
    for parameter in transform.parameters:
        if parameter.name in step.params:
            for problem in _numbers(parameter.name, step.params[parameter.name], parameter):
                found.setdefault(parameter.name, problem)
    for name, problem in _schema(step, transform) if by_schema else ():
        found.setdefault(name, problem)
    yield from found.values()


def _numbers(name: str, value: Any, parameter: Parameter) -> Iterator[str]:
    """Yield a problem when a number in a value is beyond the parameter's bounds, or no number at all."""
    if parameter.kind == "choice":
        if all(value != choice for choice, _ in parameter.choices):
            yield _needs(name, parameter, value)
        return
    if isinstance(value, bool) and parameter.kind != "yes/no":
        yield _needs(name, parameter, value)
        return
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    for number in _flat(value):
        if not math.isfinite(number) or not low <= number <= high or (parameter.above and number == low):
            yield _needs(name, parameter, value)
            return


def _flat(value: Any) -> Iterator[float]:
    match value:
        case bool():
            return
        case int() | float():
            yield value
        case Mapping():
            for part in value.values():
                yield from _flat(part)
        case list() | tuple():
            for part in value:
                yield from _flat(part)


def _needs(name: str, parameter: Parameter, value: Any) -> str:
    return f"{name}: must be {parameter.accepts}, got {shown(value)}"


def _schema(step: Step, transform: Transform) -> Iterator[tuple[str, str]]:
    """Yield what the library's own schema says, one problem per parameter."""
    import albumentations

    kind = getattr(albumentations, step.name)
    defaults = {
        k: p.default
        for k, p in inspect.signature(kind.__init__).parameters.items()
        if k in kind.InitSchema.model_fields
    }
    try:
        kind.InitSchema(**{**defaults, "strict": False, **step.params})
    except ValidationError as error:
        for item in error.errors(include_url=False):
            name = str(item["loc"][0]) if item["loc"] else ""
            yield name, _translated(name, item, step, transform)


def _translated(name: str, item: Any, step: Step, transform: Transform) -> str:
    parameter = transform.parameter(name)
    said = str(item["msg"]).removeprefix("Value error, ")
    if parameter is None:
        return said[:1].lower() + said[1:]
    plain = item["type"] not in {"value_error", "assertion_error"}  # a type: our words say it better
    why = "" if plain else f" ({said[:1].lower() + said[1:]})"
    return _needs(name, parameter, step.params.get(name, parameter.default)) + why
