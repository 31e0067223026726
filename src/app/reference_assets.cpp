#include "app/reference.hpp"

namespace kit::app {

std::string_view reference_style()
{
    return R"css(:root {
  color-scheme: light dark;
  --back: #ffffff; --text: #1c2330; --quiet: #5b6475; --line: #d9dee7; --panel: #f5f7fa; --link: #0b5cad;
  --get: #0b6e4f; --post: #0b5cad; --put: #8a5a00; --patch: #7a3e9d; --delete: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12161d; --text: #e4e8ef; --quiet: #9aa4b5; --line: #2c3441; --panel: #1a202a; --link: #79b8ff;
    --get: #5fd3a8; --post: #79b8ff; --put: #f0b95b; --patch: #d3a1f0; --delete: #ff8f87;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--link); }
code { font: 0.9em ui-monospace, monospace; overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1.5rem; padding: 0.75rem 1.5rem;
  border-bottom: 1px solid var(--line); position: sticky; top: 0; background: var(--back); z-index: 1; }
h1 { font-size: 1.25rem; margin: 0; }
.version { color: var(--quiet); margin: 0; }
#search { flex: 1 1 16rem; max-width: 32rem; margin-left: auto; padding: 0.4rem 0.7rem; font: inherit;
  color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 0.4rem; }
.columns { display: grid; grid-template-columns: 14rem minmax(0, 1fr); max-width: 80rem; margin: 0 auto; }
nav ul { list-style: none; margin: 0; padding: 1rem 1.5rem; position: sticky; top: 4rem; max-height: calc(100vh - 4rem);
  overflow-y: auto; }
nav a { text-decoration: none; display: block; padding: 0.15rem 0; }
main { padding: 1rem 1.5rem 4rem; }
section, details { scroll-margin-top: 4.5rem; }
h2 { margin: 2rem 0 0.5rem; font-size: 1.15rem; }
h3 { margin: 1rem 0 0.25rem; font-size: 0.95rem; }
details { border: 1px solid var(--line); border-radius: 0.4rem; margin: 0.4rem 0; padding: 0 0.8rem; }
details[open] { padding-bottom: 0.8rem; }
summary { cursor: pointer; padding: 0.5rem 0; margin: 0 -0.8rem; padding-inline: 0.8rem; }
details[open] > summary { border-bottom: 1px solid var(--line); background: var(--panel); border-radius: 0.4rem 0.4rem 0 0; }
.method { display: inline-block; min-width: 4.2rem; font: bold 0.8rem ui-monospace, monospace; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); }
.patch { color: var(--patch); } .delete { color: var(--delete); }
.about, .access { color: var(--quiet); }
.about { margin-left: 0.5rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; }
@media (max-width: 48rem) {
  .columns { grid-template-columns: minmax(0, 1fr); }
  nav { display: none; }
  .about { display: block; margin-left: 0; }
}
@media print {
  header, details { position: static; }
  nav, #search { display: none; }
}
)css";
}

// All words of the search must be found in a block's text. Without a script, the browser's own search does.
std::string_view reference_script()
{
    // clang-format off
    return R"script("use strict";
const search = document.getElementById("search");
const nothing = document.getElementById("nothing");
const blocks = [...document.querySelectorAll("main details")].map((block) => ({
  block,
  text: block.textContent.toLowerCase(),
}));
const sections = [...document.querySelectorAll("main section")];

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { block, text } of blocks) {
    block.hidden = !words.every((word) => text.includes(word));
    found += block.hidden ? 0 : 1;
  }
  for (const section of sections) {
    section.hidden = !section.querySelector("details:not([hidden])");
  }
  nothing.hidden = found > 0;
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

search.hidden = false;
search.addEventListener("input", show);
addEventListener("hashchange", openTarget);
openTarget();
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
)script";
    // clang-format on
}

}  // namespace kit::app
