// @ts-check
/**
 * Takes the secret of a mail link out of the fragment, which no server is ever sent, and out of the address bar and the
 * history, where the next user of this browser would find it.
 *
 * @returns {string | null}
 */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  history.replaceState(null, '', location.pathname)
  // Another link pasted into this very tab changes the fragment only, and the browser would stay on the old page.
  addEventListener('hashchange', () => location.reload())
  return token || null
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function element(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

/** The first view: nothing to announce, since the page itself is read from its top. */
export function start(/** @type {string} */ view) {
  element('site').textContent = location.hostname
  element('loading').remove()
  turnTo(view)
}

/** A later view. Moving the focus to its heading makes a screen reader go on there. */
export function show(/** @type {string} */ view) {
  turnTo(view).focus()
}

/** @param {string} view */
function turnTo(view) {
  for (const section of document.querySelectorAll('section')) section.hidden = section.id !== view
  const heading = element(view).querySelector('h1')
  if (!heading) throw new Error(`#${view} has no heading`)
  document.title = heading.textContent
  return heading
}

/**
 * Fills in the form that asks for a new mail: why one is needed differs.
 *
 * @param {string} heading
 * @param {string} why
 */
export function prepareAsking(heading, why) {
  const title = element('ask').querySelector('h1')
  if (title) title.textContent = heading
  element('ask-why').textContent = why
}
