"""``graphvis list``: which scenarios there are."""

from __future__ import annotations

import click


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list of objects with name, title, description, path.")
def command(as_json: bool) -> None:
    """List the built-in scenarios.

    \b
    Examples:
      graphvis list
      graphvis list --json | jq -r '.[].name'
    """
    from graphvis.scenario import find_scenarios

    scenarios = find_scenarios()
    if as_json:
        import json

        objects = [{"name": s.name, "title": s.title, "description": s.description, "path": str(s.path)}
                   for s in scenarios]  # fmt: skip
        click.echo(json.dumps(objects, indent=2, ensure_ascii=False))
        return
    width = max((len(s.name) for s in scenarios), default=0)
    for scenario in scenarios:
        click.echo(f"{scenario.name:<{width}}  {scenario.title}".rstrip())
