"""The functions of the page's modules that depend on nothing but what is passed in, imported in the browser."""

import json

import pytest

TIME = {
    "shown('2026-11-22T10:15:59Z')": "2026-11-22 10:15",
    "shown(null)": "never",
    "shown('soon')": "never",
    "exact('2026-07-01T10:15:59Z')": "2026-07-01 10:15:59 UTC\n01/07/2026, 11:15:59 Europe/Dublin",
    "exact(null)": "",
    # rounded outwards: the change lies within what is shown
    "between({after: '2026-11-22T10:00:59Z', before: '2026-11-22T10:14:01Z'})": "2026-11-22 between 10:00 and 10:15",
    "between({after: '2026-11-21T23:50:00Z', before: '2026-11-22T00:05:00Z'})": "between 2026-11-21 23:50 and 2026-11-22 00:05",
    "between({after: null, before: '2026-11-22T10:15:00Z'})": "before 2026-11-22 10:15",
    "between({after: null, before: '2026-11-22T23:59:30Z'})": "before 2026-11-23 00:00",
    "between(null)": "at an unknown time",
    "interval({after: '2026-11-22T10:00:59Z', before: '2026-11-22T10:14:01Z'})": "2026-11-22 10:00–10:15",
    "interval({after: '2026-11-21T23:50:00Z', before: '2026-11-22T00:05:00Z'})": "2026-11-21 23:50 – 2026-11-22 00:05",
    "interval({after: null, before: '2026-11-22T10:15:00Z'})": "before 2026-11-22 10:15",
    "span(0)": "0 s",
    "span(59.4)": "59 s",
    "span(60)": "1 min",
    "span(3599)": "59 min",
    "span(3600)": "1 h",
    "span(172799)": "47 h",
    "span(172800)": "2 d",
    "span(null)": "unknown",
    "span(NaN)": "unknown",
    "ago('2026-11-22T10:00:00Z', '2026-11-22T10:12:30Z')": "12 min ago",
    "ago('2026-11-22T10:00:00Z', '2026-11-22T09:00:00Z')": "in 1 h",
    "ago(null, '2026-11-22T09:00:00Z')": "never",
    "worst(['ok', 'amber', 'red', 'ok'])": "red",
    "worst(['ok', 'amber'])": "amber",
    "worst([])": "ok",
    "fromPicker('2026-11-22T10:15')": "2026-11-22T10:15Z",
    "fromPicker('')": None,
    "toPicker('2026-11-22T10:15:59Z')": "2026-11-22T10:15",
    "toPicker(null)": "",
}
API = {
    "address('/resources')": "/api/v1/resources",
    "address('/resources', {type: 'server', account: null, name: ''})": "/api/v1/resources?type=server",
    "address('/topology/impact', {down: ['a&b=c', 'd e']})": "/api/v1/topology/impact?down=a%26b%3Dc&down=d+e",
    "new api.Problem(500, {}).message": "HTTP 500",
    "new api.Problem(400, {title: 'Bad', detail: 'no such parameter'}).message": "no such parameter",
}
DOM = {
    "safeAddress('https://console.example.com/x')": "https://console.example.com/x",
    "safeAddress('/resource?id=1')": "/resource?id=1",
    "safeAddress('javascript:alert(1)')": None,
    "safeAddress('data:text/html,x')": None,
    "safeAddress('http://[')": None,
    "make('a', {href: 'javascript:alert(1)', title: null}, '<b>', null, ['x']).outerHTML": "<a>&lt;b&gt;x</a>",
    "make('input', {disabled: true, checked: false}).outerHTML": '<input disabled="">',
    "stateOf('running').textContent": "● running",
    "stateOf('<script>').innerHTML": '<span class="mark" aria-hidden="true">○</span> &lt;script&gt;',
    "stateOf(null).textContent": "–",
    "severityOf('constructor').className": "severity low",
}
CSV = {
    "csvOf([{title: 'a', value: (r) => r.a}, {title: 'b,c', value: (r) => r.b}], [{a: 1, b: null}, {a: 'x\\ny', b: '\"'}])": (
        'a,"b,c"\r\n1,\r\n"x\ny",""""\r\n'
    ),
    # a spreadsheet takes none of these for a formula; a number stays one
    "csvOf([{title: 't', value: (r) => r}], ['=1+1', '+1', '-1', '@x', -1])": "t\r\n'=1+1\r\n'+1\r\n'-1\r\n'@x\r\n-1\r\n",
    "command(['inventory', 'show', 'a b'], {type: 'server', account: null, all: true, not: false, as_of: 'it\\'s'})": (
        "flexlocal inventory show 'a b' --type server --all --as-of 'it'\\''s'"
    ),
    "command(['x'], {down: ['a', '$(b)']})": "flexlocal x --down a --down '$(b)'",
    "quoted('')": "''",
}
ROWS = "[{n: 10, s: 'b10'}, {n: null, s: 'B9'}, {n: 9, s: ''}]"
COLUMNS = "[{key: 'n', value: (r) => r.n}, {key: 's', value: (r) => r.s}, {key: 'h', hidden: true, value: () => 0}]"
TABLE = {
    f"sortedRows({COLUMNS}, {ROWS}, 'n').map((r) => r.n)": [9, 10, None],
    f"sortedRows({COLUMNS}, {ROWS}, '-n').map((r) => r.n)": [10, 9, None],
    f"sortedRows({COLUMNS}, {ROWS}, 's').map((r) => r.s)": ["B9", "b10", ""],
    f"sortedRows({COLUMNS}, {ROWS}, 'other').map((r) => r.n)": [10, None, 9],
    f"chosenColumns({COLUMNS}, '').map((c) => c.key)": ["n", "s"],
    f"chosenColumns({COLUMNS}, 'h,n').map((c) => c.key)": ["n", "h"],
    f"chosenColumns({COLUMNS}, 'other').map((c) => c.key)": ["n", "s"],
    "counted(1, 'row')": "1 row",
    "counted(1234, 'row')": "1,234 rows",
}


