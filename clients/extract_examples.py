"""Writes the code of docs/clients.md to files, so that it can be run.

usage: extract_examples.py MARKDOWN_FILE URL FOLDER

Each section with code becomes a folder with commands.sh (what follows `$ ` in its console blocks) and example.py or
example.ts; code in other languages is not run. The address of `make run` is replaced with URL.
"""

import re
import sys
from pathlib import Path

FILES = {"console": "commands.sh", "python": "example.py", "typescript": "example.ts"}

markdown_file, url, folder = sys.argv[1:]
text = Path(markdown_file).read_text().replace("http://127.0.0.1:8000", url)
for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
    target = Path(folder, section.splitlines()[0].lower())
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL):
        if language not in FILES:
            continue
        if language == "console":
            # Lines after a prompt that end with a backslash continue.
            code = "".join(command[2:] for command in re.findall(r"^\$ (?:.*\\\n)*.*\n", code, flags=re.MULTILINE))
        target.mkdir(parents=True, exist_ok=True)
        with open(target / FILES[language], "a") as file:
            file.write(code)
