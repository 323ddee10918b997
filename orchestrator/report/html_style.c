// Style of the page. Colours are variables, set once for light and once for dark.
#include "report/html.h"

#include <stddef.h>

const char *const html_page_style[] = {
    ":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--line:#e2e5ea;--soft:#f0f2f5;--ink:#16191f;--mute:#5d6673;"
    "--good:#0a7a45;--good-bg:#e3f5ec;--bad:#b3261e;--bad-bg:#fdeceb;--warn:#8a5a00;--warn-bg:#fdf3dd;--calm:#3a4bb8;"
    "--calm-bg:#e9ecfb;--before:#8a93a3;--after:#0b8f74;--hot:#e2663a;"
    "--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}",
    "@media (prefers-color-scheme:dark){:root{--bg:#0f1115;--card:#171a20;--line:#2a2f38;--soft:#1e222a;--ink:#e8eaee;"
    "--mute:#98a1b0;--good:#4fd08d;--good-bg:#12301f;--bad:#ff8a80;--bad-bg:#3a1917;--warn:#f0bd5b;--warn-bg:#33270d;"
    "--calm:#a3b0ff;--calm-bg:#1e2447;--before:#8c96a6;--after:#3fcfae;--hot:#f0875f}}",
    "*{box-sizing:border-box}",
    "body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,"
    "'DejaVu Sans',sans-serif;-webkit-text-size-adjust:100%}",
    "main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}",
    "header.top{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:baseline;color:var(--mute);font-size:13px;"
    "margin:0 2px 14px}",
    "header.top b{color:var(--ink);font-size:14px}",
    "header.top span{overflow-wrap:anywhere}",
    "section,.hero{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:22px 24px;margin:0 0 "
    "16px}",
    "h1{font-size:21px;line-height:1.35;margin:10px 0 "
    "0;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere;text-wrap:balance}",
    "h2{font-size:16.5px;margin:0 0 12px;font-weight:650;letter-spacing:-.005em}",
    "h3{font-size:13px;margin:20px 0 8px;color:var(--mute);font-weight:600}",
    "p{margin:0 0 10px;overflow-wrap:anywhere}p:last-child{margin-bottom:0}",
    ".mute,small{color:var(--mute);font-size:13px}",
    ".hero{display:grid;grid-template-columns:minmax(0,1fr) auto;gap:18px 32px;align-items:center;padding:26px 28px}",
    ".pill{display:inline-block;border-radius:99px;padding:3px 12px;font-size:13px;font-weight:650}",
    ".good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}",
    ".pill.good{background:var(--good-bg)}.pill.bad{background:var(--bad-bg)}.pill.warn{background:var(--warn-bg)}"
    ".pill.calm{color:var(--calm);background:var(--calm-bg)}",
    ".big{text-align:right}.big "
    "strong{display:block;font-size:56px;line-height:1;font-weight:700;letter-spacing:-.035em;"
    "font-variant-numeric:tabular-nums;white-space:nowrap}",
    ".big span{display:block;margin-top:8px;color:var(--mute);font-size:13.5px}",
    ".stats{grid-column:1/-1;display:flex;flex-wrap:wrap;gap:10px 34px;margin:0;padding-top:18px;border-top:1px solid "
    "var(--line)}",
    ".stats dt{color:var(--mute);font-size:12.5px}.stats dd{margin:0;font-weight:600;font-variant-numeric:tabular-nums;"
    "overflow-wrap:anywhere}",
    ".scroll{overflow-x:auto;margin:0 -24px;padding:0 24px}",
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}",
    "th{font-size:12.5px;font-weight:600;color:var(--mute);text-align:left;padding:0 14px 7px 0;white-space:nowrap;"
    "vertical-align:bottom}",
    "td{padding:8px 14px 8px 0;border-top:1px solid var(--line);vertical-align:top}",
    "td:last-child,th:last-child{padding-right:0}",
    ".n{text-align:right;white-space:nowrap}.one{white-space:nowrap}",
    ".t td{vertical-align:middle}",
    "code,pre{font-family:var(--mono);font-size:12.8px}",
    "code{overflow-wrap:anywhere}",
    "td code{overflow-wrap:break-word}",
    "pre{margin:0;padding:13px "
    "15px;background:var(--soft);border-radius:9px;overflow-x:auto;line-height:1.6;white-space:pre}",
    "pre i{color:var(--mute);font-style:normal}pre .bad{color:var(--bad)}",
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:16px;margin-top:20px}",
    ".plots figure{margin:0;border:1px solid var(--line);border-radius:11px;padding:14px 16px 10px;max-width:560px}",
    "figcaption{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px "
    "12px;font-size:13px;margin-bottom:8px}",
    "figcaption b{overflow-wrap:anywhere}",
    ".plot{display:block;width:100%;height:auto}",
    ".plot text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:var(--mute)}",
    ".p-tick{font-size:12px;text-anchor:middle}.plot .p-side{font-size:13.5px;font-weight:600}",
    ".p-axis{stroke:var(--before);fill:none}.p-grid{stroke:var(--line);fill:none}",
    ".p-before circle{fill:var(--before);opacity:.55}.p-after circle{fill:var(--after);opacity:.6}",
    ".p-median{stroke-width:2.4;stroke-linecap:round;fill:none}.p-before .p-median{stroke:var(--ink)}"
    ".p-after .p-median{stroke:var(--after)}.plot .p-after .p-side{fill:var(--after)}",
    ".interval{display:block;width:160px;height:18px}",
    ".p-scale{stroke:var(--line)}.p-zero{stroke:var(--mute);stroke-width:1.5}.p-bar{opacity:.3}"
    ".p-range{stroke-width:4;stroke-linecap:round}",
    ".p-good .p-range{stroke:var(--good)}.p-good .p-bar{fill:var(--good)}",
    ".p-bad .p-range{stroke:var(--bad)}.p-bad .p-bar{fill:var(--bad)}",
    ".p-open .p-range{stroke:var(--before)}.p-open .p-bar{fill:var(--before)}",
    ".tried{list-style:none;margin:0;padding:0}",
    ".tried>li{padding:12px 0;border-top:1px solid var(--line)}.tried>li:first-child{border-top:0;padding-top:0}",
    ".tried>li:last-child{padding-bottom:0}",
    ".tried b{font-weight:600;overflow-wrap:anywhere}.tried p{margin:3px 0 0}",
    ".id{color:var(--mute);font-family:var(--mono);font-size:12.5px;margin-right:6px}",
    ".cmp{display:flex;flex-wrap:wrap;gap:2px 16px;align-items:center;font-size:13.5px;margin-top:5px}",
    ".cmp .who{min-width:120px;overflow-wrap:anywhere}.cmp .num{font-variant-numeric:tabular-nums;min-width:190px}",
    ".bar{position:relative;display:block;height:6px;border-radius:3px;background:var(--soft);min-width:90px;overflow:"
    "hidden}",
    ".bar i{position:absolute;left:0;top:0;bottom:0;background:var(--hot);border-radius:3px}",
    ".bar.calm i{background:var(--before)}",
    "details{margin-top:12px}h2+details{margin-top:0}",
    "summary{cursor:pointer;font-weight:600;font-size:14px;padding:3px 0;overflow-wrap:anywhere}"
    "summary small{font-weight:400}",
    "summary:focus-visible{outline:2px solid var(--calm);outline-offset:3px;border-radius:4px}",
    "details[open]>summary{margin-bottom:10px}",
    ".list{margin:0;padding:0;list-style:none}.list li{padding:9px 0;border-top:1px solid "
    "var(--line);overflow-wrap:anywhere}"
    ".list li:first-child{border-top:0;padding-top:2px}.list p{margin:2px 0 0}",
    ".share{display:inline-block;min-width:56px;margin-right:8px;font-weight:650;color:var(--hot);font-variant-numeric:"
    "tabular-nums}",
    ".kv{display:grid;grid-template-columns:minmax(120px,max-content) minmax(0,1fr);gap:5px 22px;margin:0}"
    ".kv dt{color:var(--mute)}.kv dd{margin:0;overflow-wrap:anywhere}",
    ".note{border-radius:9px;background:var(--warn-bg);padding:10px 14px;margin:0 0 "
    "8px;font-size:14px;overflow-wrap:anywhere}"
    ".note.stop{background:var(--bad-bg)}.note:last-child{margin-bottom:0}h2+.note,.kv+.note{margin-top:12px}",
    ".flame{display:block;width:100%;border:0;margin-top:16px;border-radius:9px}",
    "footer{color:var(--mute);font-size:12.5px;margin:22px 2px 0;overflow-wrap:anywhere}",
    "@media (max-width:680px){main{padding:14px 10px 40px}section,.hero{padding:17px 15px;border-radius:12px}"
    ".hero{grid-template-columns:1fr}.big{text-align:left}.big strong{font-size:48px}.scroll{margin:0 -15px;padding:0 "
    "15px}"
    ".plots figure{padding:11px 11px 6px}.stats{gap:10px 26px}.kv{grid-template-columns:1fr;gap:0}.kv "
    "dd{margin-bottom:8px}"
    "h1{font-size:19px}.wide{display:none}}",
    "@media print{body{background:#fff}section,.hero{break-inside:avoid-page;border-color:#ccc}}",
    NULL};

// Above the flame graph's own style: its ground and its words follow the page, labels on coloured frames stay dark.
const char *const html_flame_style[] = {
    ":root{color-scheme:light dark}html,body{margin:0;background:transparent;overflow-x:auto;overflow-y:hidden}",
    "svg{display:block}", "svg.bfg .bfg-f text{fill:#1d1d20}svg.bfg .bfg-hit text{fill:#fff}",
    "@media (prefers-color-scheme:dark){svg.bfg{fill:#e8eaee}svg.bfg .bfg-back{fill:#1e222a;stroke:#2a2f38}"
    "svg.bfg .bfg-sub,svg.bfg .bfg-legend{fill:#98a1b0}svg.bfg .bfg-match{fill:#ff86c0}"
    "svg.bfg .bfg-button rect{fill:#2a2f38;stroke:#3a404b}svg.bfg .bfg-search{background:#171a20;color:#e8eaee;"
    "border-color:#3a404b}svg.bfg .bfg-f:hover rect{stroke:#fff}}",
    NULL};