NOTHING = "{runs: 0, changes: 0, failed: 0, broken: false}"
LIVE = {
    f"add({NOTHING}, {{outcome: 'complete', added: 1, changed: 2, gone: 3}}).changes": 6,
    f"add({NOTHING}, {{outcome: 'failed'}}).failed": 1,
    "words({runs: 2, changes: 12, failed: 1})": "12 changes, 1 poll failed",
    "words({runs: 1, changes: 1, failed: 0})": "1 change",
    "words({runs: 3, changes: 0, failed: 0})": None,  # nothing that a reader would see
    "words({runs: 0, changes: 0, failed: 0, broken: true})": "Live updates were interrupted",
}
WORDS = {
    "fieldName('/details/server/state')": "state",
    "fieldName('/metadata/provider_metadata/a~1b')": "tag a/b",
    "fieldName('/connections/network')": "connections.network",
    "fieldName(undefined)": "",
    "bytes(8589934592)": "8 GiB",
    "bytes(0)": "0 B",
    "sides(['a', 'b'], ['b', 'c'])": ["…, a", "…, c"],
    "sides('x', undefined)": ["x", "–"],
    "sides(null, 1073741824, '/details/server/ram_b')": ["–", "1 GiB"],
    "sides([{id: 1}], [{id: '<b>'}])": ["1", "<b>"],
}
PLOT = {
    "placed([{time: '2026-11-22T10:00:00Z', value: 0}, {time: '2026-11-22T10:10:00Z', value: 4}], 100, 50, 5)": [
        [5, 45],
        [95, 5],
    ],
    # of one point, or equal ones, no division by nothing
    "placed([{time: '2026-11-22T10:00:00Z', value: 7}], 100, 50, 5)": [[50, 25]],
    "amount(1234.56)": "1,234.6",
    "amount(0.00012)": "1.20e-4",
    "amount(0)": "0",
}
CASES = {
    "time": TIME,
    "api": API,
    "dom": DOM,
    "csv": CSV,
    "table": TABLE,
    "live": LIVE,
    "change_words": WORDS,
    "plot": PLOT,
}


@pytest.mark.parametrize("module, cases", CASES.items(), ids=CASES)
def test_functions(page, site, module, cases):
    page.goto(site.url("login"))  # a document of the same origin
    calls = ",\n".join(
        f"({json.dumps(call)}, {call if call.startswith('new ') else f'{module}.{call}'})"
        for call in cases
    )
    script = (
        f"async () => {{ const {module} = await import('/static/{module}.js'); return [{calls}]; }}"
    )
    found = page.evaluate(script)
    assert dict(zip(cases, found)) == cases


@pytest.mark.parametrize("attribute", ["onclick", "style"])
def test_no_element_is_made_that_runs_or_styles(page, site, attribute):
    page.goto(site.url("login"))
    script = """async (name) => (await import('/static/dom.js')).make('a', {[name]: 'x'})"""
    with pytest.raises(Exception, match="not possible here"):
        page.evaluate(script, attribute)
