// @ts-check
import { complaintsAbout, explain, post } from './api.js'
import { element, show } from './view.js'

/**
 * Why a form could not be sent: beside the field when the field is to blame, else below the button.
 *
 * @typedef {{ field?: string, message: string } | undefined} Refusal
 */

/**
 * Runs `send` when the form is submitted, one at a time, and shows what it refuses.
 *
 * @param {string} id
 * @param {(value: string) => Promise<Refusal>} send gets the one field's content
 */
export function onSubmit(id, send) {
  const form = /** @type {HTMLFormElement} */ (element(id))
  const input = /** @type {HTMLInputElement} */ (form.querySelector('input'))
  const button = /** @type {HTMLButtonElement} */ (form.querySelector('button[type=submit]'))
  const label = button.textContent
  let isBusy = false

  async function submit() {
    refuse(form, input, undefined)
    isBusy = true
    // Not `disabled`: that would throw the focus of a keyboard user back to the top.
    button.setAttribute('aria-disabled', 'true')
    button.textContent = button.dataset.busy ?? label
    element('status').textContent = button.textContent
    hideSecrets()
    const refusal = await send(input.value)
    isBusy = false
    button.removeAttribute('aria-disabled')
    button.textContent = label
    element('status').textContent = ''
    refuse(form, input, refusal)
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault()
    if (!isBusy) void submit()
  })
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLInputElement} input
 * @param {Refusal} refusal
 */
function refuse(form, input, refusal) {
  const isAboutField = refusal?.field !== undefined
  element(`${input.id}-error`).textContent = isAboutField ? refusal.message : ''
  const notice = form.querySelector('.notice')
  if (notice) notice.textContent = refusal && !isAboutField ? refusal.message : ''
  input.removeAttribute('aria-invalid')
  if (!isAboutField) return
  input.setAttribute('aria-invalid', 'true')
  // The error describes the field, so it is read out on the way.
  input.focus()
  input.select()
}

/** Makes the buttons beside password fields show and hide what was typed. */
export function enableToggles() {
  for (const toggle of document.querySelectorAll('button[data-toggles]')) {
    toggle.addEventListener('click', () => reveal(toggle, inputOf(toggle).type === 'password'))
  }
}

/** Before sending: browsers offer to remember only what is a password field at that moment. */
function hideSecrets() {
  for (const toggle of document.querySelectorAll('button[data-toggles]')) reveal(toggle, false)
}

/**
 * @param {Element} toggle
 * @param {boolean} isVisible
 */
function reveal(toggle, isVisible) {
  inputOf(toggle).type = isVisible ? 'text' : 'password'
  const word = toggle.querySelector('span')
  if (word) word.textContent = isVisible ? 'Hide' : 'Show'
}

/** @param {Element} toggle */
function inputOf(toggle) {
  return /** @type {HTMLInputElement} */ (element(toggle.getAttribute('data-toggles') ?? ''))
}

/**
 * The form that asks for a new mail. The answer is the same whether the address is known or not, and so is what is shown.
 *
 * @param {string} path
 */
export function enableAsking(path) {
  onSubmit('request', async (email) => {
    const input = /** @type {HTMLInputElement} */ (element('email'))
    if (!input.validity.valid || email.trim() === '') {
      return { field: 'email', message: 'Enter your e-mail address, such as name@example.com.' }
    }
    const answer = await post(path, { email })
    if (answer.status === 202) {
      element('sent-message').textContent =
        answer.body?.message ?? 'If the address can get this mail, it is on its way to you.'
      show('sent')
      return undefined
    }
    // Where the operator asks for a solved challenge: this page has none to solve, the application's own has.
    if (complaintsAbout(answer, 'turnstile_token')) {
      return { message: 'Please ask for this mail where you sign in: here we cannot check that you are human.' }
    }
    const complaints = complaintsAbout(answer, 'email')
    return complaints ? { field: 'email', message: complaints } : { message: explain(answer) }
  })
}
