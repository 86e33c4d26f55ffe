"""user_data.py PROGRAM FOLDER FILE: a file for cloud-init, by the schema of the package that is unpacked in FOLDER."""

import glob
import json
import os
import subprocess
import sys

import jsonschema
import yaml

program, folder, path = sys.argv[1:4]
schemas = glob.glob(f"{folder}/cloud-init/usr/lib/python3/dist-packages/cloudinit/config/schemas/schema-cloud-config-v1.json")
with open(schemas[0]) as file:
    schema = jsonschema.Draft4Validator(json.load(file))
with open(path) as file:
    text = file.read()
assert text.startswith("#cloud-config\n"), "cloud-init knows the file by its first line"
document = yaml.safe_load(text)
errors = [f"{list(error.path)}: {error.message}" for error in schema.iter_errors(document)]
assert not errors, errors
# The schema sees what is wrong.
assert list(schema.iter_errors({"write_files": 3})) and list(schema.iter_errors({"runcmd": "ls"}))

files = {entry["path"]: entry for entry in document["write_files"]}
configuration = os.path.join(folder, "user-data.yaml")
with open(configuration, "w") as file:
    file.write(files["/etc/limpet/limpet.yaml"]["content"])
subprocess.run([program, "check", "--offline", "--config", configuration], check=True, stdout=subprocess.DEVNULL)
assert files["/etc/credstore/limpet.password"]["permissions"] == "0600"
with open("packaging/debian/limpet.service") as file:
    assert "LoadCredential=limpet.password" in file.read()
for command in document["runcmd"]:
    assert command.split()[0] in {"apt-get", "env", "limpet"}, command
print(f"{len(files)} files, {len(document['runcmd'])} commands")
