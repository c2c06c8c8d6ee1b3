/** The activity on the account page says what an event knows, and no more. */
import { describe, expect, it } from 'vitest'
import { textOf } from '../../web/account/event-text.ts'
import { events as german, factorAsked as factorAskedInGerman } from '../../web/texts/events/de.ts'
import { events as english, factorAsked } from '../../web/texts/events/en.ts'

type Event = Parameters<typeof textOf>[0]
const inEnglish = (event: Event) => textOf(event, { types: english, factorAsked })
const inGerman = (event: Event) => textOf(event, { types: german, factorAsked: factorAskedInGerman })

describe('the text of an event', () => {
  it.each(['user.activation_refused', 'user.sign_in_refused'] as const)(
    'of %s does not call a right password wrong, nor a sign-in that goes on failed',
    (type) => {
      const asked = { type, detail: { reason: 'second_factor_required' } }
      expect(inEnglish(asked)).toMatch(/second factor/)
      expect(inEnglish(asked)).not.toMatch(/wrong|failed/)
      expect(inGerman(asked)).toMatch(/zweiter Faktor/)
      expect(inGerman(asked)).not.toMatch(/falsch|fehlgeschlagen/)
      const refused = { type, detail: { reason: 'wrong_password' } }
      expect(inEnglish(refused)).toMatch(/attempt .*failed/)
      expect(inGerman(refused)).toMatch(/versuch.* ist fehlgeschlagen/i)
    },
  )

  it('of a suspension does not follow from what staff wrote', () => {
    const suspended = { type: 'user.suspended', detail: { reason: 'second_factor_required' } } as const
    expect(inEnglish(suspended)).toBe('Your account was suspended')
  })

  it('of an email in doubt does not say that it was not sent, nor that one reported as spam did not arrive', () => {
    const [failed, undeliverable] = [
      { type: 'email.failed', detail: { reason: 'in_doubt_too_long' } },
      { type: 'email.undeliverable', detail: { reason: 'complained' } },
    ] as const
    expect(inEnglish(failed)).toMatch(/may not have arrived/)
    expect(inGerman(failed)).toMatch(/möglicherweise nicht angekommen/)
    expect(inEnglish(undeliverable)).toMatch(/spam/)
    expect(inGerman(undeliverable)).toMatch(/Spam/)
  })

  it('of a reset of the factors leaves open whether an ADMIN or the operator did it', () => {
    const reset = { type: 'user.factors_reset', detail: { reason: 'lost phone' } } as const
    expect(inEnglish(reset)).not.toMatch(/administrator/i)
    expect(inGerman(reset)).not.toMatch(/administrator/i)
  })

  it('of a reversal is right before and after the change of the address', () => {
    const reverted = { type: 'user.email_change_reverted', detail: null } as const
    expect(inEnglish(reverted)).toMatch(/stopped or undone/)
    expect(inGerman(reverted)).toMatch(/gestoppt oder rückgängig/)
  })
})
