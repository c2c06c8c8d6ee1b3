/**
 * Says so when a page cannot start or misses a part, as an old page does after a deployment: the names of the files in
 * /pages change with their content. This file keeps its name, and needs nothing that the page loads.
 */
function showLost() {
  const lost = document.getElementById('lost')
  if (lost) lost.hidden = false
}

function whenParsed(act) {
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', act)
  else act()
}

// A script or a style sheet that is missing. These events do not bubble.
addEventListener(
  'error',
  ({ target }) => {
    const isOurs = target instanceof HTMLScriptElement || target instanceof HTMLLinkElement
    const file = isOurs ? target.src || target.href : ''
    if (file.startsWith(`${location.origin}/pages/`)) whenParsed(showLost)
  },
  true,
)
// What web/start.tsx reports: a part that is loaded later is missing, or the page failed before it was drawn.
addEventListener('pagelost', () => whenParsed(showLost))
// An exception before anything is drawn.
addEventListener('error', ({ error }) => {
  if (error) whenParsed(() => document.getElementById('app')?.childElementCount === 0 && showLost())
})
// Never by itself: that could go on for ever.
whenParsed(() => {
  for (const button of document.querySelectorAll('#lost button'))
    button.addEventListener('click', () => location.reload())
})
