#include "train/report/style.h"

namespace laban::report {

// Colors are named by their role once, for light and for dark; everything below uses the names. On paper the
// light ones hold, whatever the screen shows.
std::string_view style_sheet() {
  return R"css(
:root{color-scheme:light dark;
 --page:#f6f6f4;--card:#fff;--ink:#1c1d21;--soft:#5d6068;--hair:#e3e3df;--grid:#ecece8;--zero:#fafaf8;
 --model:#2f5fd0;--control:#8a8d96;--val:#d97706;--hit:#2f5fd0;--miss:#d6453d;--good:#1a7f4b;--bad:#c0362f;--on:#fff}
@media screen and (prefers-color-scheme:dark){:root{
 --page:#131418;--card:#1c1e23;--ink:#e9e9ec;--soft:#a0a3ad;--hair:#2e3138;--grid:#292c33;--zero:#202228;
 --model:#7aa2f7;--control:#7d818c;--val:#f0a848;--hit:#4f7df0;--miss:#d9534b;--good:#58c48b;--bad:#f2867f;--on:#fff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);
 font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
main,body>header,body>footer{max-width:1080px;margin:0 auto;padding:0 20px}
body>header{padding-top:44px}
h1{font-size:2rem;line-height:1.2;letter-spacing:-.02em;margin:0 0 6px;font-weight:680;overflow-wrap:anywhere}
h2{font-size:1.3rem;letter-spacing:-.01em;margin:52px 0 6px;font-weight:650}
h3{font-size:1rem;margin:0 0 8px;font-weight:620}
h4{font-size:1rem;margin:0;font-weight:620}
p{margin:6px 0 14px;max-width:72ch}
small,.note,.file,figcaption,.sub{color:var(--soft)}
.sub{margin:0 0 18px}
.note{font-size:.9rem;border-left:3px solid var(--hair);padding-left:12px}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.92rem;padding:10px 0;border-top:1px solid var(--hair);border-bottom:1px solid var(--hair)}
nav a{color:var(--soft);text-decoration:none}
nav a:hover{color:var(--model)}
.card{background:var(--card);border:1px solid var(--hair);border-radius:12px;padding:18px 20px;min-width:0}
.grid+.sub{margin-top:12px}
.grid{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.split{display:grid;gap:16px;align-items:start}.stack{display:grid;gap:16px;min-width:0}
@media (min-width:860px){.split{grid-template-columns:minmax(0,1.5fr) minmax(0,1fr)}}
.tiles{display:flex;flex-wrap:wrap;gap:16px;margin:18px 0 16px}.tiles>.tile{flex:1 1 280px}
section>.card,section>.split+.card{margin-top:16px}section>.card+.note{margin-top:16px}
.tile b{display:block;font-size:2.1rem;line-height:1.15;letter-spacing:-.02em;font-weight:680}
.tile .what{font-size:.9rem;font-weight:600}
.tile .more{font-size:.85rem;color:var(--soft);display:block}
.tile.lead b{color:var(--model)}
figure{margin:0}
figure.card>figcaption{margin-bottom:10px;color:var(--ink);font-weight:620}
.key{float:right;font-weight:400;font-size:.85rem;color:var(--soft)}
.key i{display:inline-block;width:18px;height:3px;border-radius:2px;vertical-align:middle;margin:0 6px 2px 12px}
.key i.train{background:var(--model)}.key i.val{background:var(--val)}
.wide{overflow-x:auto}
svg.chart{display:block;width:100%;height:auto;margin:0 auto;font:12px system-ui,-apple-system,"Segoe UI",Roboto,Arial,sans-serif}
svg.lines,svg.intervals{max-width:640px}svg.intervals{margin-left:0;max-width:560px}
svg.confusion{min-width:240px;max-width:820px}
svg text{fill:var(--ink)}
svg .tick,svg .fraction{fill:var(--soft);font-size:11px}
svg .name,svg .value{font-size:13px}
svg .count{font-size:13px;font-weight:600}
svg .fraction{font-size:10px}
svg .strong{fill:var(--on)}
svg .middle{text-anchor:middle}svg .end{text-anchor:end}
svg .grid,svg .axis,svg .mesh{stroke:var(--grid);stroke-width:1}
svg .axis{stroke:var(--control)}
svg .mesh{stroke:var(--hair);stroke-width:.5}
svg .reference{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:4 3}
svg path{fill:none;stroke-width:2.2;stroke-linejoin:round;stroke-linecap:round}
svg path.train,svg path.plain{stroke:var(--model)}svg path.val{stroke:var(--val)}
svg path.faint{stroke-width:1;opacity:.35}
svg circle.train,svg circle.plain{fill:var(--model)}svg circle.val{fill:var(--val)}
svg circle:hover{r:5px}
svg .bar.test{fill:var(--model)}svg .bar.val{fill:var(--val)}svg .bar.control{fill:var(--control)}
svg .bar{opacity:.82}
svg .whisker{stroke:var(--ink);stroke-width:1.4}
svg .hover{fill:transparent}
svg g:hover>.hover{fill:var(--grid)}
svg .field{fill:var(--zero);stroke:var(--hair)}
svg .hit{fill:var(--hit)}svg .miss{fill:var(--miss)}
table{border-collapse:collapse;font-size:.92rem;width:100%}
th,td{text-align:right;padding:5px 10px;border-bottom:1px solid var(--hair)}
th{color:var(--soft);font-weight:560}
th:first-child,td:first-child,td.words,th.words{text-align:left;overflow-wrap:break-word;min-width:5.5em}
tr:last-child td{border-bottom:0}
td.count{white-space:nowrap}td:not(.words):not(:first-child){white-space:nowrap}
tfoot td{font-weight:620;border-top:2px solid var(--hair)}
.clips{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}
.clip{background:var(--card);border:1px solid var(--hair);border-radius:12px;padding:14px 16px;min-width:0;break-inside:avoid}
@media (min-width:920px){.clips>.clip:last-child:nth-child(odd){grid-column:1/-1}}
.clip header{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 14px;align-items:baseline;margin-bottom:8px}
.clip h4 small{font-weight:400;font-size:.88rem}
.clip .file{font-size:.8rem;overflow-wrap:anywhere}
.right .mark{color:var(--good)}.wrong .mark{color:var(--bad)}
.play{display:flex;flex-wrap:wrap;gap:10px;align-items:flex-start}.play .strip{flex:1 1 240px}
.strip{display:grid;gap:3px;grid-template-columns:repeat(8,1fr);margin-bottom:10px}
.strip img{display:block;width:100%;height:auto;border-radius:3px;background:var(--grid)}
.strip figcaption{font-size:.66rem;line-height:1.5;text-align:center}
.odds{display:grid;grid-template-columns:max-content 1fr 4em;gap:3px 10px;align-items:center;font-size:.86rem}
.odds .who{max-width:11em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--soft)}
.odds .true{color:var(--ink);font-weight:620}
.odds .much{text-align:right}
.track{background:var(--grid);border-radius:3px;height:9px;overflow:hidden}
.track i{display:block;height:100%;background:var(--control)}
.track i.hit{background:var(--good)}.track i.miss{background:var(--bad);opacity:.75}
pre{margin:0;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;tab-size:2}
details summary{cursor:pointer;font-weight:600}
details[open] summary{margin-bottom:12px}
footer{color:var(--soft);font-size:.85rem;padding-top:36px!important;padding-bottom:48px!important}
@media (max-width:520px){body{font-size:15px}body>header{padding-top:26px}h1{font-size:1.6rem}h2{margin-top:38px}
 main,body>header,body>footer{padding-left:12px;padding-right:12px}.card{padding:14px 12px}
 .tiles{gap:10px}.tiles>.tile{flex-basis:130px}.tile b{font-size:1.6rem}.strip{grid-template-columns:repeat(4,1fr)}
 svg .tick{font-size:13px}svg .name,svg .value{font-size:14px}}
@media print{:root{--page:#fff}body{font-size:11pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}nav{display:none}
 body>header{padding-top:0}h2{break-after:avoid;margin-top:28px}.card,.tile{break-inside:avoid}.wide{overflow:visible}
 .grid,.clips{grid-template-columns:1fr 1fr}.tiles>.tile{flex-basis:30%}.motion{display:none}.card{padding:12px}}
)css";
}

}  // namespace laban::report
