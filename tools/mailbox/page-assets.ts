/** The style of the mailbox. Only system fonts, so that nothing is fetched from another host. */
export const style = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1c2430, #e8ebf0);
  --faint: light-dark(#667085, #98a2b3);
  --line: light-dark(#e3e6ec, #2b3340);
  --ground: light-dark(#f6f7f9, #12161d);
  --sheet: light-dark(#ffffff, #1a2029);
  --accent: light-dark(#2554c7, #8fb2ff);
}
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
a { color: var(--accent) }
a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; padding: 1rem; border-bottom: 1px solid var(--line); background: var(--sheet) }
header a { font-weight: 600; color: var(--ink); text-decoration: none }
header span, time, dt, .empty { color: var(--faint) }
main { max-width: 60rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.4rem; margin: 0.5rem 0 1rem; overflow-wrap: anywhere }
h2 { font-size: 0.9rem; color: var(--faint); margin: 1.5rem 0 0.5rem }
.mails { list-style: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 8px; background: var(--sheet); overflow: hidden }
.mails li + li { border-top: 1px solid var(--line) }
.mails a { display: grid; grid-template-columns: minmax(10rem, 16rem) 1fr auto; gap: 0 1rem; padding: 0.7rem 1rem; color: inherit; text-decoration: none }
.mails a:hover { background: var(--ground) }
.mails .to { overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
.mails .subject { font-weight: 600; overflow-wrap: anywhere }
time { font-variant-numeric: tabular-nums; white-space: nowrap }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0.2rem 1rem; margin: 0 }
dd { margin: 0; overflow-wrap: anywhere }
iframe { width: 100%; height: min(44rem, 75vh); border: 1px solid var(--line); border-radius: 8px; background: #fff; color-scheme: light dark }
pre { margin: 0; padding: 1rem; border: 1px solid var(--line); border-radius: 8px; background: var(--sheet); white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.6 ui-monospace, monospace }
@media (max-width: 40rem) { .mails a { grid-template-columns: 1fr } }
`

/** Refreshes the list by fetching the page again, and tells when the mailbox does not answer. */
export const script = `
const status = document.querySelector('header span')
const calm = status.textContent
async function refresh() {
  try {
    const answer = await fetch('/', { cache: 'no-store' })
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main')
    const main = document.querySelector('main')
    if (answer.ok && fresh.innerHTML !== main.innerHTML) main.replaceWith(document.adoptNode(fresh))
    status.textContent = calm
  } catch {
    status.textContent = 'the mailbox does not answer'
  }
  setTimeout(refresh, document.hidden ? 5000 : 1000)
}
if (location.pathname === '/') setTimeout(refresh, 1000)
`
