/** Showing a factor, or the password, in a session that is there already. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { Success } from '../../support/api.ts'
import { bearer, command, hasSession, password, passwords, pickSignedIn, which } from './command.ts'
import { challengeIn, offeredTo } from './sign-in-commands.ts'
import { stepUp, stepUpByPassword } from './sign-in.ts'
import { type Way, show, way } from './show.ts'

export const stepUpCommands = [
  command<[number, Way]>(
    'step up',
    [which, way],
    (index, way) => async (model, real) => {
      const session = pickSignedIn(model, index)
      const options = await bearer(real, 'POST', '/auth/step-up/options', session, model.me(session))
      if (options.status !== 200) return
      const offer = options.json as Success<'stepUpOptions'>
      const offered = offeredTo(session.account)
      expect(offer.methods).toEqual(offered.length > 0 ? offered : ['password'])
      const { body, shown } = await show(model, session.account, way, challengeIn(offer))
      await bearer(real, 'POST', '/auth/step-up', session, stepUp(model, session, shown), body)
    },
    hasSession,
  ),
  command<[number, string | null]>(
    'step up by password',
    [which, fc.option(password, { freq: 2, nil: null })],
    (index, given) => async (model, real) => {
      const session = pickSignedIn(model, index)
      const shown = given ?? session.account.password ?? passwords[0]
      const expected = stepUpByPassword(model, session, shown)
      await bearer(real, 'POST', '/auth/step-up', session, expected, { password: shown })
    },
    hasSession,
  ),
]
