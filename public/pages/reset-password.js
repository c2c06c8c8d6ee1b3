// @ts-check
import { complaintsAbout, explain, post } from './api.js'
import { enableAsking, enableToggles, onSubmit } from './form.js'
import { prepareAsking, show, start, takeToken } from './view.js'

const token = takeToken()

enableToggles()
enableAsking('/auth/password-reset/request')
prepareAsking(
  'Set a new password',
  'Tell us the e-mail address of your account, and we send you a link to choose a new one.',
)
start(token === null ? 'ask' : 'choose-password')

onSubmit('reset', async (password) => {
  if (token === null || password === '') return { field: 'new_password', message: 'Enter a new password.' }
  const answer = await post('/auth/password-reset/complete', { token, new_password: password })
  if (answer.status === 204) {
    show('done')
    return undefined
  }
  // The contract says 400; a token cut short by a mail client may also be taken for a badly formed field.
  if (answer.body?.code === 'invalid_link' || complaintsAbout(answer, 'token')) {
    prepareAsking(
      'This link does not work any more',
      'It was used before, or it has expired. Tell us the e-mail address of your account, and we send you a new one.',
    )
    show('ask')
    return undefined
  }
  // Too weak, too short or too long: the server alone judges, and the link stays good.
  const complaints = complaintsAbout(answer, 'new_password')
  return complaints ? { field: 'new_password', message: complaints } : { message: explain(answer) }
})
