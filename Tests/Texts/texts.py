"""texts.py PROGRAM FOLDER: links and examples of the README, the manuals and the other pages of this repository, the
texts of the sources, and the doc comments of the library.

texts.py --list: every text of the sources, to be read in one place.
"""

import glob
import json
import os
import re
import subprocess
import sys


def texts():
    """The literals of the sources but the simulation's, X for what is filled in."""
    for path in sorted(glob.glob("Sources/**/*.swift", recursive=True)):
        if path.startswith("Sources/Simulation/"):
            continue
        with open(path) as file:
            source = re.sub(r"^\s*//.*$", "", file.read(), flags=re.MULTILINE)
        for literal in re.finditer(r'"""(.*?)"""|"((?:\\.|[^"\\\n])*)"', source, flags=re.DOTALL):
            text = re.sub(r"\\\((?:[^()]|\([^()]*\))*\)", "X", literal[1] or literal[2] or "")
            yield path, " ".join(text.replace("\\\n", "").split())


# A declaration, whatever stands before and behind the word that makes it public.
public = re.compile(
    r"\s*(?:[@\w.]+(?:\([^)]*\))?\s+)*?(?:public|open)\s+(?:[@\w.]+(?:\([^)]*\))?\s+)*?"
    r"(?:func|var|let|init|subscript|struct|class|enum|actor|protocol|extension|typealias|associatedtype|macro)\b"
)
# Attributes on a line of their own, and the conditions that they are under: a comment stands above them.
between = re.compile(r"\s*(?:(?:@[\w.]+(?:\([^)]*\))?\s*)+$|#(?:if|elseif|else|endif)\b)")


def declarations(*rooms):
    """The public declarations of these rooms: where each is, what it says, and whether it has a doc comment."""
    for room in rooms:
        for path in sorted(glob.glob(f"Sources/{room}/**/*.swift", recursive=True)):
            with open(path) as file:
                lines = file.read().splitlines()
            for number, line in enumerate(lines, 1):
                if "public" not in line and "open" not in line or not public.match(line):
                    continue
                above = number - 2
                while above >= 0 and between.match(lines[above]):
                    above -= 1
                yield f"{path}:{number}", line.strip(), above >= 0 and lines[above].lstrip().startswith("///")


if sys.argv[1:] == ["--list"]:
    for path, text in texts():
        # Keys and the like are one word.
        if " " in text:
            print(f"{path}: {text}")
    sys.exit()
program, folder = sys.argv[1:3]
pages = ["README.md", "Sources/README.md"] + sorted(glob.glob("packaging/manuals/*.md"))
problems = []
counts = {"links": 0, "YAML": 0, "JSON": 0, "paths": 0, "texts": 0, "declarations": 0, "figures": 0}
password = os.path.join(folder, "example-password")
with open(password, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
    file.write("secret\n")


def check(page, text):
    """An example is a configuration, or a part of one."""
    if not re.search(r"^broker:", text, re.MULTILINE):
        text = "broker: {url: mqtt://localhost}\n" + text
    path = os.path.join(folder, "example.yaml")
    with open(path, "w") as file:
        file.write(text.replace("/etc/limpet/password", password))
    answer = subprocess.run([program, "check", "--offline", "--config", path], capture_output=True, text=True)
    if answer.returncode:
        problems.append(f"{page}: {answer.stdout}{answer.stderr}in\n{text}")


for page in pages:
    with open(page) as file:
        text = file.read()
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'(?:src|href)="([^"]+)"', prose):
        if re.match(r"[a-z]+:", link):
            continue
        counts["links"] += 1
        target, _, anchor = link.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        if not os.path.exists(path):
            problems.append(f"{page}: there is no {link}")
        elif anchor:
            with open(path) as file:
                titles = re.findall(r"^#+ (.*)", file.read(), re.MULTILINE)
            known = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            if anchor not in known:
                problems.append(f"{page}: no title of {path} is #{anchor}")
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if kind == "yaml":
            counts["YAML"] += 1
            check(page, block)
        if kind == "json":
            counts["JSON"] += 1
            for line in block.splitlines():
                json.loads(line)
    # What is named as a file of this repository is one.
    for path in re.findall(r"(?<![\w/.])((?:packaging|Tests)/[\w./-]*\w)", text):
        counts["paths"] += 1
        if not os.path.exists(path):
            problems.append(f"{page}: there is no {path}")

# Texts for people: who does it, in words that need no second reading (Sources/README.md, Words).
riddles = re.compile(
    r"\b(told|tells|who watches|what waits|puts? right|fares|begins anew|as a rule|at the (?:most|least|longest)|heard of|in vain)\b"
    r"|\bis none;|(?<!there )(?<!There )\bis no (?!longer\b)"
)
for path, text in texts():
    counts["texts"] += 1
    if riddle := riddles.search(text.replace("that tells the truth", "")):
        problems.append(f"{path}: \"{riddle[0]}\" in: {text[:120]}")

# What another package can use says what it is, in units, ranges and sections of the specification.
for place, text, is_documented in declarations("MQTT", "MQTTCore", "MQTTStore", "MQTTService"):
    counts["declarations"] += 1
    if not is_documented:
        problems.append(f"{place}: no doc comment above: {text}")

with open("README.md") as file:
    prose = re.sub(r"^```.*?^```", "", file.read(), flags=re.MULTILINE | re.DOTALL)
words = len(re.findall(r"\S*\w\S*", re.sub(r"\]\([^)]*\)|<[^>]*>", "", prose)))
if words > 950:
    problems.append(f"README.md has {words} words: it is the first page, the rest belongs into the manuals")
# A test that holds a figure of the first page names its line there.
with open("README.md") as file:
    readme = file.read()
for path in sorted(glob.glob("Tests/**/*", recursive=True)):
    if os.path.isfile(path) and not path.endswith(".png"):
        with open(path, errors="replace") as file:
            named = re.findall(r"README, \"([^\"]+)\"", file.read())
        counts["figures"] += len(named)
        problems += [f"{path}: README.md has no \"{line}\"" for line in named if line not in readme]
pictures = sum(os.path.getsize(path) for path in glob.glob("etc/pictures/*"))
if pictures > 1_000_000:
    problems.append(f"etc/pictures has {pictures} bytes")

print("\n".join(problems))
print(", ".join(f"{count} {name}" for name, count in counts.items()) + f", {words} words in README.md")
sys.exit(bool(problems))
