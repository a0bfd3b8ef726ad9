"""Typed clients out of the OpenAPI document: Python for `carbonmeter/client_operations.py`, types for TypeScript.

`python -m carbonmeter.typed_clients` writes both files; a test holds them against the document. Generators of others
bring a library of requests of their own into the client, which here needs none.
"""

from __future__ import annotations

import json
import keyword
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounting.factors.load import load
from api.app import create_app
from api.settings import ApiSettings
from carbonmeter.api_service import http_ingest
from domain.clock import SystemClock
from ingest.http import HttpSettings

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / "carbonmeter" / "client_operations.py"
TYPESCRIPT = ROOT / "api" / "dashboard" / "api.d.ts"

Schema = Mapping[str, Any]

_PYTHON_HEAD = '''"""The operations of the HTTP API with their types, made by `python -m carbonmeter.typed_clients`.

Not to be edited. `carbonmeter.client` has the clients that these are operations of.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast
from urllib.parse import quote

'''
_TYPESCRIPT_HEAD = """// The HTTP API's shapes and operations, made from the OpenAPI document.
// Not to be edited: `python -m carbonmeter.typed_clients` writes it. Exact decimals, times and dates are strings.

"""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter with the name that a program gives it by: `from` can't be one in Python."""

    name: str
    argument: str
    place: str  # path or query
    is_required: bool
    schema: Schema


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked: `body` and `answer` are schemas of JSON, None where there is none or it is another kind."""

    id: str
    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    body: Schema | None
    answer: Schema | None

    @property
    def is_paged(self) -> bool:
        return any(parameter.name == "cursor" for parameter in self.parameters)


def operations(document: Schema) -> list[Operation]:
    """The operations of a document that speak JSON, by path and method; files and streams are for `download`."""
    found = []
    for path, methods in sorted(document["paths"].items()):
        for method, operation in sorted(methods.items()):
            if not _speaks_json(operation):
                continue
            parameters = tuple(
                Parameter(
                    each["name"],
                    each["name"] + "_" * keyword.iskeyword(each["name"]),
                    each["in"],
                    each["required"],
                    each["schema"],
                )
                for each in operation.get("parameters", [])
                if each["in"] in ("path", "query")
            )
            answers = operation["responses"]
            status = next(each for each in sorted(answers) if each.startswith("2"))
            found.append(
                Operation(
                    operation["operationId"],
                    method.upper(),
                    path,
                    operation["summary"],
                    parameters,
                    _json(operation.get("requestBody", {})),
                    _json(answers[status]),
                )
            )
    return found


def _speaks_json(operation: Schema) -> bool:
    """Whether what is asked and what is answered is JSON, or nothing."""
    contents = [each for status, each in operation["responses"].items() if status.startswith("2")]
    if "requestBody" in operation:
        contents.append(operation["requestBody"])
    return all("application/json" in each.get("content", {"application/json": {}}) for each in contents)


def _json(content: Schema) -> Schema | None:
    schema: Schema | None = content.get("content", {}).get("application/json", {}).get("schema")
    return schema


# --- Python


def python_text(document: Schema) -> str:
    """The module of a document, before it is formatted."""
    shapes = document["components"]["schemas"]
    lines = [_PYTHON_HEAD]
    for name, schema in sorted(shapes.items()):
        lines.append(_python_shape(_name(name), schema))
    asked = operations(document)
    for is_async in (False, True):
        lines.append("\n".join(_python_class(asked, shapes, is_async)))
    return "\n\n".join(lines) + "\n"


def _name(text: str) -> str:
    """A shape's name as a class is called; one that two modules have comes with theirs.

    >>> _name("EmissionItem"), _name("Version-Output"), _name("api__schemas__SourceItem")
    ('EmissionItem', 'VersionOutput', 'ApiSchemasSourceItem')
    """
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", text))


def _python_shape(name: str, schema: Schema) -> str:
    if schema.get("type") != "object" or "properties" not in schema:
        return f"{name} = {_python_type(schema, quoted=True)}"
    required = set(schema.get("required", ()))
    fields = [(key, _python_type(each), key in required) for key, each in schema["properties"].items()]
    if not fields:
        return f"{name} = dict[str, Any]"
    if all(key.isidentifier() and not keyword.iskeyword(key) for key, _, _ in fields):
        body = "\n".join(
            f"    {key}: {its if is_required else f'NotRequired[{its}]'}" for key, its, is_required in fields
        )
        return f"class {name}(TypedDict):\n{body}"
    entries = ", ".join(
        f'"{key}": {json.dumps(its) if is_required else json.dumps(f"NotRequired[{its}]")}'
        for key, its, is_required in fields
    )
    return f'{name} = TypedDict("{name}", {{{entries}}})'


def _python_type(schema: Schema, *, quoted: bool = False) -> str:
    if "$ref" in schema:
        name = _name(schema["$ref"].rpartition("/")[2])
        return f'"{name}"' if quoted else name
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]".replace("'", '"')
    if "const" in schema:
        return f"Literal[{schema['const']!r}]".replace("'", '"')
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(_python_type(each) for each in schema[word]))
    if "allOf" in schema:
        return _python_type(schema["allOf"][0])
    match schema.get("type"):
        case "array":
            if "prefixItems" in schema:
                return "list[Any]"
            return f"list[{_python_type(schema.get('items', {}))}]"
        case "object":
            more = schema.get("additionalProperties")
            return f"dict[str, {_python_type(more) if isinstance(more, dict) else 'Any'}]"
        case "null":
            return "None"
        case str(plain):
            return {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}[plain]
    return "Any"


def _python_class(asked: list[Operation], shapes: Schema, is_async: bool) -> Iterator[str]:
    word, wait = ("async def", "await ") if is_async else ("def", "")
    yield f"class {'Async' if is_async else ''}Operations:"
    yield f'    """{"Coroutines" if is_async else "Methods"}, one an operation; `every_…` go through all pages."""'
    yield ""
    yield f"    {word} call("
    yield "        self, method: str, path: str, query: Mapping[str, Any], body: Any = None"
    yield "    ) -> Any:"
    yield "        raise NotImplementedError"
    for each in asked:
        arguments, query = _arguments(each)
        answer = "Any" if each.answer is None else _python_type(each.answer)
        address = re.sub(r"\{(\w+)\}", r"{quote(str(\1), safe='')}", each.path)
        formatted = f'f"{address}"' if "{" in address else f'"{address}"'
        body = ", body" if each.body is not None else ""
        yield ""
        yield f"    {word} {each.id}({arguments}) -> {answer}:"
        yield f'        """{each.summary}."""'
        yield f'        return cast("{answer}", {wait}self.call("{each.method}", {formatted}, {query}{body}))'.replace(
            '"Any"', "Any"
        )
        item = _item(each, shapes)
        if item is None:
            continue
        kind = "AsyncIterator" if is_async else "Iterator"
        passed = ", ".join(
            [parameter.argument for parameter in each.parameters if parameter.place == "path"]
            + [
                f"{parameter.argument}={'cursor' if parameter.name == 'cursor' else parameter.argument}"
                for parameter in each.parameters
                if parameter.place == "query"
            ]
        )
        without = re.sub(r", cursor: [^,)]*= None", "", arguments)
        yield ""
        yield f"    {word} every_{each.id.removeprefix('get_')}({without}) -> {kind}[{item}]:"
        yield f'        """{each.summary}: the items of all pages."""'
        yield "        cursor: str | None = None"
        yield "        while True:"
        yield f"            page = {wait}self.{each.id}({passed})"
        if is_async:
            yield '            for item in page["items"]:'
            yield "                yield item"
        else:
            yield '            yield from page["items"]'
        yield '            cursor = page["next"]'
        yield "            if cursor is None:"
        yield "                return"


def _arguments(operation: Operation) -> tuple[str, str]:
    """Of a method's signature, and the mapping of its query."""
    words = ["self"]
    words += [
        f"{each.argument}: {_python_type(each.schema)}"
        for each in operation.parameters
        if each.place == "path"
    ]
    if operation.body is not None:
        words.append(f"body: {_python_type(operation.body)}")
    asked = [each for each in operation.parameters if each.place == "query"]
    if asked:
        words.append("*")
    for each in sorted(asked, key=lambda each: not each.is_required):
        its = _python_type(each.schema)
        if each.is_required:
            words.append(f"{each.argument}: {its}")
        else:
            words.append(f"{each.argument}: {its if its.endswith('None') else f'{its} | None'} = None")
    query = ", ".join(f'"{each.name}": {each.argument}' for each in asked)
    return ", ".join(words), f"{{{query}}}"


