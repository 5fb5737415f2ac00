import textwrap

import pytest

from graphvis.scenario import find, find_scenarios, halves_of, plain_source


@pytest.fixture
def scenario(tmp_path):
    def scenario(program, above=""):
        path = tmp_path / "mine.py"
        path.write_text(f'"""A finding."""\n{above}\n{textwrap.dedent(program)}')
        return find(path)

    return scenario


def test_the_statement_before_the_first_yield_and_those_between(scenario):
    halves = halves_of(
        scenario("""
            def program():
                a = leaf()
                c = a.detach()
                yield before(a)
                c.zero_()
                c.add_(1)
                yield after(a)
                done()
        """)
    )
    assert halves == ("c = a.detach()", "c.zero_()\nc.add_(1)", "line 6", "lines 8 to 9")


def test_one_yield_draws_one_half(scenario):
    halves = halves_of(
        scenario("""
            def program():
                a = leaf()
                yield after(a)
        """)
    )
    assert halves == ("", "a = leaf()", "", "line 5")


def test_comments_and_the_docstring_of_the_program_are_left_out(scenario):
    halves = halves_of(
        scenario("""
            def program():
                "What it does."
                # the leaf
                a = leaf("#")  # no comment inside
                yield before(a)
                # the cut
                a = a.detach()  # here
                yield after(a)
        """)
    )
    assert (halves.before, halves.after) == ('a = leaf("#")', "a = a.detach()")


def test_nothing_between_two_yields(scenario):
    halves = halves_of(
        scenario("""
            def program():
                a = leaf()
                yield before(a)
                yield after(a)
        """)
    )
    assert (halves.after, halves.note_after) == ("", "")


def test_yields_inside_blocks_are_seen(scenario):
    halves = halves_of(
        scenario("""
            def program():
                with one():
                    a = leaf()
                    yield before(a)
                    for _ in range(2):
                        a.zero_()
                yield after(a)
        """)
    )
    assert (halves.before, halves.after) == ("a = leaf()", "for _ in range(2):\n    a.zero_()")


def test_a_branch_on_cut_shows_what_differs(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                x = leaf()
                if cut:
                    h = x.detach()
                else:
                    h = x
                yield (after if cut else before)(h)
        """)
    )
    assert halves[:2] == ("h = x", "h = x.detach()")


def test_a_statement_that_only_one_half_has_comes_with_the_next_one(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                m = leaf()
                if cut:
                    m.detach_()
                y = m * 2
                z = y + 1
                yield after(z)
        """)
    )
    assert halves == ("y = m * 2", "m.detach_()\ny = m * 2", "line 8", "lines 7 to 8")


def test_a_last_statement_that_only_one_half_has_comes_with_the_one_above(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                m = leaf()
                y = m * 2
                if not cut:
                    y.more()
                yield after(y)
        """)
    )
    assert halves[:2] == ("y = m * 2\ny.more()", "y = m * 2")


@pytest.mark.parametrize(
    ("line", "before", "after"),
    [
        ("y = a if cut else b", "y = b", "y = a"),
        ("y = a if not cut else b", "y = a", "y = b"),
        ("y = (a if cut else b) * 3", "y = b * 3", "y = a * 3"),
        ("y = (a + 1 if cut else b) * 3", "y = b * 3", "y = (a + 1) * 3"),
        ("y = f(a if cut else b)", "y = f(b)", "y = f(a)"),
        ("y = (f if cut else g)(a)", "y = g(a)", "y = f(a)"),
        ("y = (a.detach() if cut else a).sum()", "y = a.sum()", "y = a.detach().sum()"),
        ("y = f(a, flag=cut)", "y = f(a, flag=False)", "y = f(a, flag=True)"),
        ("y = f(not cut)", "y = f(True)", "y = f(False)"),
        ("y = 'é' + (a if cut else b)", "y = 'é' + b", "y = 'é' + a"),
        ("y = (a if cut else b) + (b if cut else a)", "y = b + a", "y = a + b"),
        ("y = ((a if cut else b) if cut else c)", "y = c", "y = a"),
        ("y = f(\n    a if cut else b,\n    k=1,\n)", "y = f(\n    b,\n    k=1,\n)", "y = f(\n    a,\n    k=1,\n)"),
        ("y = f(g(a if cut else b)) if cut else c", "y = c", "y = f(g(a))"),
        ("y = {'cut': cut}['cut']", "y = {'cut': False}['cut']", "y = {'cut': True}['cut']"),
    ],
)
def test_a_conditional_expression_becomes_its_branch(scenario, line, before, after):
    program = f"def program(cut):\n{textwrap.indent(line, '    ')}\n    yield after(y)\n"
    assert halves_of(scenario(program))[:2] == (before, after)


def test_a_with_that_one_half_lacks(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                if cut:
                    with no_grad():
                        h = f(x)
                else:
                    h = f(x)
                yield after(h)
        """)
    )
    assert halves[:2] == ("h = f(x)", "with no_grad():\n    h = f(x)")


