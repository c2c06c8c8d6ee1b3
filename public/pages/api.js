// @ts-check
/**
 * What came of a call. `status` is 0 when no answer came.
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {any} body what was answered, or null
 * @property {string | null} retryAfter
 */

/** Hashing a password takes the server a moment; a phone on a train takes longer. */
const timeoutMs = 30_000

/**
 * Calls the API beside this page.
 *
 * @param {string} path
 * @param {Record<string, string>} body
 * @returns {Promise<Answer>}
 */
export async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      // Sent to its end even when the page is closed meanwhile.
      keepalive: true,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await response.text()
    return { status: response.status, body: parse(text), retryAfter: response.headers.get('Retry-After') }
  } catch {
    return { status: 0, body: null, retryAfter: null }
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    // A 204, or an answer of the network in between that is not ours.
    return null
  }
}

/**
 * The complaints about one field of the body, as one text; empty when there is none.
 *
 * @param {Answer} answer
 * @param {string} field
 * @returns {string}
 */
export function complaintsAbout({ status, body }, field) {
  if (status !== 422 || !Array.isArray(body?.errors)) return ''
  return body.errors
    .filter((/** @type {any} */ error) => error?.pointer === `/${field}`)
    .map((/** @type {any} */ error) => String(error.message))
    .join(' ')
}

/**
 * What to say about a failure that has nothing to do with what was typed.
 *
 * @param {Answer} answer
 * @returns {string}
 */
export function explain({ status, body, retryAfter }) {
  switch (status) {
    case 0:
      return 'We could not reach the server. Check your connection, then try again.'
    case 429:
      return `That was too often. Please wait ${waitingTime(retryAfter)}, then try again.`
    case 503:
      return 'We cannot do this right now, and nothing was changed. Please try again in a moment.'
    default: {
      if (status < 500 && typeof body?.detail === 'string') return body.detail
      const reference =
        typeof body?.request_id === 'string' ? ` If it happens again, tell us this reference: ${body.request_id}` : ''
      return `Something went wrong on our side. Please try again later.${reference}`
    }
  }
}

/** @param {string | null} retryAfter seconds, as the API gives them */
function waitingTime(retryAfter) {
  const seconds = Number(retryAfter)
  if (!(seconds > 0)) return 'a moment'
  if (seconds < 90) return `${Math.ceil(seconds)} seconds`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 90 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`
}
