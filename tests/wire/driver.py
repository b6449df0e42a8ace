"""The replay driver, wire_replay, as a function: questions in, answers out.

One process answers a batch: JSON lines on its standard input and output, in
the same order."""

import json
import subprocess


class DriverFailed(Exception):
    pass


def ask(binary, questions):
    text = "".join(json.dumps(q) + "\n" for q in questions)
    process = subprocess.run([binary, "--batch"], input=text.encode(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             check=False)
    lines = process.stdout.decode("utf-8", "surrogateescape").splitlines()
    if process.returncode != 0 or len(lines) != len(questions):
        at = min(len(lines), len(questions) - 1)
        raise DriverFailed(
            f"{binary}: status {process.returncode}, {len(lines)} answers to "
            f"{len(questions)} questions; next was {questions[at]}\n"
            + process.stderr.decode(errors="replace")[-4000:])
    return [json.loads(line) for line in lines]
