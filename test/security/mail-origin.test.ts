/** Which rows of the outbox say where a request came from. */
import { expect } from 'vitest'
import { it } from '../support/fixtures.ts'
import { otherPassword } from '../support/person.ts'
import { rowsOf } from '../support/state.ts'

it('is kept for an email that says it or whose link is recorded with it, and for no other', async ({
  people,
  anonymous,
  admin,
  ada,
}) => {
  await people.register('bob@example.com')
  await anonymous.register({ email: 'carla@example.com', password: otherPassword })
  await anonymous.resendActivation('bob@example.com')
  await anonymous.requestPasswordReset({ email: ada.email })
  await admin.startPasswordReset(ada)
  await ada.changePassword({ old_password: ada.password, new_password: otherPassword })
  await admin.suspend(ada)
  // A row keeps no parameters once its email is sent.
  const rows = (await rowsOf('emails', "status = 'queued' or params <> '{}' or budget = 'account_activated'")).map(
    ({ budget, params }) => [budget, 'ip' in (JSON.parse(String(params)) as object)],
  )
  const expected = {
    account_activated: [false],
    account_suspended: [false],
    activation: [false, true],
    password_changed: [true],
    password_reset: [true],
    'password_reset:administrator': [false],
  }
  const found = Object.fromEntries(
    Object.keys(expected).map((budget) => [
      budget,
      [...new Set(rows.filter(([of]) => of === budget).map(([, has]) => has))].toSorted(
        (a, b) => Number(a) - Number(b),
      ),
    ]),
  )
  expect(found).toEqual(expected)
})
