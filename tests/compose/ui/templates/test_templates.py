"""Templates of `--format`, with the results that Go's text/template has for them."""

from __future__ import annotations

import pytest

from compose.ui.templates.blocks import render
from compose.ui.templates.expressions import TemplateProblem
from compose.ui.templates.rows import format_rows

VALUE = {
    "ID": "abc123",
    "Tags": ["a:1", "b:2"],
    "None": [],
    "Size": 3,
    "Config": {"Labels": {"y": "2", "x": "1"}, "Cmd": None, "Tty": True},
}


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("{{.ID}}: {{ .Size }}", "abc123: 3"),
        ("{{.Tags}} {{.Config.Labels}}", "[a:1 b:2] map[x:1 y:2]"),
        ("{{.Config.Tty}} {{.Config.Cmd}} {{.Config.Env.X}}", "true <nil> <nil>"),
        (r"{{.ID}}\t{{.Size}}\n", "abc123\t3\n"),
        (r'{{join .Tags "\n"}}', "a:1\nb:2"),
        ('{{join .Config.Env ","}}', ""),
        ("{{json .Config.Labels}}", '{"x":"1","y":"2"}'),
        ("{{index .Tags 1 | upper}}", "B:2"),
        ("{{(index (split .ID `c`) 1)}}", "123"),
        ('{{index .Config.Labels "x"}}', "1"),
        ("{{range .Tags}}<{{.}}>{{end}}", "<a:1><b:2>"),
        (
            "{{range $n, $tag := .Tags}}{{$n}}={{$tag}} {{$.ID}};{{end}}",
            "0=a:1 abc123;1=b:2 abc123;",
        ),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "x=1 y=2 "),
        ("{{range .None}}{{.}}{{else}}none{{end}}", "none"),
        ("{{if .None}}some{{else if eq .Size 3}}three{{else}}other{{end}}", "three"),
        ("{{if and .Tags (not .None)}}yes{{end}}", "yes"),
        ("a {{- /* blanks go */ -}} b", "ab"),
        ("{{range .Tags -}} {{.}} {{- end}}", "a:1b:2"),
        ("{{truncate .ID 3}}", "abc"),
    ],
)
def test_a_template_is_carried_out(template: str, result: str) -> None:
    assert render(template, VALUE) == result


@pytest.mark.parametrize(
    "template",
    [
        *("{{.", "{{.Nothing}}", "{{.ID.Name}}", "{{nothing .ID}}", "{{}}", "{{.ID | }}"),
        *(r'{{"\x"}}', "{{index .Tags 5}}", "{{(.ID}}", "{{.ID)}}", "{{len .Size}}"),
        "{{join .Tags 3}}",
        *(
            "{{range .Tags}}",
            "{{end}}",
            "{{if .ID}}{{else}}",
            "{{range .Size}}{{end}}",
            "{{if}}{{end}}",
        ),
        *("{{json .ID .ID}}", '{{truncate .ID "x"}}', "{{$x}}", "{{with .ID}}{{end}}"),
    ],
)
def test_what_cannot_be_carried_out_is_a_problem(template: str) -> None:
    with pytest.raises(TemplateProblem):
        render(template, VALUE)


def test_rows_have_titles_in_a_table() -> None:
    rows = [{"ID": "a", "Size": "1B"}, {"ID": "b", "Size": "2B"}]
    titles = {"ID": "IMAGE ID", "Size": "SIZE"}
    assert format_rows("{{.ID}}", titles, rows) == "a\nb"
    assert format_rows("json", titles, rows[:1]) == '{"ID":"a","Size":"1B"}'
    table = format_rows(r"table {{.ID}}\t{{.Size}}", titles, rows).splitlines()
    assert table[0].startswith("IMAGE ID")
    assert [line.split() for line in table[1:]] == [["a", "1B"], ["b", "2B"]]
