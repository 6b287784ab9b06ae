"""A preview as text: for the terminal, and as a comment on a pull request."""

from __future__ import annotations

import re

from rehearsal.preview import graph
from rehearsal.preview.comparison import Preview, called_out

COMMENT_LIMIT = 64_000
"""Characters that a comment may have; GitHub refuses more than 65,536."""

ROOM_AROUND = 400
"""Characters around Pulumi's text in a comment: its fence, and the line that says how much was cut."""

WORDS = {"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete"}


def title(stack: str) -> str:
    """The comment's first line; the next comment on the same stack is written over the one that begins with it."""
    return f"#### What this change does to `{stack}`, on stand-ins"


def terminal(preview: Preview) -> str:
    """Warnings of replaced or deleted data and machines, Pulumi's output, a summary, and the graph's change."""
    if not preview.changes:
        return f"{summary(preview)}\n"
    chart = graph.mermaid(preview.steps).strip()
    parts = ["\n".join(called_out(preview.steps)), preview.text.strip(), summary(preview), chart]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown(preview: Preview) -> str:
    """The same as a comment of at most `COMMENT_LIMIT` characters; Pulumi's text is cut at its end to fit."""
    if not preview.changes:
        return f"{title(preview.stack)}\n\n{summary(preview)}\n"
    warnings = "\n".join(f"> - {sentence}" for sentence in called_out(preview.steps))
    head = [title(preview.stack), f"> [!WARNING]\n{warnings}"] if warnings else [title(preview.stack)]
    tail = [summary(preview), f"```mermaid\n{graph.mermaid(preview.steps)}```"]
    room = COMMENT_LIMIT - sum(len(part) + 2 for part in (*head, *tail)) - ROOM_AROUND
    return "\n\n".join([*head, details(preview, room), *tail]) + "\n"


def failure(stack: str, message: str, warnings: list[str]) -> str:
    """The comment of a preview that failed."""
    parts = [title(stack), "\n".join(f"- {sentence}" for sentence in warnings), fenced(message[: COMMENT_LIMIT // 2])]
    return "\n\n".join(part for part in parts if part) + "\n"


def details(preview: Preview, room: int) -> str:
    """Pulumi's text, of at most `room` characters, behind a line that opens it."""
    text = preview.text.strip()
    if len(text) > room:
        kept = text[:room].rsplit("\n", maxsplit=1)[0]
        left = text.count("\n") - kept.count("\n")
        text = f"{kept}\n… {left} more lines: make preview STACK={preview.stack} BASE={preview.base} prints them"
    return f"<details><summary>What Pulumi would do</summary>\n\n{fenced(text)}\n\n</details>"


def fenced(text: str) -> str:
    """A code block whose fence is longer than any in the text."""
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall(r"`{3,}", text))])
    return f"{fence}\n{text}\n{fence}"


def summary(preview: Preview) -> str:
    """One line, for example: `aws-wordpress against main: 2 to create, 9 to update, 93 unchanged (8.2 s)`."""
    stack, base = preview.stack, preview.base
    if preview.kind == "removed":
        return (
            f"{stack} is in {base} and not here: nothing deploys it any more. What it has deployed stays, "
            f"until `pulumi destroy --stack {stack}` as of {base}."
        )
    counts = {WORDS[operation]: preview.counts[operation] for operation in WORDS if preview.counts.get(operation)}
    changes = ", ".join(f"{count} {words}" for words, count in counts.items()) or "nothing changes"
    against = f"is new, not in {base}" if preview.kind == "new" else f"against {base}"
    return f"{stack} {against}: {changes}, {preview.counts.get('same', 0)} unchanged ({preview.seconds:.1f} s)"
