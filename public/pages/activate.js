// @ts-check
import { complaintsAbout, explain, post } from './api.js'
import { enableAsking, enableToggles, onSubmit } from './form.js'
import { prepareAsking, show, start, takeToken } from './view.js'

const token = takeToken()

enableToggles()
enableAsking('/auth/resend-activation')
prepareAsking(
  'Activate your account',
  'Open the link in the mail that you got when you registered. Can you not find it? Then we send you a new one.',
)
start(token === null ? 'ask' : 'enter-password')

onSubmit('activation', async (password) => {
  if (token === null || password === '') return { field: 'password', message: 'Enter your password.' }
  const answer = await post('/auth/activate', { token, password })
  if (answer.status === 200) {
    endSession(answer.body?.refresh_token)
    show('done')
    return undefined
  }
  if (answer.status === 401) {
    return {
      field: 'password',
      message:
        'This is not the password of your registration. Your link still works: try again, or set a new password.',
    }
  }
  // The contract says 400; a token cut short by a mail client may also be taken for a badly formed field.
  if (answer.body?.code === 'invalid_link' || complaintsAbout(answer, 'token')) {
    prepareAsking(
      'This link does not work any more',
      'It was used before, or it has expired. If your account is active already, just sign in. Otherwise we send you a new link.',
    )
    show('ask')
    return undefined
  }
  const complaints = complaintsAbout(answer, 'password')
  return complaints ? { field: 'password', message: complaints } : { message: explain(answer) }
})

/**
 * Activation is the first sign-in and answers with tokens, but this page is no application that could use them. Dropped alone,
 * they would leave a session in the owner's list that nobody holds; so it is ended, and never mind if that fails.
 *
 * @param {string} refreshToken
 */
function endSession(refreshToken) {
  void post('/auth/logout', { refresh_token: refreshToken })
}