def _item(operation: Operation, shapes: Schema) -> str | None:
    """The type of a list's items; None where it is no list of pages."""
    if not operation.is_paged or operation.answer is None or "$ref" not in operation.answer:
        return None
    page = shapes[operation.answer["$ref"].rpartition("/")[2]]
    items = page.get("properties", {}).get("items")
    return None if items is None else _python_type(items["items"])


# --- TypeScript


def typescript_text(document: Schema) -> str:
    """Interfaces of the shapes, and `Operations`: of each its parameters, body and answer."""
    lines = [_TYPESCRIPT_HEAD]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines.append(f"export type {_name(name)} = {_typescript_type(schema, '')};\n\n")
    lines.append("export interface Operations {\n")
    for each in operations(document):
        lines.append(f"  /** {each.method} {each.path}: {each.summary}. */\n  {each.id}: {{\n")
        for place in ("path", "query"):
            its = [parameter for parameter in each.parameters if parameter.place == place]
            if its:
                lines.append(f"    {place}: {{\n")
                for parameter in its:
                    mark = "" if parameter.is_required else "?"
                    schema = _typescript_type(parameter.schema, "      ")
                    lines.append(f"      {_key(parameter.name)}{mark}: {schema};\n")
                lines.append("    };\n")
        if each.body is not None:
            lines.append(f"    body: {_typescript_type(each.body, '    ')};\n")
        answer = "unknown" if each.answer is None else _typescript_type(each.answer, "    ")
        lines.append(f"    answer: {answer};\n  }};\n")
    lines.append("}\n")
    return "".join(lines)


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _typescript_type(schema: Schema, indent: str) -> str:
    if "$ref" in schema:
        return _name(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(json.dumps(each, ensure_ascii=False) for each in schema["enum"])
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return " | ".join(dict.fromkeys(_typescript_type(each, indent) for each in schema[word]))
    if "allOf" in schema:
        return _typescript_type(schema["allOf"][0], indent)
    match schema.get("type"):
        case "array":
            if "prefixItems" in schema:
                return "unknown[]"
            items = _typescript_type(schema.get("items", {}), indent)
            return f"({items})[]" if " " in items and not items.startswith("{") else f"{items}[]"
        case "object" if schema.get("properties"):
            required = set(schema.get("required", ()))
            lines = []
            for key, each in schema["properties"].items():
                if "description" in each:
                    lines.append(f"{indent}  /** {' '.join(each['description'].split())} */\n")
                its = _typescript_type(each, f"{indent}  ")
                lines.append(f"{indent}  {_key(key)}{'' if key in required else '?'}: {its};\n")
            return "{\n" + "".join(lines) + indent + "}"
        case "object":
            more = schema.get("additionalProperties")
            return (
                f"Record<string, {_typescript_type(more, indent) if isinstance(more, dict) else 'unknown'}>"
            )
        case "null":
            return "null"
        case str(plain):
            return {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}[plain]
    return "unknown"


# --- the files


def formatted(text: str) -> str:
    """Python as `ruff format` has it, sorted imports and all."""
    name = ["--stdin-filename", str(PYTHON), "-"]
    checked = subprocess.run(
        ["ruff", "check", "--fix", "--quiet", *name], input=text, capture_output=True, text=True, check=False
    )
    if checked.returncode not in (0, 1) or not checked.stdout:
        raise RuntimeError(checked.stderr)
    done = subprocess.run(
        ["ruff", "format", "--quiet", *name], input=checked.stdout, capture_output=True, text=True, check=True
    )
    return done.stdout


def files(document: Schema) -> dict[Path, str]:
    """What is in each file."""
    return {PYTHON: formatted(python_text(document)), TYPESCRIPT: typescript_text(document)}


def document() -> Schema:
    """Of the whole server: the API's routes with those that ingest adds."""
    nowhere = "postgresql://nowhere/none"
    routers = [http_ingest(HttpSettings(nowhere)).router]
    app = create_app(ApiSettings(nowhere), SystemClock(), load(), routers=routers)
    found: Schema = app.openapi()
    return found


def main() -> None:
    for path, text in files(document()).items():
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
