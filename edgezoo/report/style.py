"""The page's style sheet. Colours are variables, once per scheme; plots read the same variables.

Text colours have a contrast of at least 4.5 to 1 on their backgrounds (WCAG 2.1, 1.4.3).
"""

COLOURS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f7; --card: #ffffff; --ink: #1c2429; --muted: #56636c; --line: #dfe4e7;
  --faint: #a9b6bf; --accent: #1f5fa8; --series-1: #1f6fc0; --series-2: #b45f06;
  --series-3: #1c7a45; --series-4: #7440b4; --series-5: #ad2450; --series-6: #0b6f80;
  --good: #1d6b3c; --warn: #805000; --bad: #a32014;
  --warn-fill: #fff3da; --bad-fill: #fdeceb; --bar: #c9dcf0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12171b; --card: #1a2127; --ink: #e4e9ec; --muted: #9dabb5; --line: #313b43;
    --faint: #5c6a74; --accent: #85b9f2; --series-1: #6cabee; --series-2: #eea54f;
    --series-3: #72cc95; --series-4: #c3a0f4; --series-5: #f28fae; --series-6: #62c8d8;
    --good: #7fce9d; --warn: #f0c069; --bad: #f59a90;
    --warn-fill: #362c16; --bad-fill: #3b2120; --bar: #2c4763;
  }
}
"""

TEXT = """
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere;
}
header, main { max-width: 80rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1, h2, h3 { line-height: 1.25; margin: 0; font-weight: 650; }
h1 { font-size: 2rem; }
h2 { font-size: 1.35rem; margin-bottom: .5rem; scroll-margin-top: 1rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 48rem; }
a { color: var(--accent); }
code { font: .9em/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; }
small, .small, figcaption { font-size: .85rem; color: var(--muted); }
.eyebrow { color: var(--muted); margin: 0; }
.verdict { font-size: 1.3rem; line-height: 1.4; margin: .75rem 0; }
.verdict small { font-size: .6em; white-space: nowrap; }
.verdicts { margin: .5rem 0; padding-left: 1.2rem; color: var(--muted); max-width: 48rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1.25rem 0 0; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.5rem; margin: 1.5rem 0;
}
section[class*="simulated"] { border-style: dashed; }
section > :last-child, .notice > :last-child { margin-bottom: 0; }
.notice {
  background: var(--warn-fill); border-left: 3px solid var(--warn);
  padding: .6rem 1rem; margin: 1rem 0; border-radius: .25rem; max-width: none;
}
.notice p { margin: 0; } .notice ul { margin: .25rem 0; padding-left: 1.2rem; }
.hidden {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  white-space: nowrap;
}
figure { margin: 1.5rem 0 0; }
.plot { width: 100%; }
noscript { display: block; text-align: center; padding: 1rem; }
"""

TABLES = """
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: .85rem; padding-bottom: .4rem; }
th, td { padding: .4rem .6rem; text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; vertical-align: bottom; line-height: 1.25; }
tbody th { font-weight: 600; }
tr { border-bottom: 1px solid var(--line); }
thead th { overflow-wrap: break-word; }
.number { text-align: right; }
td.number { white-space: nowrap; }
table.main { width: 100%; overflow-wrap: normal; font-size: .84rem; }
table.main th, table.main td { padding: .55rem .38rem; }
table.main tr > :first-child { padding-left: 0; }
table.main tr > :last-child { padding-right: 0; }
table.main tbody th { min-width: 9.5rem; overflow-wrap: anywhere; }
.part { display: inline-block; max-width: 100%; }
.value small { display: block; font-weight: 400; }
.value small.doubt { color: var(--warn); }
.value.good { color: var(--good); } .value.muted { color: var(--muted); }
.value.warn { color: var(--warn); font-weight: 600; }
.value.bad { color: var(--bad); font-weight: 600; }
.mark { font: .85em ui-monospace, SFMono-Regular, Menlo, monospace; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.number small { white-space: nowrap; }
.scroll .plain th, .scroll .plain td { overflow-wrap: break-word; }
table.published { width: 100%; }
.published th, .published td { vertical-align: baseline; }
.published tr > :first-child { padding-left: 0; } .published tr > :last-child { padding-right: 0; }
.published .source {
  color: var(--muted); font-size: .8rem; min-width: 11rem; overflow-wrap: anywhere;
}
.agreement { margin: .75rem 0; padding-left: 1.2rem; }
.cards {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(15.5rem, 100%), 1fr));
}
.card { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; }
.card h3 { margin: 0; } .facts { color: var(--muted); font-size: .85rem; }
.ops { width: 100%; } .ops th, .ops td { padding: .2rem .3rem; }
.ops tr > :first-child { padding-left: 0; } .ops tr > :last-child { padding-right: 0; }
.ops .number { width: 1%; white-space: nowrap; }
.bar { width: 3.25rem; }
.bar span {
  display: block; height: .7em; margin-top: .35em; background: var(--bar);
  border-radius: 2px;
}
table.few { width: auto; min-width: 50%; }
table.few td { padding-left: 1.75rem; }
td.prose { min-width: 13rem; }
.fold { padding: .75rem 0; }
.fold > summary { font-weight: 600; }
.figures {
  display: grid; gap: 1rem 2rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr));
}
.figures figure { min-width: 0; }
details { border-top: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; }
details:target summary { color: var(--accent); font-weight: 600; }
dl { margin: .75rem 0; font-size: .9rem; }
dl div { display: grid; grid-template-columns: 12rem 1fr; gap: 1rem; padding: .2rem 0; }
dt { color: var(--muted); } dd { margin: 0; }
"""

GALLERY = """
.filters { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; margin: 1rem 0; }
.photos {
  display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(25rem, 100%), 1fr));
}
.photo {
  border: 1px solid var(--line); border-radius: .5rem; padding: 1rem;
  display: grid; grid-template-columns: 8.5rem minmax(0, 1fr); gap: 1rem; align-items: start;
  content-visibility: auto; contain-intrinsic-size: auto 20rem;
}
.photo-head { display: grid; gap: .5rem; }
.photo-head img {
  width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .35rem; background: var(--line);
}
.photo-head h3 { margin: 0; font-size: .9rem; }
.badge,
.tag {
  font-size: .75rem; font-weight: 600; border-radius: 1rem; padding: .05rem .5rem;
  justify-self: start; align-self: start;
}
.badge { border: 1px solid var(--line); color: var(--muted); }
.tag {
  color: var(--bad); border: 1px solid currentColor; display: block; width: max-content;
  margin-top: .15rem;
}
.guesses { width: 100%; font-size: .85rem; }
.guesses th { width: 32%; padding-left: .4rem; } .guesses td { padding-right: .4rem; }
.guesses td div { display: flex; justify-content: space-between; gap: .75rem; }
.guesses .first { font-weight: 600; } .guesses .other { color: var(--muted); }
.probability { white-space: nowrap; }
.guesses .differs { background: var(--bad-fill); }
.guesses tr:last-child { border-bottom: 0; }
.gallery:has(#only-different:checked) .same,
.gallery:has(#only-held-out:checked) .calibrated {
  display: none;
}
"""

NARROW = """
@media (max-width: 74rem) {
  table.main thead {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  table.main, table.main caption, table.main tbody { display: block; }
  table.main tr {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .5rem 1rem;
    padding: .9rem 0;
  }
  table.main th, table.main td { padding: 0; text-align: left; white-space: normal; }
  table.main tbody th, table.main td.prose { grid-column: 1 / -1; min-width: 0; }
  table.main td::before {
    content: attr(data-label); display: block; color: var(--muted); font-size: .8rem;
  }
  table.main .number small { white-space: normal; }
}
@media (max-width: 74rem) {
  table.few { width: 100%; }
  table.few td { padding-left: 0; }
}
@media (max-width: 40rem) {
  header, main { padding: 0 .75rem; }
  header { padding-top: 1.25rem; }
  section { padding: 1rem; }
  h1 { font-size: 1.6rem; } .verdict { font-size: 1.1rem; }
  dl div { grid-template-columns: 1fr; gap: 0; }
  .photo { grid-template-columns: minmax(0, 1fr); }
  .photo-head { grid-template-columns: 6rem 1fr; gap: .25rem 1rem; align-content: start; }
  .photo-head img { grid-row: span 3; }
  .published thead {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  .published tbody, .published caption { display: block; }
  .published tr { display: grid; grid-template-columns: repeat(3, 1fr); gap: .25rem .75rem; }
  .published tr { padding: .6rem 0; }
  .published th, .published td { padding: 0; text-align: left; }
  .published th, .published .source { grid-column: 1 / -1; }
  .published td::before {
    content: attr(data-label); display: block; color: var(--muted); font-size: .8rem;
  }
}
@media print {
  section { break-inside: auto; border: 0; padding: 0; }
  nav, .filters { display: none; }
}
"""

STYLE = COLOURS + TEXT + TABLES + GALLERY + NARROW
