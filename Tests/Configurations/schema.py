"""schema.py SCHEMA INCLUDED FOLDER: holds the schema against FOLDER/right, FOLDER/wrong and FOLDER/beyond-schema."""

import json
import pathlib
import re
import sys

import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors have it: yes and on are texts, dates too; merge keys are followed."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
# PyYAML's own reads 0o7 as a text and 010 as 8; of the value only its type counts here.
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(float(node.value)) if node.value[:2] not in ("0o", "0x") else 1)
Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


def verdict(validator, path, loader=Loader):
    """None where the schema accepts it, else why not."""
    try:
        document = yaml.load(path.read_bytes(), loader)
    except (yaml.YAMLError, RecursionError) as error:
        return f"not YAML: {type(error).__name__}"
    error = jsonschema.exceptions.best_match(validator.iter_errors(document or {}))
    return error and f"{error.json_path}: {error.message[:100]}"


def main():
    schemas = [json.loads(pathlib.Path(path).read_text()) for path in sys.argv[1:3]]
    for schema in schemas:
        jsonschema.Draft202012Validator.check_schema(schema)
    whole, included = (jsonschema.Draft202012Validator(schema) for schema in schemas)
    folder = pathlib.Path(sys.argv[3])
    beyond = set((folder / "beyond-schema").read_text().split())
    problems = []
    right = sorted((folder / "right").glob("*.yaml")) + sorted(pathlib.Path("etc").glob("*.yaml"))
    for path in right:
        if reason := verdict(whole, path):
            problems.append(f"right, and refused: {path}: {reason}")
        # To YAML 1.1, `on` and `off` are flags. As keys it has payload_on and payload_off beside them.
        if not re.search(rb"\b(on|off):", path.read_bytes()):
            if reason := verdict(whole, path, yaml.SafeLoader):
                problems.append(f"right, and refused as YAML 1.1: {path}: {reason}")
    wrong = sorted((folder / "wrong").glob("*.yaml"))
    refused = 0
    for path in wrong:
        reason = verdict(whole, path)
        refused += reason is not None
        if reason is None and path.stem not in beyond:
            problems.append(f"wrong, and accepted: {path.stem}")
        if reason is not None and path.stem in beyond:
            problems.append(f"in beyond-schema, and refused: {path.stem}: {reason}")
    for name in beyond - {path.stem for path in wrong}:
        problems.append(f"in beyond-schema, and no such file: {name}")
    if verdict(included, folder / "included.yaml"):
        problems.append("the schema of included files refuses one")
    if not verdict(whole, folder / "included.yaml"):
        problems.append("a file without a broker is right for a first file")
    print("\n".join(problems))
    print(f"{len(right)} right ones accepted, {refused} of {len(wrong)} wrong ones refused")
    sys.exit(bool(problems) or not right or not wrong)


main()
