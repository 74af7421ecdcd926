"""More than two hundred texts that try to become a script, break a page, or deceive who reads it."""

from __future__ import annotations

from collections.abc import Sequence

from rosterd.core.access import (
    AccessReport,
    Finding,
    Grant,
    LeaverRow,
    PersonRow,
    PlaceState,
    ReportChange,
    TrendPoint,
)

_CALLS = ("window.hit=1", "alert(1)", "hit++")
_ELEMENTS = (
    "<script>{}</script>",
    "<SCRIPT>{}</SCRIPT>",
    "</script><script>{}</script>",
    "</style><script>{}</script>",
    "</title><script>{}</script>",
    "</textarea><script>{}</script>",
    "--><script>{}</script>",
    "<!--<script>{}</script>",
    "]]><script>{}</script>",
    "<script\x00>{}</script>",
    "<script/x>{}</script >",
    "<scr<script>ipt>{}</scr</script>ipt>",
    "<img src=x onerror={}>",
    "<img src=x onerror='{}'>",
    "<img/src/onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror={}>",
    "<body onload={}>",
    "<input autofocus onfocus={}>",
    "<select autofocus onfocus={}>",
    "<details open ontoggle={}>",
    "<video><source onerror={}>",
    "<audio src=x onerror={}>",
    "<marquee onstart={}>",
    "<div style=animation-name:x onanimationstart={}>",
    "<a href=javascript:{}>x</a>",
    "<form action=javascript:{}><button>x</form>",
    "<object data=javascript:{}>",
    "<embed src=javascript:{}>",
    "<base href=javascript:{}//>",
    "<template><script>{}</script></template>",
    "<dialog open onclose={}>",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "\" onmouseover={} x=\"",
    "' onmouseover={} x='",
    "\" autofocus onfocus={} x=\"",
    "'\"><img src=x onerror={}>",
    "`><img src=x onerror={}>",
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java\tscript:{}",
    "\x01javascript:{}",
    "data:text/html,<script>{}</script>",
    "vbscript:{}",
    "\";{};//",
    "';{};//",
    "\\\";{};//",
    "\\u003cscript>{}</script>",
    "\u2028{}//",
    "\u2029{}//",
    "\\';{};//",
    "${{{}}}",
    "{{{{constructor.constructor('{}')()}}}}",
    "{{% raw %}}<script>{}</script>{{% endraw %}}",
    "*/{}/*",
    "<xss onclick={} tabindex=1 id=x>",
    "&lt;script&gt;{}&lt;/script&gt;",
    "&#60;script&#62;{}&#60;/script&#62;",
    "%3Cscript%3E{}%3C/script%3E",
    "+ADw-script+AD4-{}+ADw-/script+AD4-",
    "＜script＞{}＜/script＞",
    "<iframe srcdoc='<script>parent.{}</script>'>",
    "<iframe src=javascript:parent.{}>",
    "<link rel=stylesheet href=//evil.example/{}>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<style>@import '//evil.example/{}';</style>",
    "<img src=//evil.example/{}>",
)  # fmt: skip
_OTHERS = (
    "{{ 7 * 7 }}", "{% for x in (1,) %}boom{% endfor %}", "{{ cycler.__init__.__globals__ }}", "{# note #}",
    "=cmd|' /C calc'!A0", "=HYPERLINK(\"//evil.example\")", "@SUM(1)", "+1+1", "-2+3",
    "__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "NaN", "[object Object]",
    "\x00", "a\x00b", "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x7f", "\x85", "\x9b31m", "\b\b\b",
    "\r\n\r\nSet-Cookie: a",
    "\u202egnp.exe", "\u2066left\u2069", "\u200b\u200b", "\ufeff", "\u00ad", "\U000e0041", "\ue000", "\uffff",
    "\ud800", "\udfff\ud800", "e" + "\u0301" * 500, "\u0e47" * 80, "👩‍👩‍👧‍👦" * 40, "A" * 1_000_000, "<" * 3_000,
    " ", "", "\t\n\v\f", "../../etc/passwd", "C:\\con\\con", "%s%n%x", "' OR 1=1 --", "<![CDATA[", "<?php", "<%= 1 %>",
)  # fmt: skip

HOSTILE = tuple(element.format(call) for element in _ELEMENTS for call in _CALLS) + _OTHERS


def hostile_report(
    customer: str = "acme", made: str = "2026-03-14T09:30:00Z", texts: Sequence[str] = HOSTILE
) -> AccessReport:
    """Every text in every field of every row: the same text throughout a row, so that rows and pages meet."""
    return AccessReport(
        customer,
        customer,
        made,
        False,
        [PlaceState(t, t, t, state, t, t, 1, False) for t in texts for state in ("stale", "whole", t)],
        [PersonRow(t, t, (t, t), t, t, (t, t), t) for t in texts],
        [Grant(t, t, t, t, t, t, t, t, t, person, t, t, t) for t in texts for person in (t, "")],
        [Finding(t, t, t, t, t, t, t, t) for t in texts],
        [LeaverRow("person", t, t, t, t, t) for t in texts] + [LeaverRow(t, t, t, t, t, t) for t in texts],
        [ReportChange(t, t, t, t, t) for t in texts],
        [TrendPoint(t, 1, 2, 3, 4, 5) for t in texts] + [TrendPoint("2026-03-13T09:30:00Z", 1, 2, 3, 4, 5)],
    )