def test_a_branch_inside_a_loop(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                for step in range(3):
                    h = f(h)
                    if cut:
                        h = h.detach()
                    total = total + h
                yield after(total)
        """)
    )
    assert halves[:2] == ("total = total + h", "h = h.detach()\ntotal = total + h")


def test_a_branch_on_cut_and_more_keeps_the_rest_of_its_test(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                for i, block in enumerate(blocks):
                    h = block(h)
                    if cut and i == 1:
                        h = h.detach()
                loss = h.sum()
                yield after(loss)
        """)
    )
    assert halves[:2] == ("h = block(h)", "h = block(h)\nif i == 1:\n    h = h.detach()")


@pytest.mark.parametrize(
    ("test", "before", "after"),
    [
        ("cut and one", "", "if one:\n    y = g(x)"),
        ("one and cut and two", "", "if one and two:\n    y = g(x)"),
        ("one or cut", "if one:\n    y = g(x)", "y = g(x)"),
        ("not cut and one", "if one:\n    y = g(x)", ""),
        ("one == cut", "if one == False:\n    y = g(x)", "if one == True:\n    y = g(x)"),
    ],
)
def test_what_is_left_of_a_test(scenario, test, before, after):
    program = f"def program(cut):\n    if {test}:\n        y = g(x)\n    yield after(y)\n"
    assert halves_of(scenario(program))[:2] == (before, after)


def test_two_programs_that_read_alike_show_their_last_statement(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                y = f(x)
                if cut:
                    yield after(y)
                else:
                    yield before(y)
        """)
    )
    assert halves[:2] == ("y = f(x)", "y = f(x)")


def test_an_if_on_something_else_is_left_alone(scenario):
    halves = halves_of(
        scenario("""
            def program(cut):
                y = a if flag else b
                z = y if cut else x
                yield after(z)
        """)
    )
    assert halves[:2] == ("z = x", "z = y")


def test_a_form_feed_does_not_shift_the_lines(scenario):
    halves = halves_of(scenario("def program():\n    s = '\x0c'\n    a = leaf()\n    yield after(a)\n"))
    assert halves.after == "a = leaf()"


@pytest.mark.parametrize("found", find_scenarios(), ids=lambda found: found.name)
def test_the_code_of_a_built_in_half_fits_beside_its_label(found):
    """In the half's bold mono, 32 characters stand beside BEFORE."""
    from graphvis.scenario import load

    told = {"before": halves_of(found).before, "after": halves_of(found).after}
    program = load(found)
    for arguments in ((False,), (True,)) if found.takes_cut else ((),):
        for moment in program(*arguments):
            code = told[moment.side] if moment.code is None else moment.code
            assert max((len(line) for line in code.split("\n")), default=0) <= 32
            assert code.count("\n") <= 2


# The program as it would be pasted.


def test_plain_source_is_the_program_without_yields(scenario):
    source = plain_source(
        scenario(
            """
            def program():
                a = leaf()  # a leaf
                yield before(a.sum())
                # the cut
                a.detach_()
                yield after((a * 2))
                never()
            """,
            above="import torch\nfrom graphvis.scenario import after\n\nORDER = 3\n\ndef leaf():\n    return 1\n",
        ),
        "after",
    )
    assert source == (
        "import torch\n\ndef leaf():\n    return 1\n\n"
        "a = leaf()  # a leaf\n# the cut\na.detach_()\n(a * 2).backward()\n"
    )


def test_plain_source_of_the_first_half_stops_there(scenario):
    found = scenario("def program():\n    a = leaf()\n    yield before(a.sum())\n    a.detach_()\n    yield after(a)\n")
    assert plain_source(found, "before") == "a = leaf()\na.sum().backward()\n"


def test_plain_source_starts_backward_from_several_outputs(scenario):
    found = scenario("def program():\n    a = leaf()\n    yield after((a, a * 2))\n")
    assert plain_source(found, "after").endswith("torch.autograd.backward((a, a * 2))\n")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            "try:\n    if cut:\n        a = 1\nexcept ValueError:\n    a = 2\nelse:\n    b = 3\nfinally:\n    c = 4",
            "try:\n    a = 1\nexcept ValueError:\n    a = 2\nelse:\n    b = 3\nfinally:\n    c = 4\n",
        ),
        (
            "if one:\n    a = 1\nelif two:\n    if cut:\n        a = 2\nelse:\n    a = 3",
            "if one:\n    a = 1\nelif two:\n    a = 2\nelse:\n    a = 3\n",
        ),
        (
            "for i in range(3):\n    if cut:\n        a = i\nelse:\n    a = 1",
            "for i in range(3):\n    a = i\nelse:\n    a = 1\n",
        ),
    ],
)
def test_plain_source_keeps_the_rest_of_a_block(scenario, block, expected):
    program = f"def program(cut):\n{textwrap.indent(block, '    ')}\n    yield after(a)\n"
    assert plain_source(scenario(program), "after") == f"{expected}\na.backward()\n"
