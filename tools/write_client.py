"""Writes the client's models (libs/client) from services/gateway/openapi.json.

What the server checks, the client does not check before it: bounds and patterns are left out of the models, so that a
refusal is the server's, in its words, and an older client does not refuse what a newer server takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datamodel_code_generator import Formatter, InputFileType, LiteralType, PythonVersion, generate
from datamodel_code_generator.enums import DataModelType

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "services" / "gateway" / "openapi.json"
TARGET = ROOT / "libs" / "client" / "src" / "clipstream" / "client" / "models.py"

_HEADER = '''"""The bodies of requests and answers, made from services/gateway/openapi.json by `make client`: do not edit."""'''
_BOUNDS = {
    *("pattern", "minLength", "maxLength", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "contentMediaType"),
}


def models() -> str:
    """The text of the module."""
    document = json.loads(DOCUMENT.read_text())
    schemas = {name: _bare(schema) for name, schema in document["components"]["schemas"].items()}
    source = {key: document[key] for key in ("openapi", "info")} | {"paths": {}, "components": {"schemas": schemas}}
    with TemporaryDirectory() as directory:
        output = Path(directory) / "models.py"
        generate(
            json.dumps(source),
            input_file_type=InputFileType.OpenAPI,
            output=output,
            output_model_type=DataModelType.PydanticV2BaseModel,
            target_python_version=PythonVersion.PY_311,
            custom_file_header=_HEADER,
            disable_timestamp=True,
            enum_field_as_literal=LiteralType.All,
            formatters=[Formatter.BUILTIN],
            strict_nullable=True,
            use_annotated=True,
            use_schema_description=True,
            use_single_line_docstring=True,
            use_standard_collections=True,
            use_union_operator=True,
        )
        return _formatted(output.read_text())


def _bare(schema: Any) -> Any:
    """The schema without bounds, and without the titles that only repeat a field's name."""
    if isinstance(schema, list):
        return [_bare(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    bare = {key: _bare(value) for key, value in schema.items() if key not in _BOUNDS and key != "title"}
    if "properties" in schema:
        bare["properties"] = {name: _bare(value) for name, value in schema["properties"].items()}
    return bare


def _formatted(text: str) -> str:
    """As `make format` would leave it."""
    for step in (["check", "--fix", "--exit-zero", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *step, "--stdin-filename", str(TARGET), "-"],
            cwd=ROOT,
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    TARGET.write_text(models())
